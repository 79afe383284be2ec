package ui

import (
	"crypto/subtle"
	_ "embed" // for the scripts
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/weftrun/weft/cmd/weft/report"
	"github.com/weftrun/weft/cmd/weft/report/model"
	"github.com/weftrun/weft/cmd/weft/report/page"
	"github.com/weftrun/weft/engine/event"
)

// The scripts of the live page, besides those of every page.
var (
	//go:embed fold.js
	foldScript string
	//go:embed live.js
	liveScript string
	//go:embed acts.js
	actScript string
)

// maxBody is the maximum number of bytes read of a request's body.
const maxBody = 64 << 10

// ServeHTTP implements http.Handler.
func (s *server) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", "frame-ancestors 'none'") // the page itself has a longer one
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
	http.NewResponseController(w).SetWriteDeadline(time.Now().Add(writeTimeout))
	q.Body = http.MaxBytesReader(w, q.Body, maxBody)
	if !local(q.Host) {
		http.Error(w, "this server does not have this host name", http.StatusMisdirectedRequest)
		return
	}
	if q.URL.Path == "/" && (q.Method == http.MethodGet || q.Method == http.MethodHead) {
		h.Set("Content-Type", "text/html; charset=utf-8")
		page.Write(w, page.Options{Script: foldScript + liveScript + actScript}, report.Finished{Run: new(model.Run)})
		return
	}
	given := []byte(q.Header.Get("Authorization"))
	if subtle.ConstantTimeCompare(given, []byte("Bearer "+s.token)) != 1 {
		h.Set("WWW-Authenticate", "Bearer")
		http.Error(w, "the token is missing: open the address that weft has printed", http.StatusUnauthorized)
		return
	}
	get := map[string]http.HandlerFunc{"/graph": s.graph, "/events": s.lines, "/log": s.logOf, "/logs": s.logsOf}
	post := map[string]http.HandlerFunc{"/stop": s.act, "/restart": s.act, "/rerun": s.act, "/send": s.act}
	do, known := get[q.URL.Path], http.MethodGet
	if do == nil {
		do, known = post[q.URL.Path], http.MethodPost
	}
	switch {
	case do == nil:
		http.NotFound(w, q)
	case q.Method != known:
		h.Set("Allow", known)
		http.Error(w, "not with "+q.Method, http.StatusMethodNotAllowed)
	case known == http.MethodPost && !sameOrigin(q):
		http.Error(w, "the request comes from another page", http.StatusForbidden)
	default:
		do(w, q)
	}
}

// local reports whether a Host is a loopback name, on any port: ssh -L forwards another one to
// here. Other names are not trusted.
func local(host string) bool {
	name, _, err := net.SplitHostPort(host)
	if err != nil {
		name = host
	}
	return name == "127.0.0.1" || name == "localhost" || name == "::1" || name == "[::1]"
}

// sameOrigin reports whether the page itself has sent q.
func sameOrigin(q *http.Request) bool {
	site := q.Header.Get("Sec-Fetch-Site")
	origin, err := url.Parse(q.Header.Get("Origin"))
	return err == nil && origin.Scheme == "http" && origin.Host == q.Host && (site == "" || site == "same-origin")
}

// number returns a number of the query, 0 if it is absent.
func number(q *http.Request, name string) (int64, bool) {
	text := q.URL.Query().Get(name)
	if text == "" {
		return 0, true
	}
	n, err := strconv.ParseInt(text, 10, 64)
	return n, err == nil && n >= 0
}

// graph sends the data that the page does not compute itself.
func (s *server) graph(w http.ResponseWriter, q *http.Request) {
	body, err := s.snapshot(time.Now())
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Write(body)
}

// logs sends the logs to a page that stays when the run has ended, and lets it go.
func (s *server) logsOf(w http.ResponseWriter, q *http.Request) {
	s.mu.Lock()
	all := s.finalLogs()
	s.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(all)
	http.NewResponseController(w).Flush()
	s.setFollows(q, false)
}

// maxPages is the maximum number of pages waited for at the end.
const maxPages = 2 * maxConns

// setFollows records whether a page follows the run, so that it is waited for at the end.
func (s *server) setFollows(q *http.Request, does bool) {
	page := q.URL.Query().Get("page")
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case !does:
		delete(s.pages, page)
		s.notify()
	case page != "" && len(page) <= 32 && len(s.pages) < maxPages:
		s.pages[page] = true
	}
}

// unlimited removes the time limit of a request.
func unlimited(w http.ResponseWriter) {
	c := http.NewResponseController(w)
	c.SetReadDeadline(time.Time{})
	c.SetWriteDeadline(time.Time{})
}

const (
	// heartbeat is the interval of heartbeats to a page. Without one it reconnects; see live.js.
	heartbeat = 10 * time.Second
	// maxChunk is the number of bytes sent to a page before it must have read most of them.
	maxChunk = 1 << 20
)

// lines sends the events from a line on, and then new ones, or with wait=0 only those that there
// are. A page that does not read is cut off; it reconnects at its last line.
func (s *server) lines(w http.ResponseWriter, q *http.Request) {
	from, ok := number(q, "from")
	if !ok {
		http.Error(w, "from must be a number", http.StatusBadRequest)
		return
	}
	wait := q.URL.Query().Get("wait") != "0"
	s.setFollows(q, true)
	w.Header().Set("Content-Type", "application/x-ndjson")
	unlimited(w)
	to := http.NewResponseController(w)
	beats := time.NewTicker(heartbeat)
	defer beats.Stop()
	for {
		s.mu.Lock()
		start, end, next := s.events.from(from)
		ended, changed := s.ended && next == s.events.lines(), s.changed
		more := next < s.events.lines()
		s.mu.Unlock()
		to.SetWriteDeadline(time.Now().Add(writeTimeout))
		var err error
		if next > from {
			_, err = io.Copy(w, io.NewSectionReader(s.events.file, start, end-start))
			from = next
		}
		if err == nil {
			err = to.Flush()
		}
		switch {
		case err != nil:
			s.setFollows(q, false)
			panic(http.ErrAbortHandler) // the page must not mistake it for the end of the run
		case more:
			continue
		case ended, !wait:
			return
		}
		select {
		case <-changed:
		case <-beats.C:
			io.WriteString(w, "\n") // an error is that of the next Flush, too
		case <-q.Context().Done():
			s.setFollows(q, false)
			return
		}
	}
}

// logOf sends the log of a step from a byte on. If a part is omitted, Weft-Cut contains its
// position and size.
func (s *server) logOf(w http.ResponseWriter, q *http.Request) {
	step, ok := number(q, "step")
	from, ok2 := number(q, "from")
	if !ok || !ok2 {
		http.Error(w, "step and from must be numbers", http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	log, at, cut, err := s.log(event.StepID(step), from)
	s.mu.Unlock()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("Weft-Cut", strconv.Itoa(at)+" "+strconv.FormatInt(cut, 10))
	w.Write(log)
}

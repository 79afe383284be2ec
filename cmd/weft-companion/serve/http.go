package serve

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/weftrun/weft/cmd/weft-companion/packing"
	"github.com/weftrun/weft/engine/cache"
)

// web answers HTTP/1.
type web struct {
	*server
	hosts map[string]bool // how a client of this machine calls it; nil: any way
}

// newHTTP returns the HTTP server of s.
func newHTTP(s *server) *http.Server {
	w := &web{server: s}
	if s.access.open() {
		w.hosts = map[string]bool{"localhost": true}
		for _, l := range s.entry.listeners {
			if a, ok := l.Addr().(*net.TCPAddr); ok {
				w.hosts[a.IP.String()] = true
			}
		}
	}
	return &http.Server{Handler: w, ReadHeaderTimeout: s.o.greeting, IdleTimeout: idle, MaxHeaderBytes: maxHeaders, ErrorLog: s.log.standard()}
}

// place is the parsed path of a request.
type place struct {
	kind     string // "ac", "cas", "status", "metrics", "healthz"
	instance string
	hash     key
}

// parsePlace parses a path: [/INSTANCE]/ac/HASH, [/INSTANCE]/cas/HASH, or one of the
// server's own. A client may write any number of slashes before. Nothing of the path becomes the
// name of a file but the hash. The error is a refusal.
func parsePlace(path string) (place, error) {
	nothing := refuse(absent, "not found: the paths are [/INSTANCE]/cas/HASH and [/INSTANCE]/ac/HASH")
	switch path {
	case "/status", "/metrics", "/healthz":
		return place{kind: path[1:]}, nil
	}
	rest, hash, _ := cutLast(path)
	rest, kind, ok := cutLast(rest)
	if !ok || kind != "ac" && kind != "cas" {
		return place{}, nothing
	}
	p := place{kind: kind}
	if p.hash, ok = parseKey(hash); !ok {
		return place{}, refuse(malformed, "%.70q is not a SHA-256 in lower case hexadecimal", hash)
	}
	var err error
	p.instance, err = readInstance(rest)
	return p, err
}

// cutLast cuts a path at its last slash.
func cutLast(path string) (before, after string, ok bool) {
	i := strings.LastIndexByte(path, '/')
	if i < 0 {
		return "", path, false
	}
	return path[:i], path[i+1:], true
}

// answer is a response that knows whether it has begun, and its status.
type answer struct {
	http.ResponseWriter
	status int   // 0: not begun
	sent   int64 // bytes of the body
}

func (a *answer) WriteHeader(status int) {
	if a.status == 0 {
		a.status = status
	}
	a.ResponseWriter.WriteHeader(status)
}

func (a *answer) Write(b []byte) (int, error) {
	if a.status == 0 {
		a.status = http.StatusOK
	}
	n, err := a.ResponseWriter.Write(b)
	a.sent += int64(n)
	return n, err
}

// ReadFrom implements [io.ReaderFrom]: the system copies a file by itself.
func (a *answer) ReadFrom(r io.Reader) (int64, error) {
	if a.status == 0 {
		a.status = http.StatusOK
	}
	n, err := io.Copy(a.ResponseWriter, r)
	a.sent += n
	return n, err
}

// ServeHTTP implements [http.Handler]: it is the frame of every request.
func (s *web) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	c := &call{method: methodLabel(q.Method), about: q.URL.Path, from: q.RemoteAddr, started: time.Now()}
	a := &answer{ResponseWriter: w}
	err := s.framed(c, a, q)
	if err != nil && a.status == 0 {
		sendError(a, err)
	}
	s.finish(c, strconv.Itoa(a.status), err)
	if err != nil && a.status < http.StatusBadRequest {
		panic(http.ErrAbortHandler) // the client must not take what it has got for all
	}
}

// methodLabel returns how requests with a method are counted.
func methodLabel(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPut:
		return method
	}
	return "other"
}

// sendError sends what a client is told of err.
func sendError(w http.ResponseWriter, err error) {
	why, ok := reasonOf(err)
	if !ok {
		why = stopping // the client is gone
	}
	_, status := why.answers()
	switch status {
	case http.StatusUnauthorized:
		w.Header().Add("WWW-Authenticate", `Basic realm="weft cache"`)
		w.Header().Add("WWW-Authenticate", `Bearer`)
	case http.StatusMethodNotAllowed:
		w.Header().Set("Allow", "GET, HEAD, PUT")
	}
	http.Error(w, publicText(err, why), status)
}

// framed executes a request.
func (s *web) framed(c *call, w *answer, q *http.Request) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = s.recovered(v)
		}
	}()
	if err := s.fromHere(q); err != nil {
		return err
	}
	p, err := parsePlace(q.URL.Path)
	if err != nil {
		return err
	}
	need := mayRead
	switch {
	case q.Method == http.MethodPut && (p.kind == "ac" || p.kind == "cas"):
		need = mayWrite
	case q.Method != http.MethodGet && q.Method != http.MethodHead:
		return refuse(unsupported, "%.20q is not allowed for this", q.Method)
	case p.kind == "healthz":
		need = mayNothing
	}
	visible := shown{authorization: q.Header.Get("Authorization")}
	if q.TLS != nil && len(q.TLS.VerifiedChains) > 0 {
		visible.certificate = q.TLS.PeerCertificates[0]
	}
	if need > mayNothing {
		if c.caller, err = s.access.who(visible); err != nil {
			return err
		}
		if err := c.caller.check(need); err != nil {
			return err
		}
	}
	if err := s.calls.begin(); err != nil {
		return err
	}
	defer s.calls.end()
	return s.do(c, p, w, q)
}

// fromHere refuses what a web page may have sent, where everyone may write: by its Origin, or by
// a name that was made to lead here. A cache is not for pages.
func (s *web) fromHere(q *http.Request) error {
	if s.hosts == nil {
		return nil
	}
	if q.Header.Get("Origin") != "" {
		return refuse(foreignPage, "web pages cannot use this cache")
	}
	if local, ok := q.Context().Value(http.LocalAddrContextKey).(net.Addr); ok && local.Network() == "unix" {
		return nil
	}
	host := q.Host
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	if !s.hosts[strings.ToLower(strings.Trim(host, "[]"))] {
		return refuse(foreignPage, "this server does not have the name %.80q: use its address, or localhost", q.Host)
	}
	return nil
}

// do answers a request of a caller who has the right.
func (s *web) do(c *call, p place, w *answer, q *http.Request) error {
	switch {
	case p.kind == "healthz":
		return text(w, "ok\n")
	case p.kind == "status":
		w.Header().Set("Content-Type", "application/json")
		_, err := fmt.Fprintf(w, `{"blobs":%d,"results":%d,"bytes":%d,"size":%d}`+"\n", s.store.blobs.count.Load(), s.store.results.count.Load(), s.store.total(), s.o.size)
		return err
	case p.kind == "metrics":
		w.Header().Set("Content-Type", "text/plain; version=0.0.4")
		return s.metrics.write(w, s.store)
	case p.kind == "cas" && q.Method == http.MethodPut:
		return s.putBlob(p, w, q)
	case p.kind == "cas":
		return s.getBlob(p, w, q)
	case q.Method == http.MethodPut:
		return s.putResult(c, p, w, q)
	default:
		return s.getResult(p, w, q)
	}
}

func text(w http.ResponseWriter, line string) error {
	w.Header().Set("Content-Type", "text/plain")
	_, err := io.WriteString(w, line)
	return err
}

// getBlob answers GET and HEAD of a blob.
func (s *web) getBlob(p place, w *answer, q *http.Request) error {
	if p.hash == emptyBlob.Hash {
		w.Header().Set("Content-Length", "0")
		w.WriteHeader(http.StatusOK)
		return nil
	}
	f, size, err := s.store.open(p.hash, -1)
	s.metrics.looked(err == nil)
	if err != nil {
		return err
	}
	defer f.Close()
	h := w.Header()
	h.Set("Content-Type", "application/octet-stream")
	h.Set("ETag", `"`+p.hash.String()+`"`)
	h.Set("Vary", "Accept-Encoding")
	if q.Method == http.MethodGet && q.Header.Get("Range") == "" && size >= packing.MinSize && acceptsZstd(q.Header.Get("Accept-Encoding")) {
		h.Set("Content-Encoding", "zstd")
		if err = packInto(w, f); err == nil {
			s.metrics.sent.Add(size)
		}
		return err
	}
	http.ServeContent(w, q, "", time.Time{}, f)
	if w.status < http.StatusBadRequest {
		s.metrics.sent.Add(w.sent)
	}
	return nil
}

// acceptsZstd reports whether a header says that the client reads zstd.
func acceptsZstd(header string) bool {
	for coding := range strings.SplitSeq(header, ",") {
		name, quality, _ := strings.Cut(strings.TrimSpace(coding), ";")
		if strings.EqualFold(strings.TrimSpace(name), "zstd") {
			q := strings.TrimSpace(quality)
			return q != "q=0" && q != "q=0.0" && q != "q=0.00" && q != "q=0.000"
		}
	}
	return false
}

// putBlob answers PUT of a blob.
func (s *web) putBlob(p place, w *answer, q *http.Request) error {
	d := cache.Digest{Hash: p.hash, Size: -1}
	packed, err := isPacked(q)
	if err != nil {
		return err
	}
	if !packed {
		d.Size = q.ContentLength
	}
	if s.store.hasContent(p.hash) {
		return s.already(w, q)
	}
	u, err := s.store.create(d)
	if err != nil {
		return err
	}
	body := &body{r: q.Body}
	if packed {
		err = receivePacked(u, body)
	} else {
		_, err = io.Copy(u, body)
	}
	if body.failed != nil {
		err = refuse(malformed, "the request ended after %d bytes", u.n)
	}
	if err != nil {
		u.discard()
		return err
	}
	if err := u.commit(); err != nil {
		return err
	}
	w.WriteHeader(http.StatusOK)
	return nil
}

// already answers PUT of a blob that is here. A client that does not wait for it to be wanted has
// to be heard out, since it reads no answer before.
func (s *web) already(w *answer, q *http.Request) error {
	if q.Header.Get("Expect") == "" {
		if _, err := io.Copy(io.Discard, io.LimitReader(q.Body, s.o.maxBlob)); err != nil {
			return refuse(malformed, "the request ended too early")
		}
	}
	w.WriteHeader(http.StatusOK)
	return nil
}

// isPacked reports whether the body of a request is compressed.
func isPacked(q *http.Request) (bool, error) {
	switch coding := q.Header.Get("Content-Encoding"); {
	case coding == "" || strings.EqualFold(coding, "identity"):
		return false, nil
	case strings.EqualFold(coding, "zstd"):
		return true, nil
	default:
		return false, refuse(malformed, "the encoding %.40q is not supported; zstd is", coding)
	}
}

// body is what a client sends; it remembers why there is no more of it, if that is not its end.
type body struct {
	r      io.Reader
	failed error
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		b.failed = err
	}
	return n, err
}

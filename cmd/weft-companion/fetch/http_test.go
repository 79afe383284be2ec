package fetch

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/weftrun/weft/engine/channel"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const content = "version: '3'\n"

var names = []string{"Taskfile.yml", "taskfile.yml", "Taskfile.yaml"}

// room returns a Room that is closed with the test.
func room(t *testing.T, environ ...string) *Room {
	t.Helper()
	r := New(Options{Environ: append(os.Environ(), environ...)})
	t.Cleanup(r.Close)
	return r
}

// server serves with TLS, and returns the path of its authority.
func server(t *testing.T, h http.HandlerFunc) (s *httptest.Server, ca string) {
	t.Helper()
	s = httptest.NewUnstartedServer(h)
	s.Config.ErrorLog = quiet()
	s.StartTLS()
	t.Cleanup(s.Close)
	return s, authority(t, s)
}

func authority(t *testing.T, s *httptest.Server) string {
	t.Helper()
	return writePEM(t, "ca.pem", &pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
}

func writePEM(t *testing.T, name string, b *pem.Block) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, pem.EncodeToMemory(b), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// text answers with a Taskfile.
func text(w http.ResponseWriter, body string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Write([]byte(body))
}

// fetchOK fetches and must succeed.
func fetchOK(t *testing.T, r *Room, q channel.TaskfileRequest) *channel.Taskfile {
	t.Helper()
	f, err := r.Taskfile(t.Context(), &q)
	if err != nil {
		t.Fatalf("%s: %v", q.URL, err)
	}
	return f
}

// fetchError fetches and must fail with an error of a kind and with a text.
func fetchError(t *testing.T, r *Room, q channel.TaskfileRequest, kind channel.Kind, text string) *channel.Error {
	t.Helper()
	f, err := r.Taskfile(t.Context(), &q)
	var e *channel.Error
	if !errors.As(err, &e) || e.Kind != kind || !strings.Contains(e.Error(), text) {
		var got channel.Kind
		if e != nil {
			got = e.Kind
		}
		t.Fatalf("%s: got %v, %v (%s), want %s: %s", q.URL, f, err, got, kind, text)
	}
	return e
}

func TestHTTP(t *testing.T) {
	s, ca := server(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"1"`)
		if r.Header.Get("If-None-Match") == `"1"` {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		text(w, content)
	})
	r := room(t)
	q := channel.TaskfileRequest{URL: s.URL + "/a.yml", CACert: ca}
	f := fetchOK(t, r, q)
	if string(f.Body) != content || f.ETag != `"1"` || f.URL != q.URL || f.Name != "" || f.NotModified || f.Commit != "" {
		t.Errorf("got %+v", f)
	}
	q.ETag = f.ETag
	if f = fetchOK(t, r, q); !f.NotModified || f.ETag != `"1"` || f.Body != nil {
		t.Errorf("got %+v", f)
	}
	q.ETag = "\"1\"\r\nX: y" // no header comes out of a copy's ETag
	if f = fetchOK(t, r, q); f.NotModified {
		t.Errorf("got %+v", f)
	}
}

func TestContentTypes(t *testing.T) {
	for contentType, want := range map[string]bool{
		"text/plain": true, "text/plain; charset=utf-8": true, "Text/YAML": true, "text/x-yaml": true, "application/yaml": true,
		"application/x-yaml": true, "application/octet-stream": true, "text/html": false, "application/json": false, "": false,
	} {
		s, ca := server(t, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/x" {
				http.NotFound(w, r)
				return
			}
			w.Header()["Content-Type"] = []string{contentType}
			if contentType == "" {
				w.Header()["Content-Type"] = nil
			}
			w.Write([]byte(content))
		})
		q := channel.TaskfileRequest{URL: s.URL + "/x", CACert: ca, Names: names}
		if want {
			fetchOK(t, room(t), q)
		} else {
			fetchError(t, room(t), q, channel.BadType, "content type")
		}
	}
}

// TestNames: below a URL that is not a Taskfile the names are tried in order.
func TestNames(t *testing.T) {
	for _, c := range []struct {
		path, at string // of the request, and where there is a file
		status   int    // of everything else
		asked    string
	}{
		{"", "/taskfile.yml", 404, "/ /Taskfile.yml /taskfile.yml"},
		{"/d", "/d/Taskfile.yml", 200, "/d /d/Taskfile.yml"}, // 200, but HTML
		{"/d/?q=1", "/d/taskfile.yml", 403, "/d/?q=1 /d/Taskfile.yml?q=1 /d/taskfile.yml?q=1"},
	} {
		var asked []string
		s, ca := server(t, func(w http.ResponseWriter, r *http.Request) {
			asked = append(asked, r.URL.String())
			w.Header().Set("Content-Type", "text/html") // which is all right for a file with the right name
			if r.URL.Path == c.at {
				w.Write([]byte(content))
				return
			}
			if c.status == 200 && r.URL.Path != c.path {
				c.status = 404
			}
			w.WriteHeader(c.status)
		})
		f := fetchOK(t, room(t), channel.TaskfileRequest{URL: s.URL + c.path, CACert: ca, Names: names})
		if at, _ := url.Parse(f.URL); string(f.Body) != content || at.Path != c.at || f.Name != c.at[strings.LastIndex(c.at, "/")+1:] {
			t.Errorf("%s: got %+v", c.path, f)
		}
		if got := strings.Join(asked, " "); got != c.asked {
			t.Errorf("%s: asked for %s, want %s", c.path, got, c.asked)
		}
	}
}

func TestStatus(t *testing.T) {
	for _, c := range []struct {
		status, requests int
		kind             channel.Kind
	}{
		{404, 4, channel.NotFound}, {410, 4, channel.NotFound}, {403, 4, channel.BadStatus}, {401, 1, channel.Unauthorized},
		{500, 1, channel.BadStatus}, {503, 1, channel.BadStatus}, {429, 1, channel.BadStatus}, {407, 1, channel.BadStatus},
		{204, 1, channel.BadStatus}, {300, 1, channel.BadStatus}, {304, 1, channel.BadStatus}, // 304 without a copy
	} {
		requests := 0
		s, ca := server(t, func(w http.ResponseWriter, _ *http.Request) {
			requests++
			w.WriteHeader(c.status)
		})
		e := fetchError(t, room(t), channel.TaskfileRequest{URL: s.URL + "/x", CACert: ca, Names: names}, c.kind, strconv.Itoa(c.status))
		if e.Status != c.status || requests != c.requests {
			t.Errorf("%d: got %+v after %d requests", c.status, e, requests)
		}
	}
}

func TestInsecure(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { text(w, content) }))
	defer s.Close()
	fetchError(t, room(t), channel.TaskfileRequest{URL: s.URL}, channel.Insecure, "not be encrypted")
	fetchError(t, room(t), channel.TaskfileRequest{URL: s.URL + "/x.git"}, channel.Insecure, "not be encrypted")
	fetchOK(t, room(t), channel.TaskfileRequest{URL: s.URL, Insecure: true})
}

// TestCertificates: --insecure or not, a server must prove who it is.
func TestCertificates(t *testing.T) {
	s, ca := server(t, func(w http.ResponseWriter, r *http.Request) { text(w, content) })
	other, otherCA := clientCertificate(t)
	for _, insecure := range []bool{false, true} {
		q := channel.TaskfileRequest{URL: s.URL, Insecure: insecure}
		fetchError(t, room(t), q, channel.Certificate, "")
		q.CACert = otherCA
		fetchError(t, room(t), q, channel.Certificate, "")
		q.CACert = ca
		fetchOK(t, room(t), q)
		q.URL = strings.Replace(s.URL, "127.0.0.1", "localhost", 1) // another name than the certificate's
		fetchError(t, room(t), q, channel.Certificate, "")
	}
	for _, q := range []channel.TaskfileRequest{
		{CACert: "/nowhere/ca.pem"}, {CACert: os.Args[0]}, {CACert: ca, Cert: other.cert}, {CACert: ca, Cert: other.key, CertKey: other.cert},
	} {
		q.URL = s.URL
		fetchError(t, room(t), q, channel.Certificate, "")
	}
	plain := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { text(w, content) }))
	defer plain.Close()
	fetchError(t, room(t), channel.TaskfileRequest{URL: "https://" + plain.Listener.Addr().String()}, channel.Certificate, "")
}

// pemPair are the paths of a client certificate.
type pemPair struct{ cert, key string }

// TestClientCertificate: the server gets it, and no server that it redirects to.
func TestClientCertificate(t *testing.T) {
	pair, clientCA := clientCertificate(t)
	pool := x509.NewCertPool()
	ca, err := os.ReadFile(clientCA)
	if err != nil {
		t.Fatal(err)
	}
	pool.AppendCertsFromPEM(ca)
	shown := func(h http.HandlerFunc, auth tls.ClientAuthType) *httptest.Server {
		s := httptest.NewUnstartedServer(h)
		s.TLS = &tls.Config{ClientAuth: auth, ClientCAs: pool}
		s.Config.ErrorLog = quiet()
		s.StartTLS()
		t.Cleanup(s.Close)
		return s
	}
	var elsewhere atomic.Int32
	other := shown(func(w http.ResponseWriter, r *http.Request) {
		elsewhere.Store(int32(len(r.TLS.PeerCertificates)) + 1)
		text(w, content)
	}, tls.RequestClientCert)
	s := shown(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/away" {
			http.Redirect(w, r, other.URL, http.StatusFound)
			return
		}
		text(w, r.TLS.PeerCertificates[0].Subject.CommonName)
	}, tls.RequireAndVerifyClientCert)
	q := channel.TaskfileRequest{URL: s.URL, CACert: authority(t, s)}
	fetchError(t, room(t), q, channel.Certificate, "")
	q.Cert, q.CertKey = pair.cert, pair.key
	if f := fetchOK(t, room(t), q); string(f.Body) != "client" {
		t.Errorf("the server saw %q", f.Body)
	}
	q.URL, q.RedirectHosts = s.URL+"/away", []string{other.Listener.Addr().String()}
	fetchOK(t, room(t), q)
	if elsewhere.Load() != 1 {
		t.Errorf("the other host saw %d certificates", elsewhere.Load()-1)
	}
}

// TestHeaders: they are expanded here and go to the URL's host alone.
func TestHeaders(t *testing.T) {
	var mu sync.Mutex
	got := map[string]http.Header{}
	note := func(who string, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		got[who] = r.Header.Clone()
	}
	other, _ := server(t, func(w http.ResponseWriter, r *http.Request) { note("other", r); text(w, content) })
	var s *httptest.Server
	s, ca := server(t, func(w http.ResponseWriter, r *http.Request) {
		note(r.URL.Path, r)
		switch r.URL.Path {
		case "/first":
			http.Redirect(w, r, "/second?x=1", http.StatusFound)
		case "/second":
			http.Redirect(w, r, other.URL, http.StatusFound)
		}
	})
	t.Setenv("FETCH_TEST_TOKEN", "sesame")
	q := channel.TaskfileRequest{
		URL: strings.Replace(s.URL, "https://", "https://me:secret@", 1) + "/first?token=geheim", CACert: ca,
		Headers:       []channel.Header{{Name: "private-token", Value: `{{env "FETCH_TEST_TOKEN" | upper}}`}, {Name: "Accept", Value: "x"}},
		RedirectHosts: []string{other.Listener.Addr().String()},
	}
	if f := fetchOK(t, room(t), q); f.URL != other.URL {
		t.Errorf("got %+v", f)
	}
	for who, want := range map[string]string{"/first": "SESAME", "/second": "SESAME", "other": ""} {
		if h := got[who]; h.Get("Private-Token") != want || (h.Get("Authorization") == "") != (who == "other") || h.Get("Referer") != "" {
			t.Errorf("%s got %v", who, got[who])
		}
	}
	for _, c := range []struct{ name, value, problem string }{
		{"A b", "x", `"A b" is not the name`},
		{"", "x", "is not the name"},
		{"A:", "x", "is not the name"},
		{"X-A", `{{fail "sesame"}}`, "the template of the header X-A"},
		{"X-A", `{{`, "the template of the header X-A"},
		{"X-A", "sesame\r\nB: c", "the value of the header X-A"},
		{"X-A", `{{printf "sesame%c" 10}}`, "the value of the header X-A"},
	} {
		q.Headers = []channel.Header{{Name: c.name, Value: c.value}}
		if e := fetchError(t, room(t), q, channel.Invalid, c.problem); strings.Contains(e.Text, "sesame") {
			t.Errorf("%q: the value is in %q", c.value, e.Text)
		}
	}
}

func TestRedirects(t *testing.T) {
	plain := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { text(w, content) }))
	defer plain.Close()
	other, _ := server(t, func(w http.ResponseWriter, r *http.Request) { text(w, content) })
	var s *httptest.Server
	s, ca := server(t, func(w http.ResponseWriter, r *http.Request) {
		steps, err := strconv.Atoi(strings.TrimPrefix(r.URL.Path, "/steps/"))
		switch {
		case r.URL.Path == "/loop":
			http.Redirect(w, r, "/loop", http.StatusMovedPermanently)
		case r.URL.Path == "/other":
			http.Redirect(w, r, other.URL+"/x?secret", http.StatusFound)
		case r.URL.Path == "/plain":
			http.Redirect(w, r, plain.URL, http.StatusFound)
		case r.URL.Path == "/file":
			w.Header().Set("Location", "file:///etc/passwd")
			w.WriteHeader(http.StatusFound)
		case r.URL.Path == "/nowhere":
			w.WriteHeader(http.StatusFound)
		case err == nil && steps > 0:
			http.Redirect(w, r, "/steps/"+strconv.Itoa(steps-1), http.StatusTemporaryRedirect)
		default:
			text(w, content)
		}
	})
	q := func(path string) channel.TaskfileRequest {
		return channel.TaskfileRequest{URL: s.URL + path, CACert: ca, Names: names}
	}
	if f := fetchOK(t, room(t), q("/steps/10")); f.URL != s.URL+"/steps/0" {
		t.Errorf("got %+v", f)
	}
	if e := fetchError(t, room(t), q("/steps/11"), channel.Redirect, "more than 10"); e.URL != "" {
		t.Errorf("got %+v", e)
	}
	fetchError(t, room(t), q("/loop"), channel.Redirect, "more than 10")
	if e := fetchError(t, room(t), q("/other"), channel.Redirect, "another host, "+other.Listener.Addr().String()); e.URL != other.URL+"/x?secret" {
		t.Errorf("got %+v", e)
	}
	allowed := q("/other")
	allowed.RedirectHosts = []string{"127.0.0.1", other.Listener.Addr().String()}
	fetchOK(t, room(t), allowed)
	fetchError(t, room(t), q("/plain"), channel.Insecure, "redirects")
	allowed = q("/plain")
	allowed.Insecure = true
	fetchError(t, room(t), allowed, channel.Redirect, "another host")
	allowed.RedirectHosts = []string{plain.Listener.Addr().String()}
	fetchOK(t, room(t), allowed)
	fetchError(t, room(t), q("/file"), channel.Redirect, "unsupported URL")
	fetchError(t, room(t), q("/nowhere"), channel.BadStatus, "302")
}

// TestBroken: answers that are not what they say end as errors, and soon.
func TestBroken(t *testing.T) {
	var bomb bytes.Buffer
	z := gzip.NewWriter(&bomb)
	z.Write(make([]byte, 64<<20))
	z.Close()
	s, ca := server(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		switch r.URL.Path {
		case "/bomb":
			w.Header().Set("Content-Encoding", "gzip")
			w.Write(bomb.Bytes())
		case "/gzip":
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			z.Write([]byte(content))
			z.Close()
		case "/no gzip":
			w.Header().Set("Content-Encoding", "gzip")
			w.Write([]byte(content))
		case "/br":
			w.Header().Set("Content-Encoding", "br")
			w.Write([]byte(content))
		case "/length":
			w.Header().Set("Content-Length", "100")
			w.Write([]byte(content))
		case "/claims":
			w.Header().Set("Content-Length", "99999999999")
			w.WriteHeader(200)
		case "/endless":
			for {
				if _, err := w.Write(make([]byte, 1<<20)); err != nil {
					return
				}
			}
		case "/cut":
			w.Write(make([]byte, 1<<10))
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		case "/none":
			panic(http.ErrAbortHandler)
		case "/exact":
			w.Write(make([]byte, 1<<20))
		case "/more":
			w.Write(make([]byte, 1<<20+1))
		}
	})
	for path, c := range map[string]struct {
		kind channel.Kind
		text string
	}{
		"/bomb":    {channel.TooLarge, "more than 1 MiB"},
		"/endless": {channel.TooLarge, "more than 1 MiB"},
		"/claims":  {channel.TooLarge, "more than 1 MiB"},
		"/more":    {channel.TooLarge, "more than 1 MiB"},
		"/no gzip": {channel.Unreachable, ""},
		"/br":      {channel.BadType, "encoded"},
		"/length":  {channel.Unreachable, "cut off"},
		"/cut":     {channel.Unreachable, ""},
		"/none":    {channel.Unreachable, ""},
	} {
		t.Run(path[1:], func(t *testing.T) {
			fetchError(t, room(t), channel.TaskfileRequest{URL: s.URL + (&url.URL{Path: path}).EscapedPath(), CACert: ca, MaxBytes: 1 << 20}, c.kind, c.text)
		})
	}
	if f := fetchOK(t, room(t), channel.TaskfileRequest{URL: s.URL + "/gzip", CACert: ca}); string(f.Body) != content {
		t.Errorf("got %q", f.Body)
	}
	if f := fetchOK(t, room(t), channel.TaskfileRequest{URL: s.URL + "/exact", CACert: ca, MaxBytes: 1 << 20}); len(f.Body) != 1<<20 {
		t.Errorf("got %d bytes", len(f.Body))
	}
}

// TestNotHTTP: what answers may be anything.
func TestNotHTTP(t *testing.T) {
	for name, answer := range map[string]string{
		"nothing":       "",
		"text":          "hello, who are you?\r\n",
		"only a status": "HTTP/1.1 200 OK\r\n",
		"bad header":    "HTTP/1.1 200 OK\r\n: x\r\n\r\n",
		"two lengths":   "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
		"long header":   "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 1<<20) + "\r\n\r\n",
		"bad chunk":     "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			var wg sync.WaitGroup
			wg.Go(func() {
				for {
					c, err := l.Accept()
					if err != nil {
						return
					}
					c.Read(make([]byte, 4096))
					c.Write([]byte(answer))
					c.Close()
				}
			})
			defer wg.Wait()
			defer l.Close()
			fetchError(t, room(t), channel.TaskfileRequest{URL: "http://" + l.Addr().String(), Insecure: true}, channel.Unreachable, "")
		})
	}
}

func TestUnreachable(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	e := fetchError(t, room(t), channel.TaskfileRequest{URL: "https://me:secret@" + l.Addr().String() + "/?token=geheim"}, channel.Unreachable, "")
	if strings.Contains(e.Text, "secret") || strings.Contains(e.Text, "geheim") {
		t.Errorf("a secret is in %q", e.Text)
	}
	fetchError(t, room(t), channel.TaskfileRequest{URL: "Taskfile.yml"}, channel.Invalid, "not the URL")
	fetchError(t, room(t), channel.TaskfileRequest{URL: "https://h/r.git?ref=--upload-pack=x"}, channel.Invalid, "dash")
}

// TestSlow: neither the head nor the rest of an answer may take longer than the
// time-out; a context that is done ends it as well.
func TestSlow(t *testing.T) {
	over := make(chan struct{})
	s, ca := server(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/body" {
			text(w, content)
			w.(http.Flusher).Flush()
		}
		select {
		case <-r.Context().Done():
		case <-over:
		}
	})
	defer close(over)
	for _, path := range []string{"/head", "/body"} {
		q := channel.TaskfileRequest{URL: s.URL + path, CACert: ca, Timeout: 100 * time.Millisecond}
		fetchError(t, room(t), q, channel.TimedOut, "within 100ms")
		cause := errors.New("enough")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(50*time.Millisecond, func() { cancel(cause) })
		q.Timeout = 0
		if _, err := room(t).Taskfile(ctx, &q); err != cause {
			t.Errorf("%s: got %v", path, err)
		}
	}
}

// TestSideBySide: eight files of one host at a time, and the wait for a turn is
// no part of the time-out.
func TestSideBySide(t *testing.T) {
	var now, most atomic.Int32
	full := make(chan struct{})
	s, ca := server(t, func(w http.ResponseWriter, r *http.Request) {
		n := now.Add(1)
		defer now.Add(-1)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
		if n == perHost {
			select {
			case <-full:
			default:
				close(full)
			}
		}
		select {
		case <-full:
		case <-r.Context().Done():
		}
		text(w, r.URL.Path)
	})
	r := room(t)
	var wg sync.WaitGroup
	for i := range 5 * perHost {
		wg.Go(func() {
			q := channel.TaskfileRequest{URL: fmt.Sprintf("%s/%d", s.URL, i), CACert: ca, Timeout: time.Minute}
			f, err := r.Taskfile(context.Background(), &q)
			if err != nil || string(f.Body) != "/"+strconv.Itoa(i) {
				t.Errorf("%d: %v, %v", i, f, err)
			}
		})
	}
	wg.Wait()
	if most.Load() != perHost {
		t.Errorf("%d at a time", most.Load())
	}
}

func TestTurnsOfHosts(t *testing.T) {
	turns := hostLimiter{slots: map[string]chan struct{}{}}
	var leaves []func()
	for range perHost {
		leave, err := turns.acquire(t.Context(), "a")
		if err != nil {
			t.Fatal(err)
		}
		leaves = append(leaves, leave)
	}
	if _, err := turns.acquire(t.Context(), "b"); err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := turns.acquire(ctx, "a"); err == nil {
		t.Error("one more came in")
	}
	leaves[0]()
	if _, err := turns.acquire(t.Context(), "a"); err != nil {
		t.Error(err)
	}
}

func TestIsToken(t *testing.T) {
	for _, s := range []string{"A", "x-y_z.1", "!#$%&'*+-.^_`|~"} {
		if !isToken(s) {
			t.Errorf("%q is one", s)
		}
	}
	for _, s := range []string{"", " ", "a b", "a:b", "a\n", "ä", "a(", "\x00"} {
		if isToken(s) {
			t.Errorf("%q is none", s)
		}
	}
	if !slices.Contains(contentTypes[:], "text/yaml") {
		t.Error("text/yaml is missing")
	}
}

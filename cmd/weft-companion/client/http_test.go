package client

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/weftrun/weft/engine/cache"
	"github.com/weftrun/weft/engine/channel"
)

// website is a plain server of the HTTP cache protocol, which keeps what it is given unseen.
type website struct {
	*httptest.Server
	// before answers a request, if it returns true. n counts requests with this method and kind.
	before func(w http.ResponseWriter, q *http.Request, n int) bool

	mu    sync.Mutex // guards the fields below
	files map[string][]byte
	calls map[string]int // by "GET cas"
	seen  []http.Header
}

func newWebsite(t testing.TB, before func(http.ResponseWriter, *http.Request, int) bool) *website {
	s := &website{before: before, files: map[string][]byte{}, calls: map[string]int{}}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

func (s *website) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	parts := strings.Split(q.URL.Path, "/")
	call := q.Method + " " + parts[max(0, len(parts)-2)]
	s.mu.Lock()
	s.calls[call]++
	n := s.calls[call]
	s.seen = append(s.seen, q.Header.Clone())
	s.mu.Unlock()
	if s.before != nil && s.before(w, q, n) {
		return
	}
	switch q.Method {
	case http.MethodPut:
		b, err := io.ReadAll(q.Body)
		if err != nil || q.ContentLength != int64(len(b)) || q.Header.Get("Content-Encoding") != "" {
			http.Error(w, "bad", http.StatusBadRequest)
			return
		}
		s.mu.Lock()
		s.files[q.URL.Path] = b
		s.mu.Unlock()
		w.WriteHeader(http.StatusCreated)
	default:
		s.mu.Lock()
		b, ok := s.files[q.URL.Path]
		s.mu.Unlock()
		if !ok {
			http.NotFound(w, q)
			return
		}
		w.Header().Set("Content-Length", fmt.Sprint(len(b)))
		w.Write(b)
	}
}

func (s *website) count(call string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls[call]
}

// TestPlainWebsite stores and fetches with a server that does only what it must.
func TestPlainWebsite(t *testing.T) {
	for _, head := range []int{http.StatusOK, http.StatusMethodNotAllowed, http.StatusNotImplemented} {
		t.Run(fmt.Sprint(head), func(t *testing.T) {
			s := newWebsite(t, func(w http.ResponseWriter, q *http.Request, _ int) bool {
				if q.Method == http.MethodHead && head != http.StatusOK {
					w.WriteHeader(head)
					return true
				}
				return false
			})
			a, b := newMachine(t), newMachine(t)
			for _, m := range []*machine{a, b} {
				if c := m.connect(s.URL + "/base/"); c.Off != "" || c.API != "HTTP" || c.MaxBatch != 0 || !c.Writes || c.Zstd {
					t.Fatalf("got %+v", c)
				}
			}
			one := a.save("one", []byte("x"), bytesOf("one", 100_000), bytesOf("two", 200_000), nil)
			a.push(one)
			b.wantAll(one)
			two := a.save("two", bytesOf("one", 100_000), bytesOf("two", 200_000))
			a.push(two)
			if n := s.count("PUT cas"); n > 9 { // two Actions, two Commands, two logs, three outputs
				t.Errorf("%d uploads", n)
			}
			c := newMachine(t)
			c.connect(s.URL + "/base/")
			heads := s.count("HEAD cas")
			c.push(c.save("three", bytesOf("one", 100_000), bytesOf("two", 200_000)))
			switch heads = s.count("HEAD cas") - heads; {
			case head == http.StatusOK && heads != 2, head != http.StatusOK && heads != 1:
				t.Errorf("%d heads", heads)
			}
			s.mu.Lock()
			defer s.mu.Unlock()
			for path := range s.files {
				if !strings.HasPrefix(path, "/base/ac/") && !strings.HasPrefix(path, "/base/cas/") {
					t.Errorf("wrote %s", path)
				}
			}
		})
	}
}

// TestStatuses has each request fail with each status.
func TestStatuses(t *testing.T) {
	for _, c := range []struct {
		method string // and kind
		status int
		times  int
		want   int // attempts
		ok     bool
		warns  string
	}{
		{"GET ac", 503, 2, 3, true, ""},
		{"GET ac", 500, 9, 3, false, ""},
		{"GET ac", 429, 2, 3, true, ""},
		{"GET ac", 408, 2, 3, true, ""},
		{"GET ac", 404, 9, 1, false, ""},
		{"GET ac", 401, 9, 1, false, "HOST refuses access (401 Unauthorized: why): going on without it"},
		{"GET ac", 403, 9, 1, false, "HOST refuses access (403 Forbidden: why): going on without it"},
		{"GET ac", 400, 9, 1, false, ""},
		{"GET ac", 302, 9, 1, false, ""},
		{"GET ac", 206, 9, 1, false, ""},
		{"GET cas", 404, 9, 3, false, ""},
		{"GET cas", 502, 2, 4, true, ""},
		{"PUT ac", 503, 2, 3, true, ""},
		{"PUT ac", 500, 9, 3, false, ""},
		{"PUT ac", 403, 9, 1, false, "HOST does not accept writes from here (403 Forbidden: why): reading only"},
		{"PUT ac", 405, 9, 1, false, "HOST does not accept writes from here (405 Method Not Allowed: why): reading only"},
		{"PUT ac", 507, 9, 1, false, "HOST is full (507 Insufficient Storage: why): not everything is stored"},
		{"PUT ac", 413, 9, 1, false, "HOST is full (413 Request Entity Too Large: why): not everything is stored"},
		{"PUT ac", 418, 9, 1, false, `HOST does not store the result of "build" (418 I'm a teapot: why)`},
	} {
		t.Run(fmt.Sprint(c.method, c.status), func(t *testing.T) {
			s := newWebsite(t, func(w http.ResponseWriter, q *http.Request, n int) bool {
				if strings.HasPrefix(c.method, q.Method) && strings.Contains(q.URL.Path, "/"+c.method[4:]+"/") && n <= c.times {
					http.Error(w, "why\nand more", c.status)
					return true
				}
				return false
			})
			m := newMachine(t)
			m.connect(s.URL)
			one := m.save("one", []byte("x"))
			if c.method == "PUT ac" {
				m.store(one)
				if ok := m.flush().Pushed == 1; ok != c.ok {
					t.Errorf("stored: %v", ok)
				}
			} else {
				keep := func(kind string, b []byte, d cache.Digest) { s.files["/"+kind+"/"+d.Hex()] = b }
				keep("ac", one.result, one.action)
				keep("cas", []byte("x"), one.blobs[0])
				keep("cas", []byte("log of one"), one.blobs[1])
				other := newMachine(t)
				other.connect(s.URL)
				f := other.lookup(one.action)
				ok := f.Lookup == channel.Hit
				if ok {
					a := other.fetch(one.blobs...)
					ok = len(a.Missing) == 0 && a.Problem == ""
					if c.status == 404 && !slices.Contains(a.Missing, channel.Blob(one.blobs[0])) {
						t.Errorf("got %+v", a)
					}
				}
				if ok != c.ok || c.warns != "" && other.lookup(one.action).Lookup != channel.Off {
					t.Errorf("found: %v, %+v", ok, f)
				}
				m.said = other.said
			}
			n := s.count(c.method)
			if c.method == "GET cas" && c.status == 404 {
				n++
			}
			if n != c.want {
				t.Errorf("%d attempts, want %d", n, c.want)
			}
			var want []string
			if c.warns != "" {
				want = []string{strings.ReplaceAll(c.warns, "HOST", strings.TrimPrefix(s.URL, "http://"))}
			}
			if !slices.Equal(m.said, want) {
				t.Errorf("got %q, want %q", m.said, want)
			}
		})
	}
}

// TestHTTPLies: what a web server sends is verified.
func TestHTTPLies(t *testing.T) {
	content := bytesOf("right", 300_000)
	blob := cache.DigestOf(content)
	for name, answer := range map[string]func(w http.ResponseWriter){
		"short":      func(w http.ResponseWriter) { w.Write(content[1:]) },
		"long":       func(w http.ResponseWriter) { w.Write(content); w.Write(make([]byte, 16<<20)) },
		"other":      func(w http.ResponseWriter) { w.Write(bytesOf("wrong", 300_000)) },
		"unasked":    func(w http.ResponseWriter) { w.Header().Set("Content-Encoding", "zstd"); w.Write(packBytes(content)) },
		"compressed": func(w http.ResponseWriter) { w.Header().Set("Content-Encoding", "gzip"); w.Write(content) },
		"broken": func(w http.ResponseWriter) {
			w.Header().Set("Content-Length", "300000")
			w.Write(content[:1000])
		},
	} {
		for _, always := range []bool{false, true} {
			t.Run(fmt.Sprint(name, always), func(t *testing.T) {
				s := newWebsite(t, func(w http.ResponseWriter, q *http.Request, n int) bool {
					if q.Method != http.MethodGet || n > 1 && !always {
						return false
					}
					answer(w)
					return true
				})
				s.files["/cas/"+blob.Hex()] = content
				m := newMachine(t)
				m.connect(s.URL)
				a := m.fetch(blob)
				if ok := len(a.Missing) == 0 && a.Problem == ""; ok == always || m.disk.Has(blob) == always {
					t.Errorf("got %+v", a)
				}
				if !always {
					m.content(blob)
				}
			})
		}
	}
}

// TestZstdOverHTTP: beyond this machine blobs may come compressed, and are verified unpacked.
func TestZstdOverHTTP(t *testing.T) {
	content := bytesOf("packed", 300_000)
	blob := cache.DigestOf(content)
	for name, c := range map[string]struct {
		body []byte
		ok   bool
	}{"right": {packBytes(content), true}, "bomb": {packBytes(make([]byte, 16<<20)), false}, "noise": {content, false}} {
		s := newWebsite(t, func(w http.ResponseWriter, q *http.Request, _ int) bool {
			if q.Header.Get("Accept-Encoding") == "zstd" {
				w.Header().Set("Content-Encoding", "zstd")
				w.Write(c.body)
				return true
			}
			http.NotFound(w, q)
			return true
		})
		m := newMachine(t)
		m.connect(s.URL)
		m.all[0].cache.abilities.PackedStreams = true // as if it were elsewhere
		if a := m.fetch(blob); (len(a.Missing) == 0) != c.ok || a.Problem != "" {
			t.Errorf("%s: got %+v", name, a)
		}
	}
}

// TestRedirects: they are followed, a few times, and credentials stay with the host that they are
// for.
func TestRedirects(t *testing.T) {
	content := []byte("behind a redirect")
	blob := cache.DigestOf(content)
	var got http.Header
	elsewhere := newWebsite(t, func(w http.ResponseWriter, q *http.Request, _ int) bool {
		got = q.Header.Clone()
		return false
	})
	elsewhere.files["/x/cas/"+blob.Hex()] = content
	for _, c := range []struct {
		hops int
		ok   bool
	}{{1, true}, {3, true}, {4, false}} {
		var s *website
		s = newWebsite(t, func(w http.ResponseWriter, q *http.Request, n int) bool {
			to := elsewhere.URL + "/x" + q.URL.Path
			if n < c.hops {
				to = s.URL + q.URL.Path
			}
			http.Redirect(w, q, to, http.StatusTemporaryRedirect)
			return true
		})
		m := newMachine(t, "TOKEN=abcdef-secret")
		m.connect(s.URL, func(q *channel.ConnectRequest) {
			q.Headers = []channel.Header{{Name: "authorization", Value: "Bearer $TOKEN"}, {Name: "X-Team", Value: "secret team"}}
		})
		if a := m.fetch(blob); (len(a.Missing) == 0 && a.Problem == "") != c.ok {
			t.Errorf("%d redirects: %+v", c.hops, a)
		}
		s.mu.Lock()
		for _, h := range s.seen {
			if h.Get("Authorization") != "Bearer abcdef-secret" || h.Get("X-Team") != "secret team" {
				t.Errorf("got %v", h)
			}
		}
		s.mu.Unlock()
		if got.Get("Authorization") != "" || got.Get("X-Team") != "" || got.Get("Referer") != "" {
			t.Errorf("elsewhere: %v", got)
		}
	}
	// An upload that becomes a download was no upload.
	see := newWebsite(t, func(w http.ResponseWriter, q *http.Request, _ int) bool {
		http.Redirect(w, q, elsewhere.URL+"/x/cas/"+blob.Hex(), http.StatusSeeOther)
		return q.Method == http.MethodPut
	})
	m := newMachine(t)
	m.connect(see.URL)
	m.store(m.save("put", []byte("x")))
	if a := m.flush(); a.Pushed != 0 {
		t.Errorf("stored: %+v", a)
	}
	plain := newWebsite(t, nil)
	secure := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		http.Redirect(w, q, plain.URL+q.URL.Path, http.StatusFound)
	}))
	defer secure.Close()
	m = newMachine(t)
	m.connect(secure.URL, func(q *channel.ConnectRequest) { q.CA = caFile(t, secure) })
	if a := m.fetch(blob); len(a.Missing) == 0 && a.Problem == "" || plain.count("GET cas") > 0 {
		t.Errorf("got %+v", a)
	}
}

// TestHTTPChangedFile: a blob whose file was changed is not stored under its old name.
func TestHTTPChangedFile(t *testing.T) {
	s := newWebsite(t, nil)
	m := newMachine(t)
	m.connect(s.URL)
	content := bytesOf("changed", 100_000)
	one := m.save("one", content)
	tamper(t, m.dir, one.blobs[0], bytes.Repeat([]byte("?"), len(content)))
	m.store(one)
	if a := m.flush(); a.Pushed != 0 || s.count("PUT ac") != 0 {
		t.Errorf("got %+v", a)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for path := range s.files {
		if strings.Contains(path, one.blobs[0].Hex()) {
			t.Error("it was stored")
		}
	}
}

package remotefile

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/weftrun/weft/engine/channel"
	"github.com/weftrun/weft/internal/taskurl"
	"github.com/weftrun/weft/schema"
	"github.com/weftrun/weft/schema/diag"
)

// world is a user with directories, a network, and prepared answers.
type world struct {
	t       *testing.T
	o       Options
	now     time.Time
	answers []string // to questions; a question without one fails the test

	mu       sync.Mutex     // guards the fields below
	web      map[string]any // URL → content (string) or error
	asked    []string
	said     []string
	warned   []string
	requests []channel.TaskfileRequest
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, web: map[string]any{}, now: time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)}
	home := t.TempDir()
	w.o = Options{
		Timeout: 10 * time.Second, CacheHome: filepath.Join(home, "cache"), StateHome: filepath.Join(home, "state"),
		Now:   func() time.Time { return w.now },
		Fetch: w.fetch,
		Ask: func(_ context.Context, question, choices string) (string, error) {
			w.asked = append(w.asked, question)
			if len(w.answers) == 0 {
				t.Errorf("asked without need: %s [%s]", question, choices)
				return "", errors.New("nobody answers")
			}
			answer := w.answers[0]
			w.answers = w.answers[1:]
			return answer, nil
		},
		Print: func(text string) { w.said = append(w.said, text) },
		Warn: func(d *diag.Diagnostic) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.warned = append(w.warned, d.Error())
		},
	}
	return w
}

func (w *world) fetch(_ context.Context, r *channel.TaskfileRequest) (*channel.Taskfile, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.requests = append(w.requests, *r)
	switch v := w.web[r.URL].(type) {
	case nil:
		return nil, &channel.Error{Kind: channel.NotFound, Status: 404}
	case string:
		etag := `"` + Checksum(v)[:8] + `"`
		if r.ETag == etag {
			return &channel.Taskfile{URL: r.URL, ETag: etag, NotModified: true}, nil
		}
		return &channel.Taskfile{Body: []byte(v), URL: r.URL, ETag: etag}, nil
	case channel.Taskfile:
		return &v, nil
	case *channel.Error:
		if v.Kind == channel.Redirect {
			if to, err := taskurl.Parse(v.URL); err == nil && slices.Contains(r.RedirectHosts, to.Host()) {
				return &channel.Taskfile{Body: []byte(w.web[v.URL].(string)), URL: v.URL}, nil
			}
		}
		return nil, v
	case error:
		return nil, v
	}
	panic("no such answer")
}

// open opens URLs as one run does.
func (w *world) open(urls ...string) []schema.RemoteContent {
	w.t.Helper()
	files := make([]schema.RemoteFile, len(urls))
	for i, text := range urls {
		text, sum, _ := strings.Cut(text, " ")
		u, err := taskurl.Parse(text)
		if err != nil {
			w.t.Fatal(err)
		}
		files[i] = schema.RemoteFile{URL: u, Pos: diag.Pos{File: &diag.File{Path: "/p/Taskfile.yml"}, Line: 3}}
		if sum != "" {
			files[i].Checksums = []string{sum}
		}
	}
	w.asked, w.said, w.warned, w.requests = nil, nil, nil, nil
	return New(w.o).Open(w.t.Context(), w.t.TempDir(), files)
}

// got fails unless a file was opened with that content.
func (w *world) got(c schema.RemoteContent, want string) {
	w.t.Helper()
	if c.Problem != nil || c.Source != want {
		w.t.Fatalf("got %q, %v; want %q", c.Source, c.Problem, want)
	}
}

// refused fails unless a file was not opened, for a reason of that kind.
func (w *world) refused(c schema.RemoteContent, kind diag.Kind, text string) {
	w.t.Helper()
	if c.Problem == nil || c.Problem.Kind != kind || !strings.Contains(c.Problem.Error(), text) {
		w.t.Fatalf("got %q, %v; want a problem of kind %d with %q", c.Source, c.Problem, kind, text)
	}
}

const (
	a = "https://example.com/a.yml"
	b = "https://example.com/b.yml"
)

func TestConsent(t *testing.T) {
	w := newWorld(t)
	w.web[a], w.web[b] = "A", "B"

	// All new files are in one question, in order.
	w.answers = []string{"y"}
	cs := w.open(b, a)
	w.got(cs[0], "B")
	w.got(cs[1], "A")
	if len(w.asked) != 1 || strings.Index(w.asked[0], b) > strings.Index(w.asked[0], a) || !strings.Contains(w.asked[0], "new") {
		t.Fatalf("asked %q", w.asked)
	}
	// The consent is recorded.
	w.got(w.open(a)[0], "A")
	// Changed content needs consent again, and is shown as a difference.
	w.web[a] = "A\nrm -rf /\n"
	w.answers = []string{"d", "n"}
	w.refused(w.open(a)[0], diag.NotTrusted, "checksum: "+Checksum("A\nrm -rf /\n"))
	if len(w.asked) != 2 || !strings.Contains(w.asked[0], "changed since") || len(w.said) != 1 || !strings.Contains(w.said[0], "+rm -rf /") {
		t.Fatalf("asked %q, said %q", w.asked, w.said)
	}
	// Refused content is not stored.
	w.o.Offline = true
	w.got(w.open(a)[0], "A")
	w.o.Offline = false
	// Without a user the answer is no.
	w.o.Ask = nil
	w.refused(w.open(a)[0], diag.NotTrusted, "no terminal")
	// Consent in advance is recorded like any other.
	w.o.AssumeYes = true
	w.got(w.open(a)[0], "A\nrm -rf /\n")
	if len(w.said) != 1 || !strings.HasSuffix(w.said[0], " [assuming yes]\n") {
		t.Fatalf("said %q", w.said)
	}
	w.o.AssumeYes = false
	w.got(w.open(a)[0], "A\nrm -rf /\n")
}

func TestConsentIsTheUsersOwn(t *testing.T) {
	w := newWorld(t)
	w.web[a] = "A"
	// A cache in a project, even with checksums, is not consent.
	w.o.CacheDir = t.TempDir()
	w.answers = []string{"y"}
	w.got(w.open(a)[0], "A")
	w.o.StateHome = t.TempDir()
	w.o.Ask, w.o.Offline = nil, true
	w.refused(w.open(a)[0], diag.NotTrusted, "")
	w.o.Offline, w.o.Expiry = false, time.Hour
	w.refused(w.open(a)[0], diag.NotTrusted, "")
	if len(w.requests) != 0 {
		t.Errorf("a fresh copy was fetched: %v", w.requests)
	}
}

func TestConsentFileOfOthers(t *testing.T) {
	w := newWorld(t)
	w.web[a] = "A"
	w.answers = []string{"y"}
	w.got(w.open(a)[0], "A")
	path := filepath.Join(w.o.StateHome, "weft", trustFile)
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("%v, %v", info, err)
	}
	for name, spoil := range map[string]func() error{
		"writable": func() error { return os.Chmod(path, 0o666) },
		"link": func() error {
			return errors.Join(os.Rename(path, path+".real"), os.Symlink(path+".real", path))
		},
	} {
		t.Run(name, func(t *testing.T) {
			if err := spoil(); err != nil {
				t.Fatal(err)
			}
			w.answers = []string{"n"}
			w.refused(w.open(a)[0], diag.NotTrusted, "")
			if len(w.warned) != 1 || !strings.Contains(w.warned[0], path) {
				t.Errorf("warned %q", w.warned)
			}
			if os.Rename(path+".real", path) != nil {
				os.Chmod(path, 0o600)
			}
		})
	}
	// Without a place to record it, consent is needed each time.
	w.o.StateHome = ""
	for range 2 {
		w.answers = []string{"y"}
		w.got(w.open(a)[0], "A")
	}
}

func TestNoQuestion(t *testing.T) {
	w := newWorld(t)
	w.web[a], w.web["https://example.com:8443/a.yml"] = "A", "A8443"
	w.got(w.open(a + " " + Checksum("A"))[0], "A")
	// A wrong checksum is reported by the loader; the file is not kept.
	w.web[a] = "A2"
	w.got(w.open(a + " " + Checksum("A"))[0], "A2")
	w.o.Offline = true
	w.got(w.open(a + " " + Checksum("A"))[0], "A")
	w.o.Offline = false
	// A host is trusted with its port, or without.
	w.o.TrustedHosts = []string{"example.com:8443"}
	w.got(w.open("https://example.com:8443/a.yml")[0], "A8443")
	w.answers = []string{""}
	w.refused(w.open(a)[0], diag.NotTrusted, "")
}

func TestCopies(t *testing.T) {
	w := newWorld(t)
	w.web[a] = "A"
	w.o.TrustedHosts = []string{"example.com"}
	w.got(w.open(a)[0], "A")
	// By default a request is sent each time, with the ETag of the copy.
	w.got(w.open(a)[0], "A")
	if len(w.requests) != 1 || w.requests[0].ETag == "" {
		t.Fatalf("requests %+v", w.requests)
	}
	// A young copy needs no server, an old one does, and so does --download.
	w.o.Expiry = time.Hour
	w.now = w.now.Add(59 * time.Minute)
	w.got(w.open(a)[0], "A")
	if len(w.requests) != 0 {
		t.Fatalf("requests %+v", w.requests)
	}
	w.web[a] = "A2"
	w.o.Download = true
	w.got(w.open(a)[0], "A2")
	w.o.Download = false
	w.now = w.now.Add(2 * time.Hour)
	w.web[a] = "A3"
	w.got(w.open(a)[0], "A3")
	// A copy from the future is not young.
	w.now = w.now.Add(-time.Hour)
	w.web[a] = "A4"
	w.got(w.open(a)[0], "A4")
	// Offline: the copy, whatever its age.
	w.o.Offline = true
	w.now = w.now.Add(1000 * time.Hour)
	w.got(w.open(a)[0], "A4")
	w.refused(w.open(b)[0], diag.NotCached, "--offline")
	// An incomplete copy is not used.
	names, _ := filepath.Glob(filepath.Join(w.o.CacheHome, "weft/remote/*.yaml"))
	if len(names) != 1 {
		t.Fatal(names)
	}
	os.WriteFile(names[0], []byte("A"), 0o600)
	w.refused(w.open(a)[0], diag.NotCached, "")
}

// "Not modified" is an error for a copy that no longer exists, and for a request without an ETag.
func TestNotModifiedWithoutCopy(t *testing.T) {
	w := newWorld(t)
	w.web[a] = channel.Taskfile{NotModified: true}
	w.refused(w.open(a)[0], diag.FetchFailed, "copy")
}

func TestServerFails(t *testing.T) {
	w := newWorld(t)
	w.o.TrustedHosts = []string{"example.com"}
	for _, c := range []struct {
		err     error
		without diag.Kind // a problem of that kind if there is no copy
		copied  bool      // the copy is used if there is one
	}{
		{&channel.Error{Kind: channel.Unreachable, Text: "connection refused"}, diag.FetchFailed, true},
		{&channel.Error{Kind: channel.TimedOut}, diag.FetchTimedOut, true},
		{&channel.Error{Kind: channel.BadStatus, Status: 503, Text: "503 Service Unavailable"}, diag.FetchFailed, true},
		{fmt.Errorf("weft-companion is not installed"), diag.FetchFailed, true},
		{&channel.Error{Kind: channel.BadStatus, Status: 403, Text: "403 Forbidden"}, diag.FetchFailed, false},
		{&channel.Error{Kind: channel.Unauthorized, Status: 401, Text: "401 Unauthorized"}, diag.FetchFailed, false},
		{&channel.Error{Kind: channel.NotFound, Status: 404}, diag.NotFound, false},
		{&channel.Error{Kind: channel.Insecure}, diag.NotSecure, false},
		{&channel.Error{Kind: channel.TooLarge, Text: "more than 4 MiB"}, diag.FetchFailed, false},
		{&channel.Error{Kind: channel.BadType, Text: "text/html"}, diag.NotFound, false},
		{&channel.Error{Kind: channel.Certificate, Text: "signed by unknown authority"}, diag.FetchFailed, false},
		{&channel.Error{Kind: channel.Git, Text: "fatal: no such ref"}, diag.FetchFailed, false},
		{&channel.Error{Kind: channel.Redirect, Text: "redirected too often"}, diag.FetchFailed, false},
	} {
		os.RemoveAll(w.o.CacheHome)
		w.web[a] = c.err
		w.refused(w.open(a)[0], c.without, "")
		w.web[a] = "A"
		w.got(w.open(a)[0], "A")
		w.now = w.now.Add(50 * time.Hour)
		w.web[a] = c.err
		got := w.open(a)[0]
		if !c.copied {
			w.refused(got, c.without, "")
			continue
		}
		w.got(got, "A")
		if len(w.warned) != 1 || !strings.Contains(w.warned[0], "2 days ago") {
			t.Errorf("%v: warned %q", c.err, w.warned)
		}
	}
}

func TestOptionalIsAbsenceOnly(t *testing.T) {
	w := newWorld(t)
	if c := w.open(a)[0]; !c.Absent || c.Problem == nil {
		t.Errorf("a file that is not there: %+v", c)
	}
	w.web[a] = &channel.Error{Kind: channel.Unreachable}
	if c := w.open(a)[0]; c.Absent {
		t.Errorf("a server that is not there: %+v", c)
	}
}

func TestRedirect(t *testing.T) {
	w := newWorld(t)
	to := "https://u:secret@cdn.example.net/a.yml"
	w.web[a] = &channel.Error{Kind: channel.Redirect, URL: to}
	w.web[to] = "A"
	w.answers = []string{"y", "y"} // to the redirect, and to the file
	w.got(w.open(a)[0], "A")
	if len(w.asked) != 2 || !strings.Contains(w.asked[0], a) || !strings.Contains(w.asked[0], "cdn.example.net") || strings.Contains(w.asked[0], "secret") {
		t.Fatalf("asked %q", w.asked)
	}
	w.got(w.open(a)[0], "A") // remembered
	w.o.StateHome = ""
	w.answers = []string{"n"}
	w.refused(w.open(a)[0], diag.NotTrusted, "cdn.example.net")
	// The content is the pinned one, whoever sends it.
	w.got(w.open(a + " " + Checksum("A"))[0], "A")
}

func TestInsecure(t *testing.T) {
	w := newWorld(t)
	for _, u := range []string{"http://example.com/a.yml", "http://example.com/r.git//a.yml", "git://example.com/r.git"} {
		w.refused(w.open(u)[0], diag.NotSecure, "--insecure")
	}
	if len(w.requests) != 0 {
		t.Errorf("asked for %v", w.requests)
	}
	w.web["http://example.com/a.yml"] = "A"
	w.o.Insecure = true
	w.answers = []string{"y"}
	w.got(w.open("http://example.com/a.yml")[0], "A")
}

func TestCopiesOnly(t *testing.T) {
	w := newWorld(t)
	w.web[a] = "A"
	w.o.CopiesOnly = true
	if c := w.open(a)[0]; c.Problem == nil || c.Problem.Severity == diag.Error {
		t.Fatalf("no hint: %+v", c)
	}
	w.o.CopiesOnly = false
	w.answers = []string{"y"}
	w.open(a)
	w.o.CopiesOnly = true
	w.got(w.open(a)[0], "A")
	if len(w.requests) != 0 {
		t.Errorf("fetched %v", w.requests)
	}
}

// The state after two concurrent runs contains the consent of both.
func TestTwoAtOnce(t *testing.T) {
	w := newWorld(t)
	w.o.AssumeYes, w.o.Print = true, func(string) {}
	var urls []string
	for i := range 20 {
		u := fmt.Sprintf("https://example.com/%d.yml", i)
		w.web[u] = fmt.Sprint(i)
		urls = append(urls, u)
	}
	var wg sync.WaitGroup
	for _, text := range urls {
		u, _ := taskurl.Parse(text)
		wg.Go(func() { New(w.o).Open(t.Context(), "/p", []schema.RemoteFile{{URL: u}}) })
	}
	wg.Wait()
	w.o.AssumeYes, w.o.Ask = false, nil
	for i, c := range w.open(urls...) {
		w.got(c, fmt.Sprint(i))
	}
}

func TestCommitIsFetchedOnce(t *testing.T) {
	w := newWorld(t)
	u := "https://example.com/r.git//a.yml?ref=" + strings.Repeat("0a", 20)
	w.web[u] = "A"
	w.answers = []string{"y"}
	w.got(w.open(u)[0], "A")
	w.got(w.open(u)[0], "A")
	if len(w.requests) != 0 {
		t.Errorf("fetched again: %v", w.requests)
	}
}

func TestFoundInDirectory(t *testing.T) {
	w := newWorld(t)
	u := "https://example.com/r.git//d"
	w.web[u] = channel.Taskfile{Body: []byte("A"), Name: "Taskfile.yml", ETag: "c0ffee"}
	w.answers = []string{"y"}
	c := w.open(u)[0]
	w.got(c, "A")
	if c.Found == nil || c.Found.Path != "d/Taskfile.yml" {
		t.Fatalf("found at %v", c.Found)
	}
	w.o.Offline = true
	if c := w.open(u)[0]; c.Found == nil || c.Found.Path != "d/Taskfile.yml" {
		t.Fatalf("the copy does not know where it was found: %+v", c)
	}
}

func TestClear(t *testing.T) {
	w := newWorld(t)
	w.o.CacheDir = t.TempDir()
	w.web[a] = "A"
	w.answers = []string{"y"}
	w.open(a)
	dir := filepath.Join(w.o.CacheDir, "remote")
	precious := filepath.Join(dir, "thesis.yaml")
	os.WriteFile(precious, nil, 0o600)
	if err := New(w.o).Clear("/p"); err != nil {
		t.Fatal(err)
	}
	names, _ := filepath.Glob(filepath.Join(dir, "*"))
	if len(names) != 1 || names[0] != precious {
		t.Errorf("left: %v", names)
	}
	if err := New(w.o).Clear("/p"); err != nil {
		t.Error(err)
	}
}

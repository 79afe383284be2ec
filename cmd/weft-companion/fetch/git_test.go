package fetch

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/weftrun/weft/engine/channel"
)

// repository makes a bare repository, DIR/r.git, of the files in a tree that
// build lays out, and returns DIR and the hash of the commit.
func repository(t *testing.T, build func(g func(args ...string), dir string)) (dir, commit string) {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("there is no git")
	}
	dir = t.TempDir()
	work := filepath.Join(dir, "work")
	g := func(args ...string) { runGit(t, work, args...) }
	os.Mkdir(work, 0o777)
	g("init", "-q", "-b", "main")
	build(g, work)
	g("add", "-A")
	g("commit", "-q", "--allow-empty", "-m", "first")
	g("clone", "-q", "--bare", work, filepath.Join(dir, "r.git"))
	runGit(t, filepath.Join(dir, "r.git"), "config", "http.uploadpack", "true")
	return dir, strings.TrimSpace(runGit(t, work, "rev-parse", "HEAD"))
}

func runGit(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_NOSYSTEM=1",
		"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.com", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.com")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("git %s: %v\n%s", args, err, out)
	}
	return string(out)
}

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	path := filepath.Join(dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
}

// gitServer serves the repositories in dir by HTTPS as git itself does; first, if
// not nil, may answer instead, and then returns true. fetches counts the fetches.
func gitServer(t *testing.T, dir string, first func(http.ResponseWriter, *http.Request) bool) (s *httptest.Server, ca string, fetches *atomic.Int32) {
	t.Helper()
	out, err := exec.Command("git", "--exec-path").Output()
	backend := filepath.Join(strings.TrimSpace(string(out)), "git-http-backend")
	if _, serr := os.Stat(backend); err != nil || serr != nil {
		t.Skip("there is no git-http-backend")
	}
	h := &cgi.Handler{Path: backend, Env: []string{"GIT_PROJECT_ROOT=" + dir, "GIT_HTTP_EXPORT_ALL=1"}, Logger: quiet(), Stderr: io.Discard}
	fetches = new(atomic.Int32)
	s, ca = server(t, func(w http.ResponseWriter, r *http.Request) {
		if first != nil && first(w, r) {
			return
		}
		if strings.HasSuffix(r.URL.Path, "/info/refs") {
			fetches.Add(1)
		}
		own := *h
		own.Env = slices.Clone(h.Env)
		if v := r.Header.Get("Git-Protocol"); v != "" {
			own.Env = append(own.Env, "GIT_PROTOCOL="+v)
		}
		own.ServeHTTP(w, r)
	})
	return s, ca, fetches
}

// gitRoom returns a Room whose git is the machine's with no one's settings.
func gitRoom(t *testing.T, environ ...string) *Room {
	t.Helper()
	return room(t, append([]string{"GIT_CONFIG_GLOBAL=" + os.DevNull, "GIT_CONFIG_NOSYSTEM=1", "HOME=" + t.TempDir()}, environ...)...)
}

func TestGit(t *testing.T) {
	dir, commit := repository(t, func(g func(...string), work string) {
		write(t, work, "Taskfile.yml", content)
		write(t, work, "d/e/any name.yml", "# any\n"+content)
		write(t, work, "d/taskfile.yml", "# d\n"+content)
		g("add", "-A")
		g("commit", "-q", "-m", "zeroth")
		g("tag", "-a", "v1", "-m", "a tag with a message")
		g("checkout", "-q", "-b", "feature/x")
		write(t, work, "Taskfile.yml", "# feature\n"+content)
		g("add", "-A")
		g("commit", "-q", "-m", "feature")
		g("checkout", "-q", "main")
	})
	s, ca, fetches := gitServer(t, dir, nil)
	r := gitRoom(t)
	for _, c := range []struct{ place, body, at, name string }{
		{"", content, "//Taskfile.yml", "Taskfile.yml"},
		{"//", content, "//Taskfile.yml", "Taskfile.yml"},
		{"//Taskfile.yml", content, "//Taskfile.yml", ""},
		{"//./Taskfile.yml", content, "//./Taskfile.yml", ""},
		{"//d", "# d\n" + content, "//d/taskfile.yml", "taskfile.yml"},
		{"//d/", "# d\n" + content, "//d/taskfile.yml", "taskfile.yml"},
		{"//d/e/any%20name.yml", "# any\n" + content, "//d/e/any%20name.yml", ""},
		{"?ref=main", content, "//Taskfile.yml?ref=main", "Taskfile.yml"},
		{"?ref=v1", content, "//Taskfile.yml?ref=v1", "Taskfile.yml"},
		{"?ref=refs/heads/main", content, "//Taskfile.yml?ref=refs/heads/main", "Taskfile.yml"},
		{"//Taskfile.yml?ref=feature/x", "# feature\n" + content, "//Taskfile.yml?ref=feature/x", ""},
		{"//Taskfile.yml?ref=" + commit, content, "//Taskfile.yml?ref=" + commit, ""},
	} {
		f := fetchOK(t, r, channel.TaskfileRequest{URL: s.URL + "/r.git" + c.place, CACert: ca, Names: names, Timeout: time.Minute})
		if string(f.Body) != c.body || f.URL != s.URL+"/r.git"+c.at || f.Name != c.name || len(f.Commit) != 40 || f.ETag != f.Commit {
			t.Errorf("%s: got %+v %s", c.place, f, f.Body)
		}
	}
	if n := fetches.Load(); n != 6 { // the default branch, four names, a commit
		t.Errorf("%d fetches", n)
	}
	f := fetchOK(t, r, channel.TaskfileRequest{URL: s.URL + "/r.git?ref=" + commit, CACert: ca, Names: names, ETag: commit})
	if !f.NotModified || f.Body != nil || f.Name != "Taskfile.yml" || f.Commit != commit {
		t.Errorf("got %+v", f)
	}
	for place, text := range map[string]string{"//nope.yml": "no such path", "//d/e": "no such path", "//Taskfile.yml/x": "no such path", "//nope/x": "no such path"} {
		fetchError(t, r, channel.TaskfileRequest{URL: s.URL + "/r.git" + place, CACert: ca, Names: names}, channel.NotFound, text)
	}
	fetchError(t, r, channel.TaskfileRequest{URL: s.URL + "/r.git?ref=nope", CACert: ca}, channel.Git, "couldn't find remote ref nope")
	fetchError(t, r, channel.TaskfileRequest{URL: s.URL + "/none.git", CACert: ca}, channel.Git, "not found")
	fetchError(t, r, channel.TaskfileRequest{URL: s.URL + "/r.git?ref=" + strings.Repeat("0123", 10), CACert: ca}, channel.Git, "not our ref")
	fetchError(t, r, channel.TaskfileRequest{URL: s.URL + "/r.git"}, channel.Certificate, "")
	fetchError(t, r, channel.TaskfileRequest{URL: s.URL + "/r.git", Insecure: true}, channel.Certificate, "")
	plain := httptest.NewServer(s.Config.Handler)
	defer plain.Close()
	fetchError(t, r, channel.TaskfileRequest{URL: plain.URL + "/r.git", Names: names}, channel.Insecure, "not be encrypted")
	fetchOK(t, r, channel.TaskfileRequest{URL: plain.URL + "/r.git", Names: names, Insecure: true})
	fetchError(t, r, channel.TaskfileRequest{URL: "git://127.0.0.1/r.git", Insecure: true}, channel.Insecure, "not encrypted")
}

// TestGitRefuses: what could lead out of the repository is neither followed nor
// read.
func TestGitRefuses(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	dir, _ := repository(t, func(g func(...string), work string) {
		write(t, work, "Taskfile.yml", content)
		write(t, work, "d/Taskfile.yml", content)
		write(t, work, "big.yml", strings.Repeat("x", 1<<20+1))
		write(t, work, "dir/Taskfile.yml/x", "")
		write(t, work, ".gitattributes", "* filter=evil\n")
		for name, to := range map[string]string{"link.yml": secret, "inside.yml": "Taskfile.yml", "linkdir": "d", "up": "../..", "l/Taskfile.yml": secret} {
			os.MkdirAll(filepath.Dir(filepath.Join(work, name)), 0o777)
			if err := os.Symlink(to, filepath.Join(work, name)); err != nil {
				t.Skip(err)
			}
		}
		os.Mkdir(filepath.Join(work, "sub"), 0o777)
		g("update-index", "--add", "--cacheinfo", "160000,0123456789012345678901234567890123456789,sub")
	})
	s, ca, _ := gitServer(t, dir, nil)
	r := gitRoom(t)
	for place, c := range map[string]struct {
		kind channel.Kind
		text string
	}{
		"//link.yml":           {channel.Git, `"link.yml" is a symbolic link`},
		"//inside.yml":         {channel.Git, "symbolic link"},
		"//linkdir/x.yml":      {channel.Git, `"linkdir" is a symbolic link`},
		"//up/secret":          {channel.Git, "symbolic link"},
		"//l":                  {channel.Git, `"Taskfile.yml" is a symbolic link`},
		"//dir":                {channel.Git, "is a directory"},
		"//sub":                {channel.Git, `"sub" is a submodule`},
		"//sub/Taskfile.yml":   {channel.Git, "submodule"},
		"//big.yml":            {channel.TooLarge, "more than 1 MiB"},
		"//../x.yml":           {channel.Invalid, "out of the repository"},
		"//d/../../x.yml":      {channel.Invalid, "out of the repository"},
		"//.git/config":        {channel.NotFound, ""},
		"//Taskfile.yml%0ax":   {channel.NotFound, ""},
		"//" + secret:          {channel.NotFound, ""},
		"?ref=--upload-pack=x": {channel.Invalid, "dash"},
		"?ref=a:b":             {channel.Invalid, "not the name"},
	} {
		e := fetchError(t, r, channel.TaskfileRequest{URL: s.URL + "/r.git" + place, CACert: ca, Names: names, MaxBytes: 1 << 20}, c.kind, c.text)
		if strings.Contains(e.Text, "secret\"") {
			t.Errorf("%s: %q", place, e.Text)
		}
	}
}

// TestGitLocal: no form of URL makes git read what is on this machine, or run a
// program.
func TestGitLocal(t *testing.T) {
	dir, _ := repository(t, func(_ func(...string), work string) { write(t, work, "Taskfile.yml", content) })
	path := filepath.Join(dir, "r.git")
	ran := filepath.Join(t.TempDir(), "ran")
	r := gitRoom(t, "GIT_ALLOW_PROTOCOL=file:ext:https", "GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=url."+path+".insteadOf", "GIT_CONFIG_VALUE_0=https://mine.example/r.git")
	for _, url := range []string{"file://" + path, path, "ext::sh -c touch% " + ran + "/r.git"} {
		fetchError(t, r, channel.TaskfileRequest{URL: url, Names: names, Insecure: true}, channel.Invalid, "not the URL")
	}
	fetchError(t, r, channel.TaskfileRequest{URL: "https://mine.example/r.git", Names: names}, channel.Git, "transport 'file' not allowed")
	if _, err := os.Stat(ran); err == nil {
		t.Error("a program was run")
	}
}

// TestGitOneFetch: all files of a repository at one ref come with one fetch, also
// when they are asked for at the same time.
func TestGitOneFetch(t *testing.T) {
	dir, _ := repository(t, func(_ func(...string), work string) {
		write(t, work, "Taskfile.yml", content)
		write(t, work, "d/Taskfile.yml", content)
	})
	s, ca, fetches := gitServer(t, dir, nil)
	r := gitRoom(t)
	var wg sync.WaitGroup
	for i := range 12 {
		wg.Go(func() {
			q := channel.TaskfileRequest{URL: s.URL + "/r.git//" + []string{"", "d"}[i%2], CACert: ca, Names: names}
			if f, err := r.Taskfile(context.Background(), &q); err != nil || string(f.Body) != content {
				t.Errorf("got %v, %v", f, err)
			}
		})
	}
	wg.Wait()
	if n := fetches.Load(); n != 1 {
		t.Errorf("%d fetches", n)
	}
}

// TestGitCommitIsKept: a commit is fetched once, for all runs; what the cache
// directory holds instead of it is not believed.
func TestGitCommitIsKept(t *testing.T) {
	dir, commit := repository(t, func(_ func(...string), work string) { write(t, work, "Taskfile.yml", content) })
	s, ca, fetches := gitServer(t, dir, nil)
	cache := t.TempDir()
	q := channel.TaskfileRequest{URL: s.URL + "/r.git?ref=" + strings.ToUpper(commit[:20]) + commit[20:], CACert: ca, Names: names}
	fetchAgain := func(want int32) {
		t.Helper()
		r := gitRoom(t)
		r.Hello(channel.Hello{CacheDir: cache})
		if f := fetchOK(t, r, q); string(f.Body) != content || f.Commit != commit {
			t.Errorf("got %+v", f)
		}
		r.Close()
		if n := fetches.Load(); n != want {
			t.Errorf("%d fetches, want %d", n, want)
		}
	}
	fetchAgain(1)
	fetchAgain(1)
	kept, err := filepath.Glob(filepath.Join(cache, "git", "*"))
	if err != nil || len(kept) != 1 {
		t.Fatalf("the cache holds %v", kept)
	}
	if err := os.RemoveAll(filepath.Join(kept[0], "objects")); err != nil {
		t.Fatal(err)
	}
	fetchAgain(2)
	fetchAgain(2)
	objects, err := filepath.Glob(filepath.Join(kept[0], "objects", "*", "*"))
	if err != nil || len(objects) == 0 {
		t.Fatalf("the cache holds no objects: %v", err)
	}
	for _, path := range objects { // all but the commit, which is all that is looked at first
		if !strings.Contains(strings.ReplaceAll(path, string(filepath.Separator), ""), commit) {
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
		}
	}
	fetchAgain(3)
	fetchAgain(3)
	if all, _ := filepath.Glob(filepath.Join(cache, "git", "*")); len(all) != 1 {
		t.Errorf("the cache holds %v", all)
	}
	// A directory that cannot be written to is done without.
	cache = filepath.Join(kept[0], "HEAD", "x")
	fetchAgain(4)
}

// TestGitCommitAtOnce: several wefts that fetch one commit do not get in each
// other's way.
func TestGitCommitAtOnce(t *testing.T) {
	dir, commit := repository(t, func(_ func(...string), work string) { write(t, work, "Taskfile.yml", content) })
	s, ca, _ := gitServer(t, dir, nil)
	cache := t.TempDir()
	var wg sync.WaitGroup
	var rooms []*Room
	for range 4 {
		r := gitRoom(t)
		rooms = append(rooms, r)
		r.Hello(channel.Hello{CacheDir: cache})
		wg.Go(func() {
			q := channel.TaskfileRequest{URL: s.URL + "/r.git?ref=" + commit, CACert: ca, Names: names}
			if f, err := r.Taskfile(context.Background(), &q); err != nil || string(f.Body) != content {
				t.Errorf("got %v, %v", f, err)
			}
		})
	}
	wg.Wait()
	for _, r := range rooms {
		r.Close()
	}
	if all, err := os.ReadDir(filepath.Join(cache, channel.CommitsDir)); err != nil || len(all) != 1 {
		t.Errorf("the cache holds %v, %v", all, err)
	}
}

// TestTempDirsAtOnce: directories that are made at the same time are not taken for ones
// that killed runs have left.
func TestTempDirsAtOnce(t *testing.T) {
	cache := t.TempDir()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 100 {
				d, err := newTempDir(cache)
				if err != nil {
					t.Error(err)
					return
				}
				if err := os.WriteFile(filepath.Join(d.path, "x"), nil, 0o600); err != nil {
					t.Error(err)
				}
				d.remove()
			}
		})
	}
	wg.Wait()
}

// TestGitLeavesNothing: what was only for this run is gone with the Room.
func TestGitLeavesNothing(t *testing.T) {
	dir, _ := repository(t, func(_ func(...string), work string) { write(t, work, "Taskfile.yml", content) })
	s, ca, _ := gitServer(t, dir, nil)
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	t.Setenv("TMP", temp)
	r := gitRoom(t)
	fetchOK(t, r, channel.TaskfileRequest{URL: s.URL + "/r.git", CACert: ca, Names: names})
	if left, _ := os.ReadDir(temp); len(left) != 1 {
		t.Errorf("during the run there are %v", left)
	}
	r.Close()
	if left, _ := os.ReadDir(temp); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

// TestGitRemovesLeft: what a killed run left is removed by the next one; what
// another uses, or is about to, stays.
func TestGitRemovesLeft(t *testing.T) {
	dir, _ := repository(t, func(_ func(...string), work string) { write(t, work, "Taskfile.yml", content) })
	s, ca, _ := gitServer(t, dir, nil)
	cache := t.TempDir()
	commits := filepath.Join(cache, channel.CommitsDir)
	write(t, commits, "run-dead/lock", "")
	write(t, commits, "run-dead/1/HEAD", "")
	write(t, commits, "run-old/HEAD", "")
	write(t, commits, "run-new/HEAD", "")
	write(t, commits, "run-file", "")
	write(t, commits, "0123.git/HEAD", "")
	write(t, commits, "run-young/lock", "")
	other, err := newTempDir(cache)
	if err != nil {
		t.Fatal(err)
	}
	defer other.remove()
	old := time.Now().Add(-2 * settledAfter)
	for _, path := range []string{filepath.Join(commits, "run-old"), filepath.Join(commits, "run-dead"), other.path} {
		if err := os.Chtimes(path, old, old); err != nil {
			t.Fatal(err)
		}
	}
	r := gitRoom(t)
	r.Hello(channel.Hello{CacheDir: cache})
	fetchOK(t, r, channel.TaskfileRequest{URL: s.URL + "/r.git", CACert: ca, Names: names})
	r.Close()
	var left []string
	all, _ := os.ReadDir(commits)
	for _, e := range all {
		left = append(left, e.Name())
	}
	want := []string{"0123.git", filepath.Base(other.path), "run-file", "run-new", "run-young"}
	slices.Sort(want)
	if !slices.Equal(left, want) {
		t.Errorf("there are %v, want %v", left, want)
	}
}

// TestGitPassword: the server gets it; it is in no argument and no message.
func TestGitPassword(t *testing.T) {
	dir, _ := repository(t, func(_ func(...string), work string) { write(t, work, "Taskfile.yml", content) })
	s, ca, _ := gitServer(t, dir, func(w http.ResponseWriter, r *http.Request) bool {
		if user, password, _ := r.BasicAuth(); user != "me" || password != "p@ss/word" {
			w.Header().Set("WWW-Authenticate", "Basic realm=x")
			w.WriteHeader(http.StatusUnauthorized)
			return true
		}
		return false
	})
	arguments := filepath.Join(t.TempDir(), "arguments")
	wrapped := wrapper(t, "git", "echo \"$@\" >>"+arguments+"\n")
	url := strings.Replace(s.URL, "https://", "https://me:p%40ss%2Fword@", 1) + "/r.git"
	r := gitRoom(t, "PATH="+wrapped+string(os.PathListSeparator)+os.Getenv("PATH"))
	f := fetchOK(t, r, channel.TaskfileRequest{URL: url, CACert: ca, Names: names})
	if f.URL != url+"//Taskfile.yml" {
		t.Errorf("got %s", f.URL)
	}
	text, err := os.ReadFile(arguments)
	if err != nil || strings.Contains(string(text), "word") || !strings.Contains(string(text), "fetch") {
		t.Errorf("git was called with %s, %v", text, err)
	}
	e := fetchError(t, r, channel.TaskfileRequest{URL: strings.Replace(url, "word", "sword", 1), CACert: ca, Names: names}, channel.Unauthorized, "")
	if strings.Contains(e.Text, "sword") {
		t.Errorf("the password is in %q", e.Text)
	}
	// Without one there is no prompt, and it does not hang.
	fetchError(t, r, channel.TaskfileRequest{URL: s.URL + "/r.git", CACert: ca, Names: names}, channel.Unauthorized, "")
}

// wrapper returns a directory with a program called name that runs script before
// the real one.
func wrapper(t *testing.T, name, script string) string {
	t.Helper()
	real, err := exec.LookPath(name)
	if err != nil {
		t.Skip(err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+script+"exec "+real+" \"$@\"\n"), 0o777); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestGitRedirects go by the rules for all files.
func TestGitRedirects(t *testing.T) {
	dir, _ := repository(t, func(_ func(...string), work string) { write(t, work, "Taskfile.yml", content) })
	var others atomic.Value
	others.Store("")
	other, _, _ := gitServer(t, dir, func(w http.ResponseWriter, r *http.Request) bool {
		others.Store(others.Load().(string) + r.Header.Get("Authorization"))
		return false
	})
	s, ca, _ := gitServer(t, dir, func(w http.ResponseWriter, r *http.Request) bool {
		if path, found := strings.CutPrefix(r.URL.Path, "/old"); found {
			http.Redirect(w, r, path+"?"+r.URL.RawQuery, http.StatusMovedPermanently)
			return true
		}
		if path, found := strings.CutPrefix(r.URL.Path, "/away"); found {
			http.Redirect(w, r, other.URL+path+"?"+r.URL.RawQuery, http.StatusFound)
			return true
		}
		if strings.HasPrefix(r.URL.Path, "/page") {
			http.Redirect(w, r, "/", http.StatusFound)
			return true
		}
		return false
	})
	r := gitRoom(t)
	withPassword := strings.Replace(s.URL, "https://", "https://me:secret@", 1)
	f := fetchOK(t, r, channel.TaskfileRequest{URL: withPassword + "/old/r.git", CACert: ca, Names: names})
	if string(f.Body) != content || f.URL != withPassword+"/old/r.git//Taskfile.yml" {
		t.Errorf("got %+v", f)
	}
	q := channel.TaskfileRequest{URL: withPassword + "/away/r.git", CACert: ca, Names: names}
	if e := fetchError(t, r, q, channel.Redirect, "another host"); !strings.HasPrefix(e.URL, other.URL+"/r.git/info/refs") {
		t.Errorf("got %+v", e)
	}
	q.RedirectHosts = []string{other.Listener.Addr().String()}
	fetchOK(t, r, q)
	if got := others.Load(); got != "" {
		t.Errorf("the other host was told %q", got)
	}
	fetchError(t, r, channel.TaskfileRequest{URL: s.URL + "/page/r.git", CACert: ca}, channel.Git, "not a git repository")
}

// TestGitSSH: with a command for ssh that is the user's.
func TestGitSSH(t *testing.T) {
	dir, commit := repository(t, func(_ func(...string), work string) { write(t, work, "d/Taskfile.yml", content) })
	script := filepath.Join(t.TempDir(), "ssh")
	if err := os.WriteFile(script, []byte("#!/bin/sh\nfor last; do :; done\ncase \"$*\" in *forbidden*) echo 'git@h: Permission denied (publickey).' >&2; exit 255;; *down*) echo 'ssh: connect to host down port 22: Connection refused' >&2; exit 255;; esac\ncd "+dir+" && eval \"$last\"\n"), 0o777); err != nil {
		t.Fatal(err)
	}
	r := gitRoom(t, "GIT_SSH_COMMAND="+script, "GIT_SSH_VARIANT=ssh")
	for _, url := range []string{"git@h.example:r.git//d?ref=" + commit, "git@h.example:" + dir + "/r.git//d/Taskfile.yml", "ssh://git@h.example:22" + dir + "/r.git//d?ref=main"} {
		f := fetchOK(t, r, channel.TaskfileRequest{URL: url, Names: names})
		if string(f.Body) != content || f.Commit != commit {
			t.Errorf("%s: got %+v", url, f)
		}
	}
	fetchError(t, r, channel.TaskfileRequest{URL: "git@forbidden:r.git", Names: names}, channel.Unauthorized, "git@h: Permission denied (publickey).")
	fetchError(t, r, channel.TaskfileRequest{URL: "git@down.example:r.git", Names: names}, channel.Unreachable, "Connection refused")
}

// TestGitEnvironment: variables of an outer git, and a machine's hooks, change
// nothing.
func TestGitEnvironment(t *testing.T) {
	dir, _ := repository(t, func(_ func(...string), work string) { write(t, work, "Taskfile.yml", content) })
	s, ca, _ := gitServer(t, dir, nil)
	ran := filepath.Join(t.TempDir(), "ran")
	hooks := t.TempDir()
	for _, name := range []string{"reference-transaction", "post-update", "pre-auto-gc", "post-checkout"} {
		if err := os.WriteFile(filepath.Join(hooks, name), []byte("#!/bin/sh\ntouch "+ran+"\n"), 0o777); err != nil {
			t.Fatal(err)
		}
	}
	r := gitRoom(t, "GIT_DIR=/nowhere", "GIT_WORK_TREE=/nowhere", "GIT_OBJECT_DIRECTORY=/nowhere", "GIT_INDEX_FILE=/nowhere", "GIT_SHALLOW_FILE=/nowhere",
		"GIT_TRACE=1", "GIT_TRACE_CURL=1", "GIT_TEMPLATE_DIR="+hooks, "GIT_SSL_NO_VERIFY=1", "LC_ALL=de_DE.UTF-8",
		"GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=core.hooksPath", "GIT_CONFIG_VALUE_0="+hooks)
	fetchOK(t, r, channel.TaskfileRequest{URL: s.URL + "/r.git", CACert: ca, Names: names})
	fetchError(t, r, channel.TaskfileRequest{URL: s.URL + "/r.git", Names: names}, channel.Certificate, "")
	if _, err := os.Stat(ran); err == nil {
		t.Error("a hook was run")
	}
	none := room(t, "PATH=.:bin")
	fetchError(t, none, channel.TaskfileRequest{URL: s.URL + "/r.git", CACert: ca}, channel.Git, "no git in the directories of PATH")
}

// TestGitSlow: the time-out is each file's, and a fetch that nobody waits for is
// ended and may be tried again.
func TestGitSlow(t *testing.T) {
	dir, _ := repository(t, func(_ func(...string), work string) { write(t, work, "Taskfile.yml", content) })
	var quick atomic.Bool
	arrived, ended := make(chan struct{}, 10), make(chan struct{}, 10)
	s, ca, _ := gitServer(t, dir, func(w http.ResponseWriter, r *http.Request) bool {
		if quick.Load() {
			return false
		}
		arrived <- struct{}{}
		<-r.Context().Done()
		ended <- struct{}{}
		return true
	})
	r := gitRoom(t)
	q := channel.TaskfileRequest{URL: s.URL + "/r.git", CACert: ca, Names: names, Timeout: 100 * time.Millisecond}
	cause := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	var wg sync.WaitGroup
	wg.Go(func() {
		q := q
		q.Timeout = 0
		if _, err := r.Taskfile(ctx, &q); err != cause {
			t.Errorf("got %v", err)
		}
	})
	<-arrived
	fetchError(t, r, q, channel.TimedOut, "within 100ms")
	cancel(cause)
	wg.Wait()
	<-ended
	quick.Store(true)
	q.Timeout = 0
	fetchOK(t, r, q)
}

// TestOutdated: a failure is not for ever, what was fetched stays for the run.
func TestOutdated(t *testing.T) {
	done := make(chan struct{})
	c := &checkout{done: done, err: errors.New("x"), fetchedAt: time.Now().Add(-2 * failureTTL)}
	if c.outdated() {
		t.Error("it is under way")
	}
	close(done)
	if !c.outdated() {
		t.Error("the failure stays")
	}
	if c.fetchedAt = time.Now(); c.outdated() {
		t.Error("the failure is forgotten at once")
	}
	c.err, c.fetchedAt = nil, time.Time{}
	if c.outdated() {
		t.Error("what was fetched is forgotten")
	}
}

// TestGitBrokenServers end as errors.
func TestGitBrokenServers(t *testing.T) {
	dir, _ := repository(t, func(_ func(...string), work string) { write(t, work, "Taskfile.yml", content) })
	for name, answer := range map[string]http.HandlerFunc{
		"nothing": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"html":    func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("<html>")) },
		"5xx":     func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) },
		"403":     func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(403) },
		"garbage": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/x-git-upload-pack-advertisement")
			w.Write([]byte("001e# service=git-upload-pack\n0000zzzz"))
		},
		"cut off": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/x-git-upload-pack-advertisement")
			w.Write([]byte("001e# service=git-upload-pack\n0000000eversion 2\n"))
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, ca, _ := gitServer(t, dir, func(w http.ResponseWriter, r *http.Request) bool { answer(w, r); return true })
			want := channel.Git
			if name == "nothing" || name == "5xx" || name == "cut off" {
				want = channel.Unreachable
			}
			fetchError(t, gitRoom(t), channel.TaskfileRequest{URL: s.URL + "/r.git", CACert: ca, Names: names}, want, "")
		})
	}
	fetchError(t, gitRoom(t), channel.TaskfileRequest{URL: "https://127.0.0.1:1/r.git", Names: names}, channel.Unreachable, "")
}

func TestLastLine(t *testing.T) {
	for output, want := range map[string]string{
		"":                          "git failed and did not say why",
		"\n\n":                      "git failed and did not say why",
		"warning: a\nfatal: b\n":    "b",
		"error: a\n":                "error: a",
		"fatal: a\nhint: do this\n": "a",
		"x: denied.\nfatal: Could not read from remote repository.\n\nPlease make sure you have the correct access rights\nand the repository exists.\n": "x: denied.",
		"fatal: Could not read from remote repository.\n": "Could not read from remote repository.",
	} {
		if got := lastLine(output); got != want {
			t.Errorf("%q: got %q, want %q", output, got, want)
		}
	}
}

// FuzzEntries: a tree is bytes from a server.
func FuzzEntries(f *testing.F) {
	f.Add([]byte("100644 a\x0001234567890123456789"), 40)
	f.Add([]byte("40000 a\x00"), 64)
	f.Fuzz(func(t *testing.T, tree []byte, idLen int) {
		if idLen != 64 {
			idLen = 40
		}
		all, err := entries(tree, idLen)
		if err == nil && len(tree) > 0 && len(all) == 0 {
			t.Error("nothing read")
		}
		for _, e := range all {
			if len(e.id) != idLen {
				t.Errorf("%+v", e)
			}
			e.refuse()
		}
	})
}

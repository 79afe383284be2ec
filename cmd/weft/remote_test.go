//go:build unix

package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/creack/pty"
)

// remoteKit is a user on a machine with both programs installed, and a server.
type remoteKit struct {
	t       *testing.T
	bin     string // weft, task and weft-companion
	project string
	env     []string
	server  *httptest.Server
	ca      string // file of the server's certificate

	mu       sync.Mutex              // guards the fields below
	pages    map[string]http.Handler // by path
	requests []string                // paths, in order
}

func newRemoteKit(t *testing.T) *remoteKit {
	t.Helper()
	if testing.Short() {
		t.Skip("builds the programs; skipped with -short")
	}
	bin, err := buildBoth()
	if err != nil {
		t.Fatal(err)
	}
	home := t.TempDir()
	k := &remoteKit{t: t, bin: bin, project: filepath.Join(home, "project"), pages: map[string]http.Handler{}}
	if err := os.Mkdir(k.project, 0o755); err != nil {
		t.Fatal(err)
	}
	k.server = httptest.NewTLSServer(http.HandlerFunc(k.serve))
	t.Cleanup(k.server.Close)
	k.ca = filepath.Join(home, "ca.pem")
	k.write(k.ca, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: k.server.Certificate().Raw})))
	k.env = []string{"HOME=" + home, "PATH=" + os.Getenv("PATH"), "NO_COLOR=1", "TASK_REMOTE_CACERT=" + k.ca, "GIT_SSL_CAINFO=" + k.ca}
	return k
}

func (k *remoteKit) serve(w http.ResponseWriter, r *http.Request) {
	k.mu.Lock()
	k.requests = append(k.requests, r.URL.Path)
	page := k.pages[r.URL.Path]
	k.mu.Unlock()
	if page == nil {
		http.NotFound(w, r)
		return
	}
	page.ServeHTTP(w, r)
}

// page puts a Taskfile on the server, without its version line.
func (k *remoteKit) page(path, tasks string) (url, checksum string) {
	text := "version: '3'\n" + tasks + "\n"
	sum := sha256.Sum256([]byte(text))
	k.handle(path, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/yaml")
		w.Header().Set("ETag", `"`+hex.EncodeToString(sum[:8])+`"`)
		if r.Header.Get("If-None-Match") == w.Header().Get("ETag") {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		w.Write([]byte(text))
	})
	return k.server.URL + path, hex.EncodeToString(sum[:])
}

func (k *remoteKit) handle(path string, h http.HandlerFunc) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.pages[path] = h
}

// asked returns the requested paths, and clears them.
func (k *remoteKit) asked() []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	r := k.requests
	k.requests = nil
	return r
}

func (k *remoteKit) write(path, text string) {
	k.t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		k.t.Fatal(err)
	}
}

// taskfile writes the root file, without its version line.
func (k *remoteKit) taskfile(text string) {
	k.write(filepath.Join(k.project, "Taskfile.yml"), "version: '3'\nsilent: true\n"+text+"\n")
}

func (k *remoteKit) command(name string, args ...string) *exec.Cmd {
	path := name
	if !filepath.IsAbs(name) {
		path = filepath.Join(k.bin, name)
	}
	cmd := exec.Command(path, args...)
	cmd.Dir, cmd.Env = k.project, k.env
	return cmd
}

// run runs a program, the words of line, and fails unless it exits with code
// and prints all of want.
func (k *remoteKit) run(code int, line string, want ...string) string {
	k.t.Helper()
	words := strings.Fields(line)
	cmd := k.command(words[0], words[1:]...)
	out, err := cmd.CombinedOutput()
	got := 0
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		got = exit.ExitCode()
	} else if err != nil {
		k.t.Fatal(err)
	}
	if got != code {
		k.t.Fatalf("%s: exit status %d, want %d\n%s", line, got, code, out)
	}
	for _, text := range want {
		if !strings.Contains(string(out), text) {
			k.t.Fatalf("%s: no %q in\n%s", line, text, out)
		}
	}
	return string(out)
}

func TestRemote(t *testing.T) {
	k := newRemoteKit(t)
	url, sum := k.page("/go.yml", "tasks: {t: 'echo from {{.TASKFILE}}, {{.TASKFILE_DIR}}'}")
	k.taskfile("includes: {go: '" + url + "'}\ntasks: {own: echo own}")

	// Without a terminal there is no consent, and advice is shown.
	k.run(104, "weft go:t", `not trusted`, "checksum: "+sum, "Taskfile.yml:3:")
	k.run(0, "weft -y go:t", "from "+url+",\n")
	k.run(0, "weft go:t", "from "+url)
	// The server got a request each time, and a young copy needs none.
	if n := len(k.asked()); n != 3 {
		t.Errorf("%d requests", n)
	}
	k.run(0, "weft --expiry 1h go:t", "from")
	k.run(0, "weft --offline go:t", "from")
	k.run(0, "weft --check")
	k.run(0, "weft __complete ''", "go:t")
	if n := len(k.asked()); n != 0 {
		t.Errorf("%d requests", n)
	}
	k.run(0, "weft --download --expiry 1h go:t", "from")
	if n := len(k.asked()); n != 1 {
		t.Errorf("%d requests", n)
	}
	// Changed content needs consent again.
	k.page("/go.yml", "tasks: {t: echo changed}")
	k.run(104, "weft go:t")
	k.run(0, "weft go:t --trusted-hosts "+strings.TrimPrefix(k.server.URL, "https://"), "changed")
	// The copies are used even if the server is down.
	k.run(0, "weft --clear-cache")
	k.run(106, "weft --offline go:t")
	k.run(0, "weft go:t -y", "changed")
	k.server.Close()
	k.run(0, "weft go:t", "warning", "could not be fetched", "changed")
}

func TestRemoteFailures(t *testing.T) {
	k := newRemoteKit(t)
	status := func(code int) func(http.ResponseWriter, *http.Request) {
		return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
	}
	for _, c := range []struct {
		name, url, flags string
		page             func(http.ResponseWriter, *http.Request)
		weft, task       int
		want             string
	}{
		{name: "absent", weft: 100, task: 100, want: `No Taskfile found at "URL"`},
		{name: "unauthorized", page: status(401), weft: 103, task: 103, want: `Download of "URL" failed with status code 401 (Unauthorized)`},
		{name: "forbidden", page: status(403), weft: 103, task: 100, want: "URL"},
		{name: "broken server", page: status(500), weft: 103, task: 100, want: "URL"},
		{name: "nobody there", url: "https://127.0.0.1:1/x.yml", weft: 103, task: 103, want: `Download of "URL" failed`},
		{name: "in the clear", url: "http://127.0.0.1:1/x.yml", weft: 105, task: 105, want: `Taskfile "URL" cannot be downloaded over an insecure connection. You can override this by using the --insecure flag`},
		{name: "in the clear, git", url: "http://127.0.0.1:1/x.git//x.yml", weft: 105, task: 105, want: "insecure connection"},
		{name: "nothing cached", flags: "--offline", weft: 106, task: 106, want: `Taskfile "URL" was not found in the cache. Remove the --offline flag to use a remote copy or download it using the --download flag`},
		{name: "too slow", flags: "--timeout 100ms", page: func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, weft: 108, task: 108,
			want: `Network connection timed out after 100ms while attempting to download Taskfile "URL"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			k.t = t
			path := "/" + strings.ReplaceAll(c.name, " ", "-") + ".yml"
			if c.page != nil {
				k.handle(path, c.page)
			}
			url := c.url
			if url == "" {
				url = k.server.URL + path
			}
			k.taskfile("includes: {x: '" + url + "'}")
			want := strings.ReplaceAll(c.want, "URL", url)
			k.run(c.weft, "weft -y x:t "+c.flags, want)
			k.run(c.task, "task -y x:t "+c.flags, want)
		})
	}
}

// TestRemoteLikeReference runs the recorded cases of the reference through both.
func TestRemoteLikeReference(t *testing.T) {
	reference := os.Getenv("WEFT_REFERENCE")
	if reference == "" {
		t.Skip("WEFT_REFERENCE does not name a go-task 3.54.0 binary: nothing to compare with")
	}
	k := newRemoteKit(t)
	_, sum := k.page("/a/one.yml", "includes: {sub: sub.yml}\nvars: {G: g}\ntasks: {t: 'echo {{.TASKFILE}} [{{.TASKFILE_DIR}}] {{.ROOT_DIR}} {{.TASK_DIR}} {{.G}}'}")
	k.page("/a/sub.yml", "includes: {deep: {taskfile: ../deep.yml, dir: inner}}\ntasks: {t: pwd}")
	k.page("/deep.yml", "tasks: {t: {dir: d, cmds: [pwd]}}")
	k.page("/dir/taskfile.yaml", "tasks: {default: echo found}")
	k.handle("/login.yml", func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user != "me" || password != "secret" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Write([]byte("version: '3'\ntasks: {t: 'echo {{.TASKFILE}}'}\n"))
	})
	k.handle("/page", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		w.Write([]byte("<html>"))
	})
	k.page("/page/Taskfile.yml", "tasks: {t: echo below a page}")
	withLogin := strings.Replace(k.server.URL, "https://", "https://me:secret@", 1)
	k.write(filepath.Join(k.project, ".taskrc.yml"), "remote: {headers: [{host: '"+strings.TrimPrefix(k.server.URL, "https://")+`', headers: {X-Key: '{{upper "k"}}{{env "HOME"}}'}}]}`)
	k.handle("/header.yml", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/octet-stream")
		fmt.Fprintf(w, "version: '3'\ntasks: {t: echo header %s}\n", r.Header.Get("X-Key"))
	})
	for _, c := range []struct{ taskfile, args string }{
		{"includes: {one: URL/a/one.yml}", "-y -s one:t"},
		{"includes: {one: URL/a/one.yml}", "-y -s one:sub:t one:sub:deep:t"},
		{"includes: {one: {taskfile: URL/a/one.yml, dir: elsewhere}}", "-y -s one:sub:t one:sub:deep:t"},
		{"includes: {one: URL/a/one.yml}", "one:t"},
		{"includes: {one: {taskfile: URL/a/one.yml, checksum: " + sum + "}}", "-y -s one:t"},
		{"includes: {one: {taskfile: URL/a/one.yml, checksum: " + strings.Repeat("0", 64) + "}}", "-y -s one:t"},
		{"includes: {one: URL/a/one.yml}", "-y -s one:t --trusted-hosts " + strings.TrimPrefix(k.server.URL, "https://")},
		{"includes: {one: URL/a/one.yml}", "-s one:t --trusted-hosts " + strings.TrimPrefix(k.server.URL, "https://")},
		{"includes: {one: URL/a/one.yml}", "-s one:t --trusted-hosts 127.0.0.1"},
		{"includes: {one: URL/a/one.yml}", "--offline --download"},
		{"includes: {dir: URL/dir}", "-y -s dir"},
		{"includes: {page: URL/page}", "-y -s page:t"},
		{"includes: {none: URL/none.yml}", "-y -s none:t"},
		{"includes: {login: LOGIN/login.yml}", "-y -s login:t"},
		{"includes: {login: URL/login.yml}", "-y -s login:t"},
		{"includes: {header: URL/header.yml}", "-y -s header:t"},
		{"includes: {one: 'http://127.0.0.1:1/a.yml'}", "-y -s one:t"},
		{"vars: {W: one}\nincludes: {one: 'URL/a/{{.W}}.yml'}", "-y -s one:t"},
		{"tasks: {}", "-y -s -t URL/a/one.yml t sub:t sub:deep:t"},
		{"tasks: {}", "-y -s -t URL/dir/"},
		{"tasks: {}", "-y -s -d sub -t URL/a/one.yml t"},
		{"includes: {one: URL/a/one.yml}", "-y --list-all"},
	} {
		t.Run(c.taskfile+" "+c.args, func(t *testing.T) {
			fill := strings.NewReplacer("URL", k.server.URL, "LOGIN", withLogin)
			k.t = t
			var results [2]string
			for i, program := range []string{reference, "task"} {
				for _, old := range []string{".task", ".weft", "../.cache", "../.local"} {
					os.RemoveAll(filepath.Join(k.project, old))
				}
				os.MkdirAll(filepath.Join(k.project, "sub"), 0o755)
				k.taskfile(fill.Replace(c.taskfile))
				cmd := k.command(program, strings.Fields(fill.Replace(c.args))...)
				cmd.Args[0] = "task"
				var stdout, stderr bytes.Buffer
				cmd.Stdout, cmd.Stderr = &stdout, &stderr
				cmd.Run()
				results[i] = fmt.Sprintf("exit status %d\n%s--\n%s", cmd.ProcessState.ExitCode(), stdout.String(), stderr.String())
			}
			if results[0] != results[1] {
				t.Errorf("reference: %s\nweft: %s", results[0], results[1])
			}
		})
	}
}

// TestRemoteHeaders: values of the environment are sent only in runs if the project requests it,
// and always if the user does.
func TestRemoteHeaders(t *testing.T) {
	k := newRemoteKit(t)
	var mu sync.Mutex
	var got []string
	k.handle("/x.yml", func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		got = append(got, r.Header.Get("X-Key"))
		mu.Unlock()
		w.Header().Set("Content-Type", "text/yaml")
		w.Write([]byte("version: '3'\ntasks: {t: {desc: d, cmds: [echo x]}}\n"))
	})
	host := strings.TrimPrefix(k.server.URL, "https://")
	k.taskfile("includes: {x: '" + k.server.URL + "/x.yml'}")
	k.env = append(k.env, "SECRET=hunter2")
	settings := "remote: {trusted-hosts: ['" + host + "'], headers: [{host: '" + host + `', headers: {X-Key: '{{env "SECRET"}}'}}]}`
	for _, c := range []struct{ file, args, want string }{
		{"project", "x:t", "hunter2"},
		{"project", "--list", ""},
		{"project", "--list-all --json", ""},
		{"project", "--summary x:t", ""},
		{"home", "x:t", "hunter2"},
		{"home", "--list", "hunter2"},
	} {
		mu.Lock()
		got = nil
		mu.Unlock()
		dir := k.project
		if c.file == "home" {
			dir = filepath.Dir(k.project)
		}
		path := filepath.Join(dir, ".taskrc.yml")
		k.write(path, settings)
		k.run(0, "weft "+c.args)
		os.Remove(path)
		mu.Lock()
		if len(got) != 1 || got[0] != c.want {
			t.Errorf("settings of the %s, weft %s: the server was sent %q, want %q", c.file, c.args, got, c.want)
		}
		mu.Unlock()
	}
}

// TestRemoteQuestion answers on a terminal.
func TestRemoteQuestion(t *testing.T) {
	k := newRemoteKit(t)
	one, _ := k.page("/one.yml", "tasks: {t: echo one}")
	two, _ := k.page("/two.yml", "tasks: {t: echo two}")
	k.taskfile("includes: {one: '" + one + "', two: '" + two + "'}")
	talk := func(code int, answers string, args ...string) string {
		t.Helper()
		cmd := k.command("weft", args...)
		tty, err := pty.Start(cmd)
		if err != nil {
			t.Fatal(err)
		}
		defer tty.Close()
		tty.WriteString(answers)
		var out bytes.Buffer
		out.ReadFrom(tty)
		cmd.Wait()
		if got := cmd.ProcessState.ExitCode(); got != code {
			t.Fatalf("exit status %d, want %d\n%s", got, code, out.String())
		}
		return strings.ReplaceAll(out.String(), "\r", "")
	}
	out := talk(104, "d\nn\n", "one:t")
	if n := strings.Count(out, "[y/N/d]: "); n != 2 || strings.Index(out, one) > strings.Index(out, two) || !strings.Contains(out, "echo two") {
		t.Errorf("%d questions in\n%s", n, out)
	}
	if out := talk(0, "y\n", "-s", "one:t", "two:t"); !strings.HasSuffix(out, "[y/N/d]: one\ntwo\n") {
		t.Errorf("answered yes:\n%s", out)
	}
	k.page("/two.yml", "tasks: {t: echo two and more}")
	if out := talk(0, "d\ny\n", "-s", "two:t"); strings.Contains(out, one) || !strings.Contains(out, "changed since") || !strings.Contains(out, "+tasks: {t: echo two and more}") {
		t.Errorf("the difference is not shown:\n%s", out)
	}
}

func TestPinCommand(t *testing.T) {
	k := newRemoteKit(t)
	one, sum1 := k.page("/one.yml", "tasks: {t: echo one}")
	two, sum2 := k.page("/two.yml", "tasks: {t: echo two}")
	k.taskfile("includes:\n  one: " + one + "\n  two:\n    taskfile: " + two + "\n    checksum: " + strings.Repeat("0", 64))
	k.run(104, "weft --pin", "checksum: "+sum1)
	k.run(0, "weft -y --pin", `"one" is pinned to `+sum1, `"two" is pinned to `+sum2, "echo one")
	data, err := os.ReadFile(filepath.Join(k.project, "Taskfile.yml"))
	want := "includes:\n  one: {taskfile: '" + one + "', checksum: " + sum1 + "}\n  two:\n    taskfile: " + two + "\n    checksum: " + sum2 + "\n"
	if err != nil || !strings.HasSuffix(string(data), want) {
		t.Errorf("%v\n%s", err, data)
	}
	k.run(0, "weft --pin", "nothing to pin")
	k.run(0, "weft -s one:t two:t", "one\ntwo\n")
	k.page("/one.yml", "tasks: {t: echo evil}")
	k.run(111, "weft one:t", "does not match", sum1)
}

// TestRemoteGit reads from a repository that a real server serves.
func TestRemoteGit(t *testing.T) {
	k := newRemoteKit(t)
	repo := filepath.Join(t.TempDir(), "shared.git")
	work := t.TempDir()
	git := func(dir string, args ...string) string {
		t.Helper()
		cmd := exec.Command("git", append([]string{"-C", dir, "-c", "user.name=w", "-c", "user.email=w@example.com", "-c", "commit.gpgsign=false"}, args...)...)
		cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	backend := filepath.Join(git(".", "--exec-path"), "git-http-backend")
	if _, err := os.Stat(backend); err != nil {
		t.Skipf("git has no server: %v", err)
	}
	git(work, "init", "-q", "-b", "main")
	os.MkdirAll(filepath.Join(work, "ci"), 0o755)
	k.write(filepath.Join(work, "ci/Taskfile.yml"), "version: '3'\nincludes: {lib: ../lib.yml}\ntasks: {t: 'echo {{.TASKFILE}}'}\n")
	k.write(filepath.Join(work, "lib.yml"), "version: '3'\ntasks: {t: echo lib v1}\n")
	if err := os.Symlink("/etc/passwd", filepath.Join(work, "link.yml")); err != nil {
		t.Fatal(err)
	}
	git(work, "add", ".")
	git(work, "commit", "-qm", "one")
	git(work, "tag", "v1")
	commit := git(work, "rev-parse", "HEAD")
	k.write(filepath.Join(work, "lib.yml"), "version: '3'\ntasks: {t: echo lib main}\n")
	git(work, "commit", "-qam", "two")
	git(work, "clone", "-q", "--bare", ".", repo)
	handler := &cgi.Handler{Path: backend, Root: "/git", Env: []string{"GIT_PROJECT_ROOT=" + filepath.Dir(repo), "GIT_HTTP_EXPORT_ALL=1", "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_COUNT=2",
		"GIT_CONFIG_KEY_0=safe.directory", "GIT_CONFIG_VALUE_0=*", "GIT_CONFIG_KEY_1=uploadpack.allowAnySHA1InWant", "GIT_CONFIG_VALUE_1=true"}}
	for _, path := range []string{"/info/refs", "/git-upload-pack", "/HEAD"} {
		k.handle("/git/shared.git"+path, handler.ServeHTTP)
	}
	url := k.server.URL + "/git/shared.git"
	for _, c := range []struct {
		include string
		code    int
		want    string
	}{
		{url + "//ci", 0, "lib main"},
		{url + "//ci/Taskfile.yml", 0, "lib main"},
		{url + "//ci/Taskfile.yml?ref=v1", 0, "lib v1"},
		{url + "//ci?ref=" + commit, 0, "lib v1"},
		{url + "//link.yml", 103, "link"},
		{url + "//../../etc/passwd", 103, "out of the repository"},
		{url + "//none.yml", 100, "No Taskfile found"},
		{url + "//ci?ref=none", 103, "none"},
		{url + "//ci?ref=--upload-pack=touch", 103, "dash"},
	} {
		k.taskfile("includes: {ci: '" + c.include + "'}")
		out := k.run(c.code, "weft -y -s ci:lib:t", c.want)
		if strings.Contains(out, "root:") {
			t.Errorf("%s shows a file of this machine:\n%s", c.include, out)
		}
	}
	// A commit is fetched once.
	k.taskfile("includes: {ci: '" + url + "//ci?ref=" + commit + "'}")
	k.asked()
	k.run(0, "weft -s ci:lib:t", "lib v1")
	if asked := k.asked(); len(asked) != 0 {
		t.Errorf("asked again for a commit: %v", asked)
	}
}

// TestRemoteWithoutCompanion: the error names the missing program, and how to get it.
func TestRemoteWithoutCompanion(t *testing.T) {
	k := newRemoteKit(t)
	url, _ := k.page("/x.yml", "tasks: {t: echo x}")
	k.taskfile("includes: {x: '" + url + "'}\ntasks: {own: echo own}")
	alone := t.TempDir()
	data, err := os.ReadFile(filepath.Join(k.bin, "weft"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(alone, "weft"), data, 0o755); err != nil {
		t.Fatal(err)
	}
	whole := k.bin
	k.bin = alone
	k.run(103, "weft own", "weft-companion is not installed next to weft", "go install github.com/weftrun/weft/cmd/...@")
	k.bin = whole
	k.run(0, "weft -y x:t")
	// With copies it is not needed.
	k.bin = alone
	k.run(0, "weft --offline -s x:t", "x\n")
	k.run(0, "weft -s x:t", "warning", "not installed", "x\n")
	// Nor for local files only.
	k.taskfile("tasks: {own: echo own}")
	k.env = append(k.env, "WEFT_COMPANION=/nonexistent")
	if out := k.run(0, "weft -s own"); !regexp.MustCompile(`^own\n$`).MatchString(out) {
		t.Errorf("printed %q", out)
	}
}

package githead

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const (
	one = "1111111111111111111111111111111111111111"
	two = "2222222222222222222222222222222222222222"
)

// write makes the files of a project: pairs of a path and its content.
func write(t *testing.T, files ...string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for i := 0; i < len(files); i += 2 {
		path := filepath.Join(dir, files[i])
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(files[i+1]), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestCommit(t *testing.T) {
	const packed = "# pack-refs with: peeled fully-peeled sorted \n" + two + " refs/heads/main\n^" + one + "\n" + one + " refs/heads/main2\n"
	for name, tt := range map[string]struct {
		files []string
		want  string
	}{
		"detached":               {[]string{".git/HEAD", one + "\n"}, one},
		"a branch":               {[]string{".git/HEAD", "ref: refs/heads/main\n", ".git/refs/heads/main", one + "\n"}, one},
		"packed":                 {[]string{".git/HEAD", "ref: refs/heads/main\n", ".git/packed-refs", packed}, two},
		"packed and not":         {[]string{".git/HEAD", "ref: refs/heads/main\n", ".git/refs/heads/main", one + "\n", ".git/packed-refs", packed}, one},
		"a worktree":             {[]string{".git", "gitdir: repo/worktrees/w\n", "repo/worktrees/w/HEAD", "ref: refs/heads/b\n", "repo/worktrees/w/commondir", "../..\n", "repo/refs/heads/b", one + "\n"}, one},
		"a worktree, packed":     {[]string{".git", "gitdir: repo/worktrees/w\n", "repo/worktrees/w/HEAD", "ref: refs/heads/main\n", "repo/worktrees/w/commondir", "../..\n", "repo/packed-refs", packed}, two},
		"sha256":                 {[]string{".git/HEAD", one + one[:24] + "\n"}, one + one[:24]},
		"no commit yet":          {[]string{".git/HEAD", "ref: refs/heads/main\n"}, ""},
		"no HEAD":                {[]string{".git/config", ""}, ""},
		"not a link":             {[]string{".git", "something\n"}, ""},
		"a link to nowhere":      {[]string{".git", "gitdir: gone\n"}, ""},
		"outside of refs":        {[]string{".git/HEAD", "ref: refs/../../secret\n", "secret", one}, ""},
		"not below refs":         {[]string{".git/HEAD", "ref: secret\n", ".git/secret", one}, ""},
		"a circle":               {[]string{".git/HEAD", "ref: refs/heads/a\n", ".git/refs/heads/a", "ref: refs/heads/a\n"}, ""},
		"reftable":               {[]string{".git/HEAD", "ref: refs/heads/.invalid\n"}, ""},
		"cut off":                {[]string{".git/HEAD", one[:39]}, ""},
		"a HEAD of many bytes":   {[]string{".git/HEAD", strings.Repeat("1", maxRef+1)}, ""},
		"a branch by a carriage": {[]string{".git/HEAD", "ref: refs/heads/main\r\n", ".git/refs/heads/main", one + "\r\n"}, one},
	} {
		dir := write(t, append(tt.files, "a/b/c", "")...)
		for _, from := range []string{dir, filepath.Join(dir, "a", "b")} {
			if got := Commit(from); got != tt.want {
				t.Errorf("%s: %q, want %q", name, got, tt.want)
			}
		}
	}
}

// TestGit compares the result with git's.
func TestGit(t *testing.T) {
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("there is no git")
	}
	dir := t.TempDir()
	git := func(args ...string) string {
		t.Helper()
		c := exec.Command("git", append([]string{"-C", dir, "-c", "user.name=a", "-c", "user.email=a@b", "-c", "init.defaultRefFormat=files"}, args...)...)
		c.Env = append(os.Environ(), "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null")
		out, err := c.CombinedOutput()
		if err != nil {
			t.Fatalf("git %q: %v: %s", args, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	git("init", "-q")
	if got := Commit(dir); got != "" {
		t.Errorf("before the first commit: %q", got)
	}
	git("commit", "-q", "--allow-empty", "-m", "1")
	first := git("rev-parse", "HEAD")
	for _, step := range [][]string{nil, {"pack-refs", "--all"}, {"checkout", "-q", "--detach"}, {"worktree", "add", "-q", "w", "-b", "w"}} {
		if step != nil {
			git(step...)
		}
		if got := Commit(dir); got != first {
			t.Errorf("after git %q: %q, want %q", step, got, first)
		}
	}
	git("commit", "-q", "--allow-empty", "-m", "2")
	if got, want := Commit(dir), git("rev-parse", "HEAD"); got != want || got == first {
		t.Errorf("after the second commit: %q, want %q", got, want)
	}
	if got := Commit(filepath.Join(dir, "w")); got != first {
		t.Errorf("in the worktree: %q, want %q", got, first)
	}
}

// TestNotRegular: reading does not wait for irregular files.
func TestNotRegular(t *testing.T) {
	if got := Commit(write(t, ".git/HEAD/x", "")); got != "" {
		t.Errorf("%q", got)
	}
}

package changes

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/weftrun/weft/engine/affected"
)

// repo is a repository made for a test.
type repo struct {
	t   testing.TB
	dir string
}

// environ is the environment of git in tests: without the user's settings.
func environ(more ...string) []string {
	return append([]string{"PATH=" + os.Getenv("PATH"), "HOME=/nonexistent", "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null",
		"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.com", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.com"}, more...)
}

// newRepo makes a repository whose branch main has one commit with the files of spec, see
// [repo.do].
func newRepo(t testing.TB, spec ...string) *repo {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("needs git")
	}
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	r := &repo{t, dir}
	r.git("init", "-q", "-b", "main")
	r.do(spec...)
	r.git("add", "-A")
	r.git("commit", "-qm", "first", "--allow-empty")
	return r
}

func (r *repo) git(args ...string) string {
	r.t.Helper()
	cmd := exec.Command("git", append([]string{"-C", r.dir, "-c", "protocol.file.allow=always"}, args...)...)
	cmd.Env = environ()
	out, err := cmd.CombinedOutput()
	if err != nil {
		r.t.Fatalf("git %q: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

// do changes the working tree: "path=content" writes a file, "path>target" makes a link, "-path"
// removes something, "+x path" makes a file executable, and "git …" is a command.
func (r *repo) do(steps ...string) {
	r.t.Helper()
	for _, s := range steps {
		var err error
		if args, ok := strings.CutPrefix(s, "git "); ok {
			r.git(strings.Fields(args)...)
		} else if p, ok := strings.CutPrefix(s, "-"); ok {
			err = os.RemoveAll(r.path(p))
		} else if p, ok := strings.CutPrefix(s, "+x "); ok {
			err = os.Chmod(r.path(p), 0o755)
		} else if i := strings.IndexAny(s, "=>"); i >= 0 {
			p := r.path(s[:i])
			os.MkdirAll(filepath.Dir(p), 0o755)
			if s[i] == '>' {
				err = os.Symlink(s[i+1:], p)
			} else {
				err = os.WriteFile(p, []byte(s[i+1:]), 0o644)
			}
		}
		if err != nil {
			r.t.Fatal(s, err)
		}
	}
}

func (r *repo) path(p string) string { return filepath.Join(r.dir, p) }

// since returns the changes since a revision; shown are their lines.
func (r *repo) since(dir, rev string, env ...string) (c *Changes, shown string) {
	r.t.Helper()
	c, err := Since(r.t.Context(), Options{Dir: filepath.Join(r.dir, dir), Base: rev, Environ: environ(env...)})
	if err != nil {
		return nil, err.Error()
	}
	r.t.Cleanup(c.Close)
	var lines []string
	for _, p := range slices.Sorted(maps.Keys(c.Files)) {
		lines = append(lines, fmt.Sprintf("%s %s", map[affected.Change]string{affected.Added: "A", affected.Removed: "D", affected.Modified: "M"}[c.Files[p]], strings.TrimPrefix(p, r.dir+"/")))
	}
	slices.Sort(c.Dirs)
	for _, p := range slices.Compact(c.Dirs) {
		lines = append(lines, strings.TrimPrefix(p, r.dir+"/")+"/")
	}
	return c, strings.Join(lines, ", ")
}

func TestSince(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		steps []string
		want  string
	}{
		"nothing":            {nil, ""},
		"touched":            {[]string{"a=a"}, ""},
		"edited":             {[]string{"a=x"}, "M a"},
		"staged":             {[]string{"a=x", "git add a"}, "M a"},
		"staged and back":    {[]string{"a=x", "git add a", "a=a"}, ""},
		"committed":          {[]string{"a=x", "git commit -qam x"}, "M a"},
		"commit and back":    {[]string{"a=x", "git commit -qam x", "a=a"}, ""},
		"mode":               {[]string{"+x a"}, "M a"},
		"removed":            {[]string{"-a"}, "D a"},
		"directory gone":     {[]string{"-d"}, "D d/b, D d/sub/c"},
		"renamed":            {[]string{"git mv a z"}, "D a, A z"},
		"untracked":          {[]string{"d/new=x"}, "A d/new"},
		"ignored":            {[]string{".gitignore=*.o\n", "x.o=x"}, "A .gitignore"},
		"intent to add":      {[]string{"n=x", "git add -N n"}, "A n"},
		"only in the index":  {[]string{"git rm -q --cached a"}, "M a"},
		"removed from index": {[]string{"git rm -q a"}, "D a"},
		"names":              {[]string{" sp ace=x", "Ünï=x", "\xff\xfe=x"}, "A  sp ace, A Ünï, A \xff\xfe"},
		"new name":           {[]string{"new\nline\t\"=x"}, "A new\nline\t\""},
		"file to link":       {[]string{"-a", "a>d"}, "M a, a/"},
		"link":               {[]string{"l>a"}, "A l"},
		"link to nothing":    {[]string{"l>gone"}, "A l, l/"},
		"file to directory":  {[]string{"-a", "a/x=x"}, "D a, A a/x"},
		"through a link":     {[]string{"link>d", "git add -A", "git commit -qm l", "d/sub/c=x"}, "A link, M d/sub/c, M link/sub/c, link/"},
		"repository inside":  {[]string{"git init -q inner", "inner/x=x"}, "inner/"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRepo(t, "a=a", "d/b=b", "d/sub/c=c")
			base := r.git("rev-parse", "HEAD")
			r.do(c.steps...)
			dir := "d" // changes beside it count, too
			if _, err := os.Stat(r.path(dir)); err != nil {
				dir = ""
			}
			ch, got := r.since(dir, base)
			if !sameParts(got, c.want) {
				t.Errorf("%q\nwant %q", got, c.want)
			} else if ch.Root != r.dir || ch.Base != base {
				t.Errorf("root %s, base %s", ch.Root, ch.Base)
			}
		})
	}
}

// sameParts compares two lists whatever their order.
func sameParts(a, b string) bool {
	x, y := strings.Split(a, ", "), strings.Split(b, ", ")
	slices.Sort(x)
	slices.Sort(y)
	return slices.Equal(x, y)
}

// Nested links, cycles and links to each other's directories do not lead to endless work.
func TestLinks(t *testing.T) {
	t.Parallel()
	r := newRepo(t, "d/f=f", "x/y/link>../../d", "chain>x/y", "self>.", "d/up>..", "file>d/f", "out>/usr", "a/1=1", "b/1=1", "a/b>../b", "b/a>../a")
	r.do("d/f=g")
	if _, got := r.since("", "HEAD"); !sameParts(got, "M d/f, M x/y/link/f, M chain/link/f, M file") {
		t.Errorf("got %q", got)
	}
	r.do("git checkout -q d/f", "a/1=2")
	ch, _ := r.since("", "HEAD")
	for _, p := range []string{"a/1", "b/a/1", "a/b/a/1"} {
		if _, ok := ch.Files[r.path(p)]; !ok {
			t.Errorf("%s is not there", p)
		}
	}
	if len(ch.Files) > 100 || len(ch.Dirs) == 0 {
		t.Errorf("%d files, and %q", len(ch.Files), ch.Dirs)
	}
}

// The path of the project contains links.
func TestLogicalNames(t *testing.T) {
	t.Parallel()
	r := newRepo(t, "project/a=a", "b=b")
	to := t.TempDir()
	os.Symlink(r.dir, filepath.Join(to, "repo"))
	os.Symlink(r.path("project"), filepath.Join(to, "project"))
	r.do("project/a=x", "b=x")
	for dir, want := range map[string][]string{
		filepath.Join(to, "repo", "project"): {filepath.Join(to, "repo", "project", "a"), filepath.Join(to, "repo", "b")},
		filepath.Join(to, "project"):         {filepath.Join(to, "project", "a"), r.path("b")},
		r.path("project"):                    {r.path("project/a"), r.path("b")},
	} {
		c, err := Since(t.Context(), Options{Dir: dir, Base: "HEAD", Environ: environ()})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		for _, p := range want {
			if _, ok := c.Files[p]; !ok || !below(c.Root, p) {
				t.Errorf("%s: %s is not among %v below %s", dir, p, c.Files, c.Root)
			}
		}
	}
}

func TestSubmodules(t *testing.T) {
	t.Parallel()
	inner := newRepo(t, "in/deep=1")
	lib := newRepo(t, "lib.c=1", "gone.c=1")
	lib.do("git submodule --quiet add "+inner.dir+" inner", "git commit -qm inner")
	r := newRepo(t, "a=a")
	r.git("submodule", "--quiet", "add", lib.dir, "lib")
	r.git("submodule", "--quiet", "update", "--init", "--recursive")
	r.git("commit", "-qm", "lib")
	base := r.git("rev-parse", "HEAD")
	want := func(what, want string) {
		t.Helper()
		if _, got := r.since("", base); !sameParts(got, want) {
			t.Errorf("%s: %q, want %q", what, got, want)
		}
	}
	want("nothing", "")
	r.do("lib/lib.c=2", "lib/new.c=1", "-lib/gone.c", "lib/inner/in/deep=2")
	want("edited", "M lib/lib.c, A lib/new.c, D lib/gone.c, M lib/inner/in/deep")
	sub := &repo{t, r.path("lib")}
	sub.git("add", "lib.c")
	sub.git("commit", "-qm", "two")
	want("a new commit in it", "M lib/lib.c, A lib/new.c, D lib/gone.c, M lib/inner/in/deep")
	r.git("add", "lib")
	r.git("commit", "-qm", "lib two")
	want("committed", "M lib/lib.c, A lib/new.c, D lib/gone.c, M lib/inner/in/deep")
	r.git("submodule", "--quiet", "deinit", "-f", "lib")
	want("not there", "lib/")
	r.git("rm", "-qf", "lib")
	want("removed", "lib/, M .gitmodules")
}

func TestWorktree(t *testing.T) {
	t.Parallel()
	r := newRepo(t, "a=a")
	tree := &repo{t, filepath.Join(t.TempDir(), "tree")}
	tree.dir, _ = filepath.EvalSymlinks(filepath.Dir(tree.dir))
	tree.dir += "/tree"
	r.git("worktree", "add", "-q", tree.dir, "-b", "side")
	tree.do("a=x", "b=x")
	if c, got := tree.since("", ""); got != "A b, M a" && got != "M a, A b" || c.Named != "main" {
		t.Errorf("got %q", got)
	}
}

func TestBase(t *testing.T) {
	t.Parallel()
	r := newRepo(t, "a=a")
	first := r.git("rev-parse", "HEAD")
	clone := func(args ...string) *repo {
		to := &repo{t, filepath.Join(t.TempDir(), "clone")}
		r.git(append(append([]string{"clone", "-q"}, args...), "file://"+r.dir, to.dir)...)
		return to
	}
	r.do("git checkout -qb release", "rel=1", "git add -A", "git commit -qm release", "git checkout -q main", "b=b", "git add -A", "git commit -qm second", "git tag v1")
	second := r.git("rev-parse", "HEAD")
	c := clone()
	c.do("git checkout -qb topic", "c=c", "git add -A", "git commit -qm topic")
	github, gitlab := "GITHUB_ACTIONS=true", "GITLAB_CI=true"
	for _, x := range []struct {
		rev, env   string
		base, name string
	}{
		{"", "", second, "origin/HEAD"},
		{"", github + " GITHUB_BASE_REF=", second, "origin/HEAD"},
		{"", github + " GITHUB_BASE_REF=release", first, "origin/release"},
		{"", "GITHUB_BASE_REF=release", second, "origin/HEAD"}, // not in that system
		{"", gitlab + " CI_MERGE_REQUEST_TARGET_BRANCH_NAME=release", first, "origin/release"},
		{"", gitlab + " CI_MERGE_REQUEST_DIFF_BASE_SHA=" + first + " CI_MERGE_REQUEST_TARGET_BRANCH_NAME=main", first, first},
		{"", "TF_BUILD=True SYSTEM_PULLREQUEST_TARGETBRANCH=refs/heads/release", first, "origin/release"},
		{"", "BITBUCKET_BUILD_NUMBER=1 BITBUCKET_PR_DESTINATION_BRANCH=release", first, "origin/release"},
		{"", "BUILDKITE=true BUILDKITE_PULL_REQUEST_BASE_BRANCH=release", first, "origin/release"},
		{"", "JENKINS_URL=http://x CHANGE_TARGET=release", first, "origin/release"},
		{"HEAD~1", github + " GITHUB_BASE_REF=release", second, "HEAD~1"},
		{"v1", "", second, "v1"},
		{"origin/release...", "", first, "origin/release"},
		{first[:10], "", first, first[:10]},
	} {
		ch, got := c.since("", x.rev, strings.Fields(x.env)...)
		if ch == nil || ch.Base != x.base || ch.Named != x.name || ch.IsHead {
			t.Errorf("%s %s: %+v %s, want %s %s", x.rev, x.env, ch, got, x.name, x.base)
		}
	}
	if ch, got := c.since("", "topic"); ch == nil || !ch.IsHead || got != "" {
		t.Errorf("HEAD itself: %s", got)
	}
	for _, x := range []struct{ rev, env, says string }{
		{"--output=/tmp/x", "", `git does not know the commit "--output=/tmp/x"`},
		{"-h", "", `git does not know the commit "-h"`},
		{"gone", "", `git does not know the commit "gone"`},
		{"gone...", "", `git does not know the commit "gone"`},
		{"HEAD:a", "", `git does not know the commit "HEAD:a"`},
		{"x\ny", "", "is not a revision"},
		{"", github + " GITHUB_BASE_REF=--all", "GITHUB_BASE_REF names --all, which is not in this clone: set fetch-depth: 0 for actions/checkout, or run \"git fetch origin"},
	} {
		if ch, got := c.since("", x.rev, strings.Fields(x.env)...); ch != nil || !strings.Contains(got, x.says) {
			t.Errorf("%q %s: %s", x.rev, x.env, got)
		}
	}
	shallow := clone("--depth=1", "--branch=release")
	if _, got := shallow.since("", "", github, "GITHUB_BASE_REF=main"); got != `GITHUB_BASE_REF names main, which is not in this clone: set fetch-depth: 0 for actions/checkout, or run "git fetch --unshallow origin main:refs/remotes/origin/main"` {
		t.Errorf("a shallow clone without the branch: %s", got)
	}
	shallow.git("fetch", "-q", "--depth=1", "origin", "main:refs/remotes/origin/main")
	if _, got := shallow.since("", "origin/main..."); got != `this clone is shallow and has no common ancestor of HEAD and origin/main: run "git fetch --unshallow origin"` {
		t.Errorf("a shallow clone: %s", got)
	}
	if _, got := shallow.since("", first); !strings.Contains(got, "it is shallow: run") {
		t.Errorf("a commit that is not in a shallow clone: %s", got)
	}
	if ch, got := shallow.since("", "origin/main"); ch == nil || !sameParts(got, "A rel, D b") {
		t.Errorf("a commit that is: %s", got)
	}
	r.do("git checkout -q --orphan other", "git commit -qm other", "git branch -qm main old")
	if _, got := r.since("", ""); !strings.HasPrefix(got, "there is no origin/HEAD, and no branch main or master") {
		t.Errorf("no branch to compare with: %s", got)
	}
	if _, got := r.since("", "old..."); got != "HEAD and old have no common ancestor: choose a revision to compare with, as in --affected=old" {
		t.Errorf("unrelated: %s", got)
	}
}

func TestNoRepository(t *testing.T) {
	t.Parallel()
	r := &repo{t, t.TempDir()}
	if _, got := r.since("", "HEAD"); !strings.Contains(got, r.dir+" is in no working tree of git that can be used: git says: fatal: not a git repository") {
		t.Errorf("no repository: %s", got)
	}
	if _, err := Since(t.Context(), Options{Dir: r.dir, Environ: []string{"PATH=.:bin"}}); !errors.Is(err, errNoGit) {
		t.Errorf("no git: %v", err)
	}
	r.git("init", "-q", "-b", "main")
	if _, got := r.since("", "HEAD"); !strings.Contains(got, `git does not know the commit "HEAD"`) {
		t.Errorf("no commit: %s", got)
	}
	r.git("init", "-q", "--bare", "bare")
	if _, got := r.since("bare", "HEAD"); !strings.Contains(got, "must be run in a work tree") {
		t.Errorf("no working tree: %s", got)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	stop := errors.New("enough")
	cancel(stop)
	if _, err := Since(ctx, Options{Dir: r.dir, Environ: environ()}); !errors.Is(err, stop) {
		t.Errorf("stopped: %v", err)
	}
}

// Settings of the user change nothing.
func TestSettings(t *testing.T) {
	t.Parallel()
	r := newRepo(t, "d/a=a", "b=b")
	for _, s := range []string{"diff.relative true", "diff.renames copies", "diff.external false", "diff.noprefix true", "color.ui always", "core.quotePath true", "diff.ignoreSubmodules all", "core.pager false", "status.showUntrackedFiles no"} {
		r.git(append([]string{"config"}, strings.Fields(s)...)...)
	}
	r.git("mv", "b", "c")
	r.do("d/ü=x")
	if _, got := r.since("d", "HEAD"); !sameParts(got, "D b, A c, A d/ü") {
		t.Errorf("got %q", got)
	}
}

func TestBefore(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("0123456789", 100_000)
	r := newRepo(t, "kept=kept", "edited=1\n2", "gone/file=gone", "empty=", "long="+long, "link>kept", "ignored/.gitignore=*", "dir/a=a")
	base := r.git("rev-parse", "HEAD")
	r.do("edited=other", "-gone", "new/file=new", "empty=full", "long=short", "-link", "link>edited", "ignored/file=as it is", "-dir", "dir=file", "git add -A", "git commit -qm x")
	c, _ := r.since("", base)
	f := c.Before(t.Context())
	for p, want := range map[string]string{"kept": "kept", "edited": "1\n2", "gone/file": "gone", "empty": "", "long": long, "ignored/file": "as it is", "dir/a": "a"} {
		got, err := f.Read(r.path(p))
		dir, problem := f.IsDir(r.path(p))
		if err != nil || got != want || dir || problem != nil {
			t.Errorf("%s: %.20q, %v; directory: %v, %v", p, got, err, dir, problem)
		}
	}
	for _, p := range []string{"new/file", "never"} {
		_, err := f.Read(r.path(p))
		_, problem := f.IsDir(r.path(p))
		if !errors.Is(err, fs.ErrNotExist) || p == "never" && !errors.Is(problem, fs.ErrNotExist) || p != "never" && !errors.Is(problem, fs.ErrNotExist) {
			t.Errorf("%s: %v, %v", p, err, problem)
		}
	}
	for _, p := range []string{"gone", "dir", "ignored", ""} {
		if dir, err := f.IsDir(r.path(p)); !dir || err != nil {
			t.Errorf("%s: %v, %v", p, dir, err)
		}
	}
	if _, err := f.Read(r.path("link")); err == nil || !strings.Contains(err.Error(), "is not known") {
		t.Errorf("what a link led to: %v", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(":100644 000000 aaaa 0000 D\x00a\x00:000000 100644 0000 bbbb A\x00b c\n\x00")
	f.Add("100644 aaaa 0\ta\x00120000 bbbb 0\tb\tc\x00")
	f.Add("a\x00b\x00")
	f.Fuzz(func(t *testing.T, s string) {
		path := func(p string) {
			if p == "" || strings.Contains(p, "\x00") {
				t.Errorf("path %q", p)
			}
		}
		parseRaw(s, func(p string, e entry) {
			path(p)
			if len(e.old) != 6 || len(e.new) != 6 {
				t.Errorf("modes %q", e)
			}
		})
		parseStage(s, func(p, mode string) { path(p) })
		names := ""
		if parseNames(s, func(p string) { path(p); names += p + "\x00" }) == nil && names != s {
			t.Errorf("%q was read as %q", s, names)
		}
	})
}

// A repository with many files and many changes.
func BenchmarkSince(b *testing.B) {
	r := newRepo(b)
	for i := range 50_000 {
		dir := r.path(fmt.Sprintf("packages/p%d/src", i/25))
		if i%25 == 0 {
			os.MkdirAll(dir, 0o755)
		}
		os.WriteFile(fmt.Sprintf("%s/f%d.c", dir, i), nil, 0o644)
	}
	r.do("git add -A", "git commit -qm many")
	for i := range 100 {
		r.do(fmt.Sprintf("packages/p%d/src/new.c=x", i))
	}
	for b.Loop() {
		c, err := Since(b.Context(), Options{Dir: r.dir, Base: "HEAD", Environ: environ()})
		if err != nil || len(c.Files) != 100 {
			b.Fatal(err)
		}
		c.Close()
	}
}

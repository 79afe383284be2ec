//go:build unix

package jobserver

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestAuthOf(t *testing.T) {
	for flags, want := range map[string]string{
		"":                                 "",
		"k -j4":                            "",
		" -j4 --jobserver-auth=3,4":        "3,4",
		"--jobserver-fds=7,5 -j":           "7,5",
		"-j8 --jobserver-auth=fifo:/tmp/x": "fifo:/tmp/x",
		"--jobserver-auth=3,4 -j --jobserver-auth=fifo:/x": "fifo:/x",
		"kw -- A=b --jobserver-auth=3,4":                   "",
		`-I\ --jobserver-auth=3,4`:                         "",
		"x--jobserver-auth=3,4":                            "",
	} {
		if got := authOf(flags); got != want {
			t.Errorf("%q: got %q, want %q", flags, got, want)
		}
	}
}

func TestWith(t *testing.T) {
	for _, c := range []struct{ flags, auth, want string }{
		{"", "-j2 --jobserver-auth=fifo:/x", "-j2 --jobserver-auth=fifo:/x"},
		{"k -j4 --jobserver-auth=3,4", "--jobserver-auth=19,20", "k -j4 --jobserver-auth=19,20"},
		{"kw -- A=b C=d", "--jobserver-auth=19,20", "kw --jobserver-auth=19,20 -- A=b C=d"},
		{`-j4 --jobserver-fds=3,4 -- A=a\ \ b`, "", `-j4 -- A=a\ \ b`},
		{"-- A=b", "-j2", "-j2 -- A=b"},
	} {
		if got := with(c.flags, c.auth); got != c.want {
			t.Errorf("%q with %q: got %q, want %q", c.flags, c.auth, got, c.want)
		}
	}
}

// FuzzWith: whatever the flags are, the jobserver is found in them that was put there, and
// none once it is taken out.
func FuzzWith(f *testing.F) {
	for _, s := range []string{"", "k -j4 --jobserver-auth=3,4", `-- A=b\`, `a\ b`, `\`, "--jobserver-fds=1,2 --"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, flags string) {
		put := with(flags, authOption+"19,20")
		if got := authOf(put); got != "19,20" {
			t.Errorf("%q: %q names %q", flags, put, got)
		}
		if none := with(put, ""); authOf(none) != "" {
			t.Errorf("%q: %q still names one", flags, none)
		}
	})
}

func TestFormFor(t *testing.T) {
	for version, want := range map[string]Form{
		"GNU Make 3.81\nCopyright": OldOption, "GNU Make 4.1": OldOption, "GNU Make 4.2.1": Descriptors, "GNU Make 4.3\nBuilt for": Descriptors,
		"GNU Make 4.4": FIFO, "GNU Make 4.4.1": FIFO, "GNU Make 5.0": FIFO, "GNU Make 10.1": FIFO, "GNU Make next": FIFO, "": FIFO, "usage: make [-n]": FIFO,
	} {
		if got := FormFor(version); got != want {
			t.Errorf("%q: got %d, want %d", version, got, want)
		}
	}
}

func makePool(t *testing.T, jobs int) *Pool {
	t.Helper()
	p, err := Make(jobs)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

// count takes all tokens there are, gives them back and returns their number.
func count(p *Pool) (n int) {
	for p.Take() {
		n++
	}
	p.Give(n)
	return n
}

func TestMake(t *testing.T) {
	for _, jobs := range []int{-1, 0, 1, 2, 8, 3000} {
		p := makePool(t, jobs)
		if got, want := count(p), max(jobs, 1)-1; got != want {
			t.Errorf("%d jobs: %d tokens, want %d", jobs, got, want)
		}
		st, err := os.Stat(p.dir)
		if err != nil || st.Mode().Perm() != 0o700 {
			t.Errorf("the directory: %v, %v", st, err)
		}
		p.Take()
		p.Close()
		p.Close()
		p.Give(1) // which Close has done
		p.Begin()
		p.End()
		if _, err := os.Stat(p.dir); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the directory is there after Close: %v", err)
		}
		if p.Take() || p.Await() != nil {
			t.Error("a closed pool has tokens")
		}
	}
}

// TestJoin: two pools share what one has made, and give back what they have taken.
func TestJoin(t *testing.T) {
	p := makePool(t, 4)
	q, environ, err := Join(p.Environ([]string{"A=b"}, FIFO))
	if err != nil || q == nil {
		t.Fatal(q, err)
	}
	defer q.Close()
	if want := []string{"A=b", "MAKEFLAGS=-j4 --jobserver-auth=" + p.auth}; !slices.Equal(environ, want) {
		t.Errorf("environment %q, want %q", environ, want)
	}
	if !p.Take() || !q.Take() || !q.Take() || q.Take() || p.Take() {
		t.Error("not three tokens for both")
	}
	free := p.Await()
	if p.Await() != free {
		t.Error("two channels for one wait")
	}
	select {
	case <-free:
		t.Error("a token is free that is not")
	default:
	}
	q.Close() // gives both back
	wait(t, free)
	if got := count(p); got != 2 {
		t.Errorf("%d tokens came back, want 2", got)
	}
}

func wait(t *testing.T, c <-chan struct{}) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(10 * time.Second):
		t.Fatal("nothing came")
	}
}

// TestInherited: the descriptors of a pipe are joined if they were inherited, whatever mode
// others have put them in, and tokens go back as they were.
func TestInherited(t *testing.T) {
	var fds [2]int
	if err := unix.Pipe(fds[:]); err != nil { // without CLOEXEC, as if inherited
		t.Fatal(err)
	}
	defer unix.Close(fds[0])
	defer unix.Close(fds[1])
	unix.Write(fds[1], []byte("ab"))
	auth := fmt.Sprintf("%d,%d", fds[0], fds[1])
	p, environ, err := Join([]string{"MFLAGS=-j3 --jobserver-auth=" + auth, "MAKEFLAGS=k -j3 --jobserver-auth=" + auth})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if want := []string{"MFLAGS=-j3 --jobserver-auth=19,20", "MAKEFLAGS=k -j3 --jobserver-auth=19,20"}; !slices.Equal(environ, want) {
		t.Errorf("environment %q, want %q", environ, want)
	}
	for n, want := range []bool{true, true, false} {
		if got := p.Take(); got != want {
			t.Errorf("token %d: %v, want %v", n+1, got, want)
		}
	}
	p.Begin()
	p.End() // fills nothing up: it is another's
	r, w := p.Files()
	for _, f := range []*os.File{r, w} {
		if flags, _ := unix.FcntlInt(f.Fd(), unix.F_GETFL, 0); flags&unix.O_NONBLOCK != 0 {
			t.Error("programs get an end that does not block")
		}
	}
	p.Close()
	b := make([]byte, 3)
	if n, _ := unix.Read(fds[0], b); string(b[:n]) != "ab" {
		t.Errorf("%q came back", b[:n])
	}
	if flags, _ := unix.FcntlInt(uintptr(fds[0]), unix.F_GETFL, 0); flags&unix.O_NONBLOCK != 0 {
		t.Error("the mode of the other's end was changed")
	}
}

// TestUnusable: what is named and cannot be used is an error, and programs are told.
func TestUnusable(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	os.WriteFile(file, []byte("+++"), 0o600)
	own, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer own.Close()
	r, w, err := os.Pipe() // closed on exec: none that was inherited
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	for _, auth := range []string{
		"-2,-2", "", "x", "3", "3,", "99999,99998", "99999999999999999999,4", "fifo:", "fifo:/nowhere/x", "fifo:" + file, "fifo:/dev/null", "fifo:/",
		fmt.Sprintf("%d,%d", own.Fd(), own.Fd()), fmt.Sprintf("%d,%d", r.Fd(), w.Fd()), fmt.Sprintf("%d,%d", w.Fd(), r.Fd()),
	} {
		p, environ, err := Join([]string{"MAKEFLAGS=-j2 --jobserver-auth=" + auth})
		if auth == "" {
			if p != nil || err != nil {
				t.Errorf("an empty name: %v, %v", p, err)
			}
			continue
		}
		var unusable *UnusableError
		if p != nil || !errors.As(err, &unusable) || unusable.Auth != auth {
			t.Errorf("%q: %v, %v", auth, p, err)
		}
		if want := []string{"MAKEFLAGS=-j2 --jobserver-auth=-2,-2"}; !slices.Equal(environ, want) {
			t.Errorf("%q: environment %q", auth, environ)
		}
	}
}

// TestLost: tokens of programs that were killed are there again when the last program has
// ended, and those that are too many are gone.
func TestLost(t *testing.T) {
	p := makePool(t, 5)
	q, _, err := Join(p.Environ(nil, FIFO))
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	p.Begin()
	p.Begin()
	p.Take()
	q.Take()
	q.held = nil // q is killed
	p.End()
	if got := count(p); got != 2 {
		t.Errorf("while a program may have it, %d tokens are free, want 2", got)
	}
	p.End()
	if got := count(p); got != 3 {
		t.Errorf("%d tokens are free, want 3", got)
	}
	p.Begin()
	q.held = []byte("xx")
	q.Give(2)
	p.End()
	if got := count(p); got != 3 {
		t.Errorf("%d tokens are free with two too many, want 3", got)
	}
	p.Give(1)
	if got := count(p); got != 4 {
		t.Errorf("%d tokens in all, want 4", got)
	}
}

// TestRealMake: the make of this system runs as many recipes at a time as there are tokens,
// and one more, by the form that is for it.
func TestRealMake(t *testing.T) {
	version, err := exec.Command("make", "--version").Output()
	if err != nil {
		t.Skip("no make:", err)
	}
	dir := t.TempDir()
	// A recipe waits until as many others as there may be have begun, and fails if there is
	// one more.
	const jobs = 3
	makefile := `
ALL := 1 2 3 4 5 6 7 8 9
all: $(ALL)
$(ALL):
	@mkdir run.$@; n=$$(ls -d run.* 2>/dev/null | wc -l); echo $$n >> counts
	@i=0; while [ $$(ls -d seen.* 2>/dev/null | wc -l) -lt 3 ] && [ $$i -lt 500 ]; do mkdir -p seen.$@; i=$$((i+1)); sleep 0.01; done; rmdir run.$@
`
	if err := os.WriteFile(filepath.Join(dir, "Makefile"), []byte(makefile), 0o600); err != nil {
		t.Fatal(err)
	}
	p := makePool(t, jobs)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "make", "-s")
	cmd.Dir = dir
	cmd.Env = p.Environ(os.Environ(), FormFor(string(version)))
	r, w := p.Files()
	cmd.ExtraFiles = make([]*os.File, WriteEnd-2)
	cmd.ExtraFiles[ReadEnd-3], cmd.ExtraFiles[WriteEnd-3] = r, w
	if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
		t.Fatalf("%v\n%s", err, out)
	}
	counts, err := os.ReadFile(filepath.Join(dir, "counts"))
	if err != nil {
		t.Fatal(err)
	}
	most := slices.Max(strings.Fields(string(counts)))
	if most != fmt.Sprint(jobs) {
		t.Errorf("%s recipes at a time, want %d", most, jobs)
	}
	if got := count(p); got != jobs-1 {
		t.Errorf("%d tokens came back, want %d", got, jobs-1)
	}
}

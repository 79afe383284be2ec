//go:build amd64 || arm64

package proc

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// output runs a script with a set-up and returns what it writes.
func output(t *testing.T, g *Group, setup *Setup, extra []string, script string) (string, Status) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	s, err := g.Run(&Spec{Path: "/bin/sh", Argv: []string{"sh", "-c", script}, Env: []string{"PATH=" + os.Getenv("PATH"), "LISTEN_PID=1"}, Extra: extra, Stdout: w, Stderr: os.Stderr, Setup: setup})
	w.Close()
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(b)), s
}

func needRoot(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only the superuser can run a program as another user")
	}
}

func TestUser(t *testing.T) {
	needRoot(t)
	tab := newTable(t, Options{})
	g := tab.NewGroup(GroupOptions{})
	defer g.Close()
	script := "grep -E '^(Uid|Gid|Groups|CapEff)' /proc/self/status"
	got, _ := output(t, g, &Setup{User: &User{UID: 65534, GID: 65533, Groups: []uint32{7, 65533}}}, nil, script)
	got = strings.Join(strings.Fields(got), " ")
	if want := "Uid: 65534 65534 65534 65534 Gid: 65533 65533 65533 65533 Groups: 7 65533 CapEff: 0000000000000000"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	// Without supplementary groups there are none of weft's own either.
	got, _ = output(t, g, &Setup{User: &User{UID: 65534, GID: 65534}}, nil, "grep -E ^Groups /proc/self/status; id -G")
	if got := strings.Join(strings.Fields(got), " "); got != "Groups: 65534" && got != "Groups: 65534 65534" {
		t.Errorf("groups: %q", got)
	}
	// As many groups as there may be make a request that does not fit into a datagram.
	many := make([]uint32, 1<<16)
	for i := range many {
		many[i] = uint32(i + 1)
	}
	if got, _ := output(t, g, &Setup{User: &User{UID: 65534, GID: 65533, Groups: many}}, nil, "grep ^Groups /proc/self/status | wc -w"); got != "65537" {
		t.Errorf("%s words about groups", got)
	}
	if _, err := g.Run(&Spec{Path: "/bin/true", Setup: &Setup{User: &User{UID: ^uint32(0), GID: 1}}}); err == nil || err.Error() != "set user: invalid argument" {
		t.Error("the number that changes nothing:", err)
	}
}

// TestUserDies: a program of another user dies with KEEPER, as any other does. A change of
// identity clears the signal for that, so it is set after the change.
func TestUserDies(t *testing.T) {
	needRoot(t)
	g := newTable(t, Options{}).NewGroup(GroupOptions{})
	defer g.Close()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	_, err = g.Run(&Spec{Path: "/proc/self/exe", Env: []string{"PROC_TEST_ROLE=pdeathsig"}, Stdout: w, Stderr: os.Stderr, Setup: &Setup{User: &User{UID: 65534, GID: 65534}}})
	w.Close()
	if out, _ := io.ReadAll(r); err != nil || string(out) != "user 65534 signal 9\nover\n" {
		t.Errorf("%q, %v", out, err)
	}
}

// TestReadable: KEEPER can be read about in /proc after it has started a program of another
// user. With a group of its own it shows: what cannot be read belongs to the group 0.
func TestReadable(t *testing.T) {
	needRoot(t)
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), "PROC_TEST_ROLE=user")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 0, Gid: 65533}}
	if out, err := cmd.CombinedOutput(); string(out) != "group 65533\nover\n" {
		t.Errorf("%q, %v", out, err)
	}
}

func TestLimits(t *testing.T) {
	g := newTable(t, Options{}).NewGroup(GroupOptions{})
	defer g.Close()
	zero, nice := int64(0), 7
	got, _ := output(t, g, &Setup{Limits: Limits{Memory: 1 << 30, Files: 99, Processes: 4321, CPUTime: 1500 * time.Millisecond, Core: &zero, Nice: &nice}}, nil, "cat /proc/self/limits; ps -o ni= -p $$ || cut -d' ' -f19 /proc/self/stat")
	for _, want := range []string{`address space +1073741824 +1073741824 `, `open files +99 +99 `, `processes +4321 +4321 `, `cpu time +2 +3 `, `core file size +0 +0 `, `(?m)^ *7$`} {
		if !regexp.MustCompile(want).MatchString(got) {
			t.Errorf("no %s in\n%s", want, got)
		}
	}
	// Programs without a set-up have what weft has.
	plain, _ := output(t, g, nil, nil, "cat /proc/self/limits")
	var own unix.Rlimit
	unix.Getrlimit(unix.RLIMIT_AS, &own)
	if own.Max == unix.RLIM_INFINITY && !regexp.MustCompile(`address space +unlimited +unlimited`).MatchString(plain) {
		t.Error(plain)
	}
}

func TestListenPID(t *testing.T) {
	g := newTable(t, Options{}).NewGroup(GroupOptions{})
	defer g.Close()
	const script = `[ "$LISTEN_PID" = $$ ] && cat /proc/$$/environ | tr '\0' '\n' | grep -c LISTEN_PID=`
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if got, s := output(t, g, &Setup{ListenPID: true}, []string{"LISTEN_PID=2", "LISTEN_FDS=1"}, script); got != "1" || s.Code != 0 {
				t.Errorf("got %q, %+v", got, s)
			}
		})
	}
	wg.Wait()
	// A request that does not fit into a datagram has it, too.
	if got, _ := output(t, g, &Setup{ListenPID: true}, []string{"LONG=" + strings.Repeat("x", 100_000), "MORE=" + strings.Repeat("y", 100_000)}, script); got != "1" {
		t.Errorf("spilled: %q", got)
	}
	if got, _ := output(t, g, nil, nil, "echo $LISTEN_PID"); got != "1" {
		t.Errorf("without: %q", got)
	}
}

func TestSetupErrors(t *testing.T) {
	g := newTable(t, Options{}).NewGroup(GroupOptions{})
	defer g.Close()
	null, err := os.OpenFile(os.DevNull, os.O_RDONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	cases := map[string]*Setup{
		"join the control group: bad file descriptor": {Cgroup: null},
	}
	if os.Getuid() == 0 {
		cases["limit open files: operation not permitted: it exceeds weft's own hard limit (ulimit -H)"] = &Setup{Limits: Limits{Files: 1 << 40}} // above fs.nr_open
		cases["set supplementary groups: invalid argument: weft's user namespace does not have this ID"] = &Setup{User: &User{UID: 1, GID: 1, Groups: []uint32{^uint32(0)}}}
	} else {
		cases["set supplementary groups: operation not permitted: weft lacks CAP_SETUID or CAP_SETGID, or its user namespace forbids it"] = &Setup{User: &User{UID: 1, GID: 1}}
	}
	for want, setup := range cases {
		for _, confirm := range []bool{false, true} {
			_, err := g.Run(&Spec{Path: "/bin/true", Setup: setup, Confirm: confirm})
			var failed *SetupError
			if !errors.As(err, &failed) || err.Error() != want {
				t.Errorf("got %v, want %s", err, want)
			}
		}
	}
	if _, err := g.Run(&Spec{Path: "/bin/none", Setup: &Setup{Limits: Limits{Files: 10}}}); !errors.Is(err, os.ErrNotExist) || !strings.HasPrefix(err.Error(), "fork/exec") {
		t.Error("a program that does not exist:", err)
	}
}

// TestCgroup: the program joins the group whose file it is given, before it starts.
func TestCgroup(t *testing.T) {
	g := newTable(t, Options{}).NewGroup(GroupOptions{})
	defer g.Close()
	// Any file that is written to shows it. The shell itself has one descriptor more.
	f, err := os.CreateTemp(t.TempDir(), "procs")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if got, _ := output(t, g, &Setup{Cgroup: f}, nil, "cat "+f.Name()+"; echo; cd /proc/self/fd; echo *"); got != "0\n0 1 2 3" {
		t.Errorf("got %q", got)
	}
}

// showDeathSignal prints the signal that this process gets when its parent ends.
func showDeathSignal() {
	var sig int32
	unix.Prctl(unix.PR_GET_PDEATHSIG, uintptr(unsafe.Pointer(&sig)), 0, 0, 0)
	fmt.Println("user", os.Getuid(), "signal", sig)
}

package cgroup

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

func TestDirectory(t *testing.T) {
	const (
		unified   = "35 24 0:30 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n"
		hybrid    = "31 24 0:26 / /sys/fs/cgroup ro - tmpfs tmpfs ro\n41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"
		container = "900 880 0:30 /docker/abc /sys/fs/cgroup ro - cgroup2 cgroup rw\n"
	)
	for _, test := range []struct {
		of, mounts, dir string
		root            bool
	}{
		{"0::/user.slice/session-1.scope\n", unified, "/sys/fs/cgroup/user.slice/session-1.scope", false},
		{"0::/\n", unified, "/sys/fs/cgroup", true},
		{"4:memory:/x\n0::/a\n", hybrid, "/sys/fs/cgroup/unified/a", false},
		{"0::/docker/abc/d\n", container, "/sys/fs/cgroup/d", false},
		{"0::/docker/abcd\n", container, "", false},
		{"0::/../outside\n", unified, "", false},
		{"4:memory:/x\n", unified, "", false},
		{"0::/a\n", "", "", false},
		{"", "nonsense - cgroup2 \n - \n", "", false},
	} {
		if dir, root := directory(test.of, test.mounts); dir != test.dir || root != test.root {
			t.Errorf("%q of %q: %q, %t, want %q, %t", test.of, test.mounts, dir, root, test.dir, test.root)
		}
	}
}

func TestKilled(t *testing.T) {
	for events, want := range map[string]int{
		"low 0\nhigh 0\nmax 7\noom 1\noom_kill 1\noom_group_kill 0\n": 1,
		"max 7\noom 3\noom_kill 0\n":                                  0,
		"oom_kill 12\n":                                               12,
		"":                                                            0,
	} {
		if got := killed(events); got != want {
			t.Errorf("%q: %d", events, got)
		}
	}
}

// playground returns a new group below the one that is mounted.
func playground(t *testing.T) string {
	t.Helper()
	mounts, _ := os.ReadFile("/proc/self/mountinfo")
	root, _ := directory("0::/\n", string(mounts))
	if root == "" {
		t.Skip("no control groups of version 2 are mounted")
	}
	dir := filepath.Join(root, "weft-test-"+strconv.Itoa(os.Getpid()))
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Skip("groups cannot be made here: ", err)
	}
	t.Cleanup(func() { os.Remove(dir) })
	return dir
}

// sleeper starts a process in a group.
func sleeper(t *testing.T, join func(pid []byte) error) *exec.Cmd {
	t.Helper()
	p := exec.Command("sleep", "600")
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Process.Kill(); p.Wait() })
	if err := join(strconv.AppendInt(nil, int64(p.Process.Pid), 10)); err != nil {
		t.Fatal(err)
	}
	return p
}

// TestGroup: a process joins a group by its file, and the group is gone when it is closed,
// unless processes are kept there.
func TestGroup(t *testing.T) {
	dir := playground(t)
	g, err := below(dir, "weft-1", Limits{})
	if err != nil {
		t.Fatal(err)
	}
	join := func(pid []byte) error { _, err := g.Procs().Write(pid); return err }
	p := sleeper(t, join)
	if got, _ := os.ReadFile(filepath.Join(g.dir, "cgroup.procs")); strings.TrimSpace(string(got)) != strconv.Itoa(p.Process.Pid) {
		t.Errorf("in the group: %q", got)
	}
	g.Close()
	if _, err := os.Stat(g.dir); err != nil {
		t.Error("a group with a process in it: ", err)
	}
	p.Process.Kill()
	p.Wait()
	g.Close()
	if _, err := os.Stat(g.dir); !errors.Is(err, os.ErrNotExist) {
		t.Error("the group is still there: ", err)
	}
	// What cannot be limited leaves nothing behind.
	if _, err := below(dir, "weft-2", Limits{Memory: -1 << 40, Processes: 1}); err == nil {
		t.Skip("this group has all controllers already")
	}
	if _, err := os.Stat(filepath.Join(dir, "weft-2")); !errors.Is(err, os.ErrNotExist) {
		t.Error("a group without limits: ", err)
	}
}

// TestEnable: processes move out of the way of controllers, if all are this one's.
func TestEnable(t *testing.T) {
	dir := playground(t)
	// Any controller shows it.
	parent := filepath.Dir(dir)
	all, _ := os.ReadFile(filepath.Join(parent, "cgroup.controllers"))
	names := strings.Fields(string(all))
	if len(names) == 0 {
		t.Skip("there are no controllers")
	}
	before, _ := os.ReadFile(filepath.Join(parent, "cgroup.subtree_control"))
	if err := enable(parent, names[:1]); err != nil {
		t.Skip("no controller can be enabled: ", err)
	}
	if !strings.Contains(string(before), names[0]) {
		t.Cleanup(func() {
			os.Remove(filepath.Join(dir, "weft"))
			write(filepath.Join(dir, "cgroup.subtree_control"), []byte("-"+names[0]))
			write(filepath.Join(parent, "cgroup.subtree_control"), []byte("-"+names[0]))
		})
	}
	p := sleeper(t, func(pid []byte) error { return write(filepath.Join(dir, "cgroup.procs"), pid) })
	if err := enable(dir, names[:1]); err != nil {
		t.Fatal(err)
	}
	if on, _ := os.ReadFile(filepath.Join(dir, "cgroup.subtree_control")); !strings.Contains(string(on), names[0]) {
		t.Errorf("enabled: %q", on)
	}
	if got, _ := os.ReadFile(filepath.Join(dir, "weft", "cgroup.procs")); strings.TrimSpace(string(got)) != strconv.Itoa(p.Process.Pid) {
		t.Errorf("moved: %q", got)
	}
	if !descends(p.Process.Pid, os.Getpid()) || descends(os.Getppid(), os.Getpid()) {
		t.Error("who descends from whom is wrong")
	}
	if err := enable(dir, []string{"nosuch"}); err == nil {
		t.Error("a controller that does not exist was enabled")
	}
	p.Process.Kill()
	p.Wait()
}

// TestOutOfMemory: who uses more memory than the group has is killed, and that is known.
func TestOutOfMemory(t *testing.T) {
	g, err := New("test", Limits{Memory: 16 << 20, Processes: 8})
	if err != nil {
		t.Skip("there is no group with limits here: ", err)
	}
	defer g.Close()
	// tail keeps a line until it ends, and this one never does.
	hungry := exec.Command("sh", "-c", "echo 0 >"+filepath.Join(g.dir, "cgroup.procs")+"; tail /dev/zero; exit $?")
	if err := hungry.Run(); hungry.ProcessState.ExitCode() != 137 {
		t.Error("it ended with ", err)
	}
	if !g.OutOfMemory() {
		t.Error("nobody knows why")
	}
}

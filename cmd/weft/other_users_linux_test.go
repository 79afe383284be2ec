package main

import (
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// nobody is the number of a user without files.
const nobody = 65534

// TestStopOnlyWefts: a process with the name of a keeper, and a run in its environment, does not
// make its parent a run that could be stopped.
func TestStopOnlyWefts(t *testing.T) {
	// weft would signal the parent: this process.
	told := make(chan os.Signal, 8)
	signal.Notify(told, syscall.SIGTERM)
	defer signal.Stop(told)
	sh, err := os.ReadFile("/bin/sh")
	if err != nil {
		t.Skip("a copy of a shell is needed: ", err)
	}
	dir := t.TempDir()
	if err := os.Chmod(filepath.Dir(dir), 0o711); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(dir, "wf-keeper")
	if err := os.WriteFile(name, sh, 0o755); err != nil {
		t.Fatal(err)
	}
	users := map[string]*syscall.Credential{"own": nil}
	if os.Geteuid() == 0 {
		users["another user's"] = &syscall.Credential{Uid: nobody, Gid: nobody}
	}
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(pair[0])
	control := os.NewFile(uintptr(pair[1]), "control")
	defer control.Close()
	n := 0
	for user, credential := range users {
		for socket, files := range map[string][]*os.File{"without a socket": nil, "with a socket": {control}} {
			t.Run(user+" "+socket, func(t *testing.T) {
				n++
				run := "fa15e" + strconv.Itoa(n)
				fake := exec.Cmd{Path: name, Args: []string{"wf-keeper"}, Env: []string{"WEFT_RUN_ID=" + run, "PATH=" + os.Getenv("PATH")},
					SysProcAttr: &syscall.SysProcAttr{Credential: credential, Pdeathsig: syscall.SIGKILL}, ExtraFiles: files}
				in, err := fake.StdinPipe()
				if err != nil {
					t.Fatal(err)
				}
				out, err := fake.StdoutPipe()
				if err != nil {
					t.Fatal(err)
				}
				if err := fake.Start(); err != nil {
					t.Fatal(err)
				}
				defer fake.Wait()
				defer in.Close()
				in.Write([]byte("echo ready\n")) // it is a shell now
				if _, err := out.Read(make([]byte, 8)); err != nil {
					t.Fatal(err)
				}
				for _, by := range []string{run, strconv.Itoa(os.Getpid())} {
					said, err := exec.Command("weft", "--stop", by).CombinedOutput()
					if err == nil || !strings.Contains(string(said), `no run "`+by+`"`) {
						t.Errorf("--stop %s: %v, %s", by, err, said)
					}
				}
				if said, _ := exec.Command("weft", "--ps").CombinedOutput(); strings.Contains(string(said), run) {
					t.Errorf("--ps shows it: %s", said)
				}
				select {
				case <-told:
					t.Error("its parent was told to end")
				default:
				}
			})
		}
	}
}

// TestStopNotFirst: a weft that is the first process of a container is ended from
// without, with the container, and not by --stop within.
func TestStopNotFirst(t *testing.T) {
	f := newFirstProcess(t, "tasks: {default: 'sh -c \"touch ready; while [ ! -e go ]; do sleep 0.01; done\"'}\n")
	pid := f.start()
	stop := exec.Command("nsenter", "--target", strconv.Itoa(pid), "--pid", "--mount", "weft", "--stop")
	said, err := stop.CombinedOutput()
	if !strings.Contains(string(said), "nothing runs") {
		t.Errorf("--stop: %v, %s", err, said)
	}
	if err := os.WriteFile(filepath.Join(f.dir, "go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := f.Wait(); err != nil {
		t.Errorf("%v; %s", err, &f.out)
	}
}

// asNobody makes weft run as another user, who cannot read its binary.
func asNobody(args ...string) *exec.Cmd {
	return &exec.Cmd{Path: "/proc/self/exe", Args: append([]string{"weft"}, args...), Dir: "/", Env: []string{"PATH=" + os.Getenv("PATH")},
		SysProcAttr: &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}}
}

// TestReapOthers: --reap of a user finds no process of an active run, even if the run belongs to
// another user and its keeper cannot be queried; nor a process of another user.
func TestReapOthers(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can be several users")
	}
	s := newSurvivors(t, "tasks:\n  default: 'probe A fork:B,user:65534,hold fork:C,user:65534,setsid,hold hold'\n")
	s.start()
	met := s.probes.Accept("A", "B", "C")
	run := ""
	environ, _ := os.ReadFile("/proc/" + met[1].PID + "/environ")
	for kv := range strings.SplitSeq(string(environ), "\x00") {
		if v, ok := strings.CutPrefix(kv, "WEFT_RUN_ID="); ok {
			run = v[strings.LastIndexByte(v, ':')+1:]
		}
	}
	if run == "" {
		t.Fatal("no run in the environment")
	}
	for _, who := range []*exec.Cmd{asNobody("--reap=all", run), exec.Command("weft", "--reap=all", run)} {
		if said, err := who.CombinedOutput(); err != nil || len(said) > 0 {
			t.Errorf("--reap: %v, %s", err, said)
		}
	}
	for _, p := range met {
		if p.Dead() {
			t.Errorf("%s is dead", p.Role)
		}
	}
	// Without weft and its keeper each user finds only his own processes.
	s.Process.Signal(syscall.SIGSTOP)
	if err := unix.Waitid(unix.P_PID, s.Process.Pid, nil, unix.WSTOPPED|unix.WNOWAIT, nil); err != nil {
		t.Fatal(err)
	}
	syscall.Kill(keeperOf(s.Process.Pid), syscall.SIGKILL)
	s.Process.Kill()
	s.Wait()
	met[0].AwaitDeath()
	if said, err := exec.Command("weft", "--reap=all", run).CombinedOutput(); err != nil || len(said) > 0 {
		t.Errorf("--reap of root: %v, %s", err, said)
	}
	if met[1].Dead() || met[2].Dead() {
		t.Error("root ended another user's processes")
	}
	if said, err := asNobody("--reap=all", run).CombinedOutput(); err != nil || strings.Count(string(said), "has ended") != 2 {
		t.Errorf("--reap: %v, %s", err, said)
	}
	s.probes.AwaitAllDead()
}

// TestRootInProject: a user can use the files that root creates in the user's project: nothing runs
// again, and the runs of both are in the history.
func TestRootInProject(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can be several users")
	}
	dir := t.TempDir()
	taskfile := "version: '3'\nsilent: true\ntasks:\n  default: {sources: [Taskfile.yml], cmds: [echo ran]}\n"
	if err := os.WriteFile(filepath.Join(dir, "Taskfile.yml"), []byte(taskfile), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{dir, filepath.Join(dir, "Taskfile.yml")} {
		if err := os.Chown(path, nobody, nobody); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(filepath.Dir(dir), 0o711); err != nil {
		t.Fatal(err)
	}
	root := exec.Command("weft", "-d", dir)
	root.Env = append(os.Environ(), "WEFT_HISTORY=")
	for _, c := range []struct {
		cmd  *exec.Cmd
		want string
	}{
		{root, "ran\n"},
		{asNobody("-d", dir), ""},
		{asNobody("-d", dir, "-f"), "ran\n"},
		{asNobody("-d", dir, "--history"), "default"},
	} {
		said, err := c.cmd.CombinedOutput()
		switch {
		case err != nil:
			t.Errorf("%q: %v, %s", c.cmd.Args, err, said)
		case c.want == "default":
			if strings.Count(string(said), c.want) != 3 {
				t.Errorf("there are not three runs: %s", said)
			}
		case string(said) != c.want:
			t.Errorf("%q: %q, want %q", c.cmd.Args, said, c.want)
		}
	}
	filepath.WalkDir(filepath.Join(dir, ".weft"), func(path string, d os.DirEntry, err error) error {
		if err != nil {
			t.Fatal(err)
		}
		info, err := d.Info()
		if err != nil {
			t.Fatal(err)
		}
		if st := info.Sys().(*syscall.Stat_t); st.Uid != nobody {
			t.Errorf("%s belongs to %d", path, st.Uid)
		}
		return nil
	})
}

package main

import (
	"bytes"
	"fmt"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// TestWithoutClone3: if a filter refuses clone3, as older container runtimes do, programs still
// start with default signal handlers and no blocked signals.
func TestWithoutClone3(t *testing.T) {
	dir := project(t, map[string]string{"Taskfile.yml": "tasks:\n  default:\n  - grep -E 'Sig(Blk|Ign|Cgt)' /proc/self/status\n  - cmd: ./missing\n    ignore_error: true\n  - echo $(printf %s done)\n"})
	run := func() (string, error) {
		cmd := exec.Command("weft")
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	want, err := run()
	if err != nil {
		t.Fatal(err, want)
	}
	var got string
	refusing(t, unix.ENOSYS, []uint32{unix.SYS_CLONE3}, func() { got, err = run() })
	if err != nil || got != want {
		t.Errorf("%v, %s; want %s", err, got, want)
	}
}

// TestWithoutPidfd: if a filter refuses pidfd_open or pidfd_send_signal, all processes are still
// ended, and --stop and --reap work.
func TestWithoutPidfd(t *testing.T) {
	for name, refused := range map[string][]uint32{"send": {unix.SYS_PIDFD_SEND_SIGNAL}, "open": {unix.SYS_PIDFD_OPEN}} {
		for _, errno := range []unix.Errno{unix.ENOSYS, unix.EPERM, unix.EACCES} {
			t.Run(name+" "+errno.Error(), func(t *testing.T) {
				t.Parallel()
				s := newSurvivors(t, "tasks: {default: {cmds: [{cmd: 'VICTIM ignore:TERM hold', stop: {grace: 10ms}}]}}\n")
				refusing(t, errno, refused, s.start)
				s.probes.Accept("A", "B", "C", "D")
				stop := exec.Command("weft", "--stop", strconv.Itoa(s.Process.Pid))
				var out bytes.Buffer
				stop.Stdout, stop.Stderr = &out, &out
				refusing(t, errno, refused, func() {
					if err := stop.Start(); err != nil {
						t.Error(err)
					}
				})
				s.Wait()
				s.gone(0)
				if err := stop.Wait(); err != nil || !strings.Contains(out.String(), "has ended") {
					t.Errorf("--stop: %v, %s", err, &out)
				}
			})
		}
	}
}

// refusing calls f in a thread in which some system calls fail. They also fail in programs that f
// starts.
func refusing(t *testing.T, errno unix.Errno, calls []uint32, f func()) {
	t.Helper()
	filtering(t, func(call uint32) error { return refuse(call, errno) }, calls, f)
}

// killing calls f in a thread in which some system calls end the process. They also do in programs that f
// starts.
func killing(t *testing.T, calls []uint32, f func()) {
	t.Helper()
	filtering(t, func(call uint32) error { return filter(call, unix.SECCOMP_RET_KILL_PROCESS) }, calls, f)
}

// filtering calls f in a thread of its own, in which add was called for some system calls.
func filtering(t *testing.T, add func(call uint32) error, calls []uint32, f func()) {
	t.Helper()
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		var err error
		for _, call := range calls {
			if err == nil {
				err = add(call)
			}
		}
		if err == nil {
			f()
		}
		done <- err
	}()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

// refuse makes a system call fail in this thread and in programs that it starts.
func refuse(number uint32, errno unix.Errno) error {
	if err := filter(number, unix.SECCOMP_RET_ERRNO|uint32(errno)); err != nil {
		return err
	}
	if _, _, e := unix.RawSyscall(uintptr(number), 0, 0, 0); e != errno {
		return fmt.Errorf("the refused call: %v", e)
	}
	return nil
}

// filter makes a system call have a result of seccomp in this thread and in programs that it starts.
func filter(number, result uint32) error {
	filter := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS}, // load the number of the system call
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jf: 1, K: number},
		{Code: unix.BPF_RET | unix.BPF_K, K: result},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
	}
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	return unix.Prctl(unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, uintptr(unsafe.Pointer(&program)), 0, 0)
}

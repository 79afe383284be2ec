package main

import (
	"fmt"
	"os/exec"
	"runtime"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// TestWithoutClone3: where a filter refuses clone3, as in older container
// runtimes, programs start all the same, with no handler and no blocked signal.
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
	type result struct {
		out string
		err error
	}
	done := make(chan result)
	go func() {
		runtime.LockOSThread() // for good: the thread ends with the goroutine
		err := refuse(unix.SYS_CLONE3)
		var out string
		if err == nil {
			out, err = run()
		}
		done <- result{out, err}
	}()
	if got := <-done; got.err != nil || got.out != want {
		t.Errorf("%v, %s; want %s", got.err, got.out, want)
	}
}

// refuse makes a system call fail with ENOSYS, in this thread and what it starts.
func refuse(number uint32) error {
	filter := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS}, // the number of the call
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jf: 1, K: number},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS)},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
	}
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	if err := unix.Prctl(unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, uintptr(unsafe.Pointer(&program)), 0, 0); err != nil {
		return err
	}
	if _, _, e := unix.RawSyscall(uintptr(number), 0, 0, 0); e != unix.ENOSYS {
		return fmt.Errorf("the refused call: %v", e)
	}
	return nil
}

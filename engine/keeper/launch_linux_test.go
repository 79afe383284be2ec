//go:build amd64 || arm64

package keeper

import (
	"os"
	"runtime"
	"syscall"
	"testing"
	"unsafe"
)

// BenchmarkClone makes children with KEEPER's own clone, and BenchmarkForkExec in the plain
// Go way: several at a time, from one thread, as KEEPER does for steps that run concurrently. The
// Go way waits for each exec, and copies the environment.
func BenchmarkClone(b *testing.B) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var k keeper
	k.blockSignals()
	defer syscall.RawSyscall6(syscall.SYS_RT_SIGPROCMASK, sigSetmask, uintptr(unsafe.Pointer(&k.mask)), 0, 8, 0, 0)
	path, _ := syscall.BytePtrFromString(truePath)
	argv := []*byte{path, nil}
	envp, _ := syscall.SlicePtrFromStrings(os.Environ())
	null := nullDevice(b)
	benchmarkStart(b, func() int {
		l := k.free()
		l.program = program{path: path, argv: &argv[0], envp: &envp[0], count: 3}
		for i := range 3 {
			l.program.files[i] = file{fd: int32(null), number: int32(i)}
		}
		return int(l.start(&k))
	})
}

func BenchmarkForkExec(b *testing.B) {
	env := os.Environ()
	null := uintptr(nullDevice(b))
	attr := syscall.ProcAttr{Env: env, Files: []uintptr{null, null, null}, Sys: &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}}
	benchmarkStart(b, func() int {
		pid, err := syscall.ForkExec(truePath, []string{truePath}, &attr)
		if err != nil {
			b.Fatal(err)
		}
		return pid
	})
}

const truePath = "/bin/true"

func nullDevice(b *testing.B) int {
	f, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { f.Close() })
	return int(f.Fd())
}

// benchmarkStart starts children, a few at a time, and waits for their end.
func benchmarkStart(b *testing.B, start func() (pid int)) {
	b.ReportAllocs()
	var running []int
	reap := func(most int) {
		for len(running) > most {
			var status syscall.WaitStatus
			_, err := syscall.Wait4(running[0], &status, 0, nil)
			if err == syscall.EINTR {
				continue
			}
			if err != nil || status != 0 {
				b.Fatal(err, status)
			}
			running = running[1:]
		}
	}
	for b.Loop() {
		reap(3)
		pid := start()
		if pid <= 0 {
			b.Fatal(syscall.Errno(-pid))
		}
		running = append(running, pid)
	}
	reap(0)
}

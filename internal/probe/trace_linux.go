package probe

import (
	"runtime"

	"golang.org/x/sys/unix"
)

// trace traces a process until it ends, and returns when tracing has begun.
func trace(pid int) error {
	begun := make(chan error)
	go func() {
		runtime.LockOSThread() // for good: the tracer is a thread
		var status unix.WaitStatus
		err := unix.PtraceAttach(pid)
		if err == nil {
			if _, err = unix.Wait4(pid, &status, unix.WALL, nil); err == nil {
				err = unix.PtraceCont(pid, 0)
			}
		}
		begun <- err
		for err == nil {
			if _, err = unix.Wait4(pid, &status, unix.WALL, nil); err != nil || !status.Stopped() {
				return
			}
			sig := int(status.StopSignal())
			if status.StopSignal() == unix.SIGSTOP {
				sig = 0
			}
			err = unix.PtraceCont(pid, sig)
		}
	}()
	return <-begun
}

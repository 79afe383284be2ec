//go:build unix

package main

import (
	"cmp"
	"io/fs"
	"os"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/weftrun/weft/engine/proc"
)

// The signals that a run handles: those that stop it, which must be routed before it starts
// anything, and the others.
var (
	stops  = [...]os.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP}
	others = [...]os.Signal{syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGTSTP, syscall.SIGWINCH}
)

// harmless handles a signal that arrives while nothing runs, and reports whether the program
// continues.
func harmless(sig os.Signal) bool {
	switch sig {
	case syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGWINCH: // for commands
		return true
	case syscall.SIGTSTP:
		proc.StopSelf()
		return true
	}
	return false
}

// suspends reports whether sig is that of Ctrl-Z.
func suspends(sig os.Signal) bool { return sig == syscall.SIGTSTP }

// resizes reports whether sig says that the size of the terminal has changed.
func resizes(sig os.Signal) bool { return sig == syscall.SIGWINCH }

// dump prints the stacks of weft's goroutines, for SIGQUIT with WEFT_DEBUG set.
func dump(sig os.Signal) {
	if sig == syscall.SIGQUIT {
		stacks := make([]byte, 4<<20)
		os.Stderr.Write(stacks[:runtime.Stack(stacks, true)])
	}
}

// interruptJob sends SIGINT to the shell's job that this process belongs to.
func interruptJob() { syscall.Kill(0, syscall.SIGINT) }

// signalName returns the name of a signal, such as SIGTERM.
func signalName(sig syscall.Signal) string { return cmp.Or(unix.SignalName(sig), sig.String()) }

// kill sends sig to this process and waits for it.
func kill(sig syscall.Signal) {
	if syscall.Kill(os.Getpid(), sig) == nil {
		time.Sleep(time.Second) // the signal ends the process earlier
	}
}

// isOurs reports whether a file or directory belongs to the user that weft runs as.
func isOurs(file fs.FileInfo) bool {
	st, ok := file.Sys().(*syscall.Stat_t)
	return ok && int(st.Uid) == os.Geteuid()
}

// mayBe reports whether a file in dir has one of the permitted owners.
func mayBe(file fs.FileInfo, dir string, whose owners) bool {
	st, ok := file.Sys().(*syscall.Stat_t)
	if !ok || st.Uid == 0 || int(st.Uid) == os.Geteuid() {
		return ok
	}
	if whose == oursOnly {
		return false
	}
	in, err := os.Stat(dir)
	if err != nil || in.Mode().Perm()&0o002 == 0 {
		return err == nil
	}
	at, ok := in.Sys().(*syscall.Stat_t)
	return ok && at.Uid == st.Uid
}

//go:build unix

package main

import (
	"os"
	"syscall"
	"time"
)

// kill sends sig to this process and gives it the time to arrive.
func kill(sig syscall.Signal) {
	if syscall.Kill(os.Getpid(), sig) == nil {
		time.Sleep(time.Second) // the signal ends the process long before
	}
}

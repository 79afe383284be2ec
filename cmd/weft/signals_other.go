//go:build !unix

package main

import (
	"os"
	"syscall"
)

// routed are the signals that do something to a run.
var routed = [...]os.Signal{os.Interrupt, syscall.SIGTERM}

func harmless(os.Signal) bool { return false }

func dump(os.Signal) {}

// interruptJob is nil: there are no jobs here.
var interruptJob func()

func kill(syscall.Signal) {}

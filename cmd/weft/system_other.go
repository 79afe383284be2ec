//go:build !unix

package main

import (
	"io/fs"
	"os"
	"syscall"
)

// The signals that a run handles: those that stop it, and no others.
var (
	stops  = [...]os.Signal{os.Interrupt, syscall.SIGTERM}
	others [0]os.Signal
)

func harmless(os.Signal) bool { return false }

func suspends(os.Signal) bool { return false }

func resizes(os.Signal) bool { return false }

func dump(os.Signal) {}

// interruptJob is nil: there is no job control.
var interruptJob func()

// signalName returns what the system calls a signal.
func signalName(sig syscall.Signal) string { return sig.String() }

func kill(syscall.Signal) {}

// isOurs returns true: owners are unknown.
func isOurs(fs.FileInfo) bool { return true }

// mayBe returns true: owners are unknown.
func mayBe(fs.FileInfo, string, owners) bool { return true }

// keys are not supported.
type keys struct{}

func newKeys(*os.File, func(byte)) *keys { return nil }

func (*keys) listen() {}

func (*keys) pause() {}

//go:build !unix

package main

import (
	"io/fs"
	"os"
	"syscall"
)

// The signals that do something to a run: those that stop it, and there are no
// others.
var (
	stops  = [...]os.Signal{os.Interrupt, syscall.SIGTERM}
	others [0]os.Signal
)

func harmless(os.Signal) bool { return false }

func dump(os.Signal) {}

// interruptJob is nil: there are no jobs here.
var interruptJob func()

func kill(syscall.Signal) {}

// mayBe cannot tell here whose a file is.
func mayBe(fs.FileInfo, string, owners) bool { return true }

// keys are not read here.
type keys struct{}

func newKeys(*os.File, func(byte)) *keys { return nil }

func (*keys) listen() {}

func (*keys) pause() {}

//go:build unix

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/weftrun/weft/engine/event"
)

// killAt names an event, by its number from 1, at which weft is to be killed, and the victim: "17
// keeper". Only the weft of this test binary obeys it.
const killAt = "WEFT_TEST_KILL_AT"

// mortal is weft's main, with a fault at an event.
func mortal() {
	notifierLimit, agentLimit = patience, patience
	if at, who, ok := strings.Cut(os.Getenv(killAt), " "); ok {
		n, _ := strconv.Atoi(at)
		observe = func(event.Event) {
			if n--; n == 0 {
				strike(who)
			}
		}
	}
	main()
}

// strike kills this process, its process group or its keeper; without one yet it kills itself.
func strike(who string) {
	self := os.Getpid()
	keeper := keeperOf(self)
	for tries := 0; keeper == 0 && tries < 20; tries++ { // such a list may be incomplete
		keeper = keeperOf(self)
	}
	switch {
	case who == "group" && syscall.Getpgrp() == self:
		syscall.Kill(-self, syscall.SIGKILL)
	case who == "keeper" && keeper != 0:
		syscall.Kill(keeper, syscall.SIGKILL)
	case who == "both" && keeper != 0:
		syscall.Kill(keeper, syscall.SIGKILL)
		syscall.Kill(self, syscall.SIGKILL)
	default:
		syscall.Kill(self, syscall.SIGKILL)
	}
}

// keeperOf returns the keeper of a weft, or 0.
func keeperOf(pid int) int {
	lists, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, list := range lists {
		text, _ := os.ReadFile(list)
		for f := range strings.FieldsSeq(string(text)) {
			if comm, _ := os.ReadFile("/proc/" + f + "/comm"); string(comm) == "wf-keeper\n" {
				n, _ := strconv.Atoi(f)
				return n
			}
		}
	}
	return 0
}

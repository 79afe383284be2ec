//go:build !unix

package main

import (
	"errors"

	"github.com/weftrun/weft/engine"
)

// detach handles --detach.
func (a *app) detach() int {
	return a.failIn("--detach", errors.New("--detach is not supported on this system"))
}

// attach handles --attach.
func (a *app) attach() int {
	return a.failIn("--attach", errors.New("not supported on this system; see --logs"))
}

// fullScreen handles --tui.
func (a *app) fullScreen() int { return a.failIn("--tui", errors.New("not supported on this system")) }

// detacher is empty on this system.
type detacher struct{}

func newDetacher(bool) *detacher { return nil }

func (*detacher) ready(string) {}

func (*detacher) listening(string) {}

func (*detacher) userLeft() bool { return false }

func (*detacher) terminal() *lease { return nil }

func (*detacher) useTerminal(*app, *engine.Options) {}

// Package cgroup makes control groups (cgroup v2) that bound what several processes use
// together. It makes them below the group that weft is in, where that has been given to weft:
// in a container with a control group namespace of its own, and where systemd delegates one. It
// knows no steps, and starts no process: a program joins a group by its open file.
//
//	GROUP                 weft's own at the start
//	├── weft              weft and its keeper, which moved here: a group with limits below it
//	│                     may hold no processes itself
//	└── weft-NAME         of New
package cgroup

import (
	"errors"
	"os"
)

// Limits bound all processes of a group together. 0 means no limit.
type Limits struct {
	Memory    int64 // bytes, swap excluded
	Processes int64 // and threads
}

// Group is a control group with limits.
type Group struct {
	dir   string
	procs *os.File
}

// ErrUnavailable is the error of New where weft may not make groups with such limits.
var ErrUnavailable = errors.New("weft has no control group of its own")

// Procs returns the open file that a process joins the group by, when it writes 0 to it. It
// belongs to g.
func (g *Group) Procs() *os.File { return g.procs }

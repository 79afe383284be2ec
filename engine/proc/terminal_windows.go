package proc

import (
	"os"
	"sync"
	"sync/atomic"
	"syscall"
)

// terminal is nothing here: there is no foreground to lend, and every program
// may read the console.
type terminal struct {
	stdin       bool
	interrupted func(bool)
	file        atomic.Pointer[os.File] // nil
	mu          sync.Mutex
	owner       *Group
	pgid        int
}

func (m *terminal) open(*Table)            {}
func (m *terminal) close()                 {}
func (m *terminal) canLend(*Group) bool    { return false }
func (m *terminal) remember(*Group)        {}
func (m *terminal) takeBack(bool)          {}
func (m *terminal) ended(*Process, Status) {}
func (m *terminal) reclaim(*Group)         {}
func (m *terminal) closed(*Group)          {}

// Read makes weft itself the reader of the console, for g.
func (g *Group) Read() (release func(), err error) { return func() {}, nil }

// session returns "": there are no sessions.
func session() string { return "" }

// sigCont would continue what is stopped; nothing can be.
const sigCont = syscall.Signal(0)

// Signal does nothing: there are no signals here.
func (t *Table) Signal(syscall.Signal) {}

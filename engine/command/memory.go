package command

import (
	"time"

	"github.com/weftrun/weft/engine/cgroup"
)

// memory detects whether the kernel has killed a process since the run began because memory was
// exhausted. It reads the control group of weft, so that the process need not be one of weft's. The
// zero memory knows nothing.
type memory struct {
	looked chan struct{} // closed when killed is known; nil: not watching
	killed int           // count at the start of the run
}

// memoryWatchedAfter is the delay before the first reading: finding the control group of weft takes
// longer than a short run should.
const memoryWatchedAfter = 100 * time.Millisecond

// watch records the initial state, in the background.
func (m *memory) watch() {
	m.looked = make(chan struct{})
	time.AfterFunc(memoryWatchedAfter, func() {
		defer close(m.looked)
		m.killed = cgroup.Killed()
	})
}

// short reports whether a process was killed. Early in the run it is false.
func (m *memory) short() bool {
	select {
	case <-m.looked:
		return cgroup.Killed() > m.killed
	default:
		return false
	}
}

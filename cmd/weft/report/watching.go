package report

import (
	"fmt"
	"strings"

	"github.com/weftrun/weft/engine/event"
)

// shownPaths is how many of the paths that changed are named.
const shownPaths = 3

// triggered says in one line what has changed, and which tasks that makes stale.
func (m *messages) triggered(ev *event.WatchTriggered) {
	if m.o.Clear {
		m.o.Stderr.WriteString("\x1b[H\x1b[2J\x1b[3J")
	}
	if m.o.DropIn {
		return
	}
	what := "something"
	if n := len(ev.Paths); n > 0 {
		what = strings.Join(ev.Paths[:min(n, shownPaths)], ", ")
		if n > shownPaths {
			what += fmt.Sprintf(" and %d more", n-shownPaths)
		}
	}
	m.say(m.o.Stderr, Cyan, "%s changed: %s", what, list(ev.Tasks, 5))
}

// watchEnded says how a run has ended; the next one may come at any time.
func (m *messages) watchEnded(ev *event.WatchEnded) {
	switch {
	case ev.Restarted:
	case ev.Err != nil:
		m.say(m.o.Stderr, Red, "%s", m.o.errorText(ev.Err))
	case m.o.DropIn:
		m.say(m.o.Stderr, Green, "task \"%s\" finished running", ev.Task)
	default:
		m.say(m.o.Stderr, Green, "%q is done, waiting for changes", ev.Task)
	}
}

package report

import (
	"fmt"
	"strings"
	"time"

	"github.com/weftrun/weft/engine/event"
)

// ClearScreen moves the cursor to the beginning of a terminal that is emptied, with what
// scrolled out of it.
const ClearScreen = "\x1b[H\x1b[2J\x1b[3J"

// shownPaths is how many of the paths that changed are named.
const shownPaths = 3

// triggered says in one line what has changed, and which tasks that makes stale.
func (m *messages) triggered(ev *event.WatchTriggered) {
	if m.o.Clear {
		m.o.Stderr.Write([]byte(ClearScreen))
	}
	if m.o.DropIn {
		return
	}
	what := "something"
	if len(ev.Paths) > 0 {
		what = paths(ev.Paths)
	}
	m.say(m.o.Stderr, Cyan, "%s changed: %s", what, list(ev.Tasks, 5))
}

// paths names some of the paths that changed.
func paths(all []string) string {
	text := strings.Join(all[:min(len(all), shownPaths)], ", ")
	if n := len(all) - shownPaths; n > 0 {
		text += fmt.Sprintf(" and %d more", n)
	}
	return text
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
		last := ""
		if len(ev.Trigger) > 0 {
			last = ", last change " + paths(ev.Trigger)
		}
		m.say(m.o.Stderr, Green, "%q is done after %s, waiting for changes since %s%s", ev.Task, ev.Duration.Round(time.Millisecond), ev.Time.Format(time.TimeOnly), last)
	}
}

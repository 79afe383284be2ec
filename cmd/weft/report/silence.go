package report

import (
	"fmt"
	"time"

	"github.com/weftrun/weft/schema/diag"
)

const (
	firstSilence = time.Minute
	mostSilence  = 5 * time.Minute
	lastKept     = 256 // bytes of the last line shown in the heartbeat
)

// silence determines when to show a heartbeat.
type silence struct {
	broken bool // output was shown since the last check
	since  time.Time
	next   time.Duration
}

// due reports whether the last output is old enough for a heartbeat.
func (s *silence) due(now time.Time) bool {
	if s.broken || s.since.IsZero() {
		s.broken, s.since, s.next = false, now, firstSilence
		return false
	}
	if now.Sub(s.since) < s.next {
		return false
	}
	s.since, s.next = now, min(2*s.next, mostSilence)
	return true
}

// Tick implements Ticker: it shows the running steps after long silence.
func (c *ci) Tick(now time.Time) {
	if len(c.active) == 0 || !c.silence.due(now) {
		return
	}
	var names []string
	var line []byte
	for _, s := range c.running() {
		names = append(names, diag.Printable(s.Task)+" "+FormatDuration(now.Sub(s.Time)))
		if len(s.line) > 0 {
			line = s.line
		}
	}
	text := c.o.Name + ": still running: " + list(names, 5)
	if len(line) > 0 {
		text += fmt.Sprintf(" (last: %q)", appendShown(nil, line, false))
	}
	c.line([]byte(EscapeMarkers(c.out.masked(text)) + "\n"))
}

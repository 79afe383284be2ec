package report

import (
	"bytes"
	"reflect"
	"strconv"
	"time"

	"github.com/weftrun/weft/engine/event"
)

// Stamps writes the time since the start of the run before each shown line: minutes, seconds and
// milliseconds. It is the time of the event, so a recorded run has the same stamps; held output
// gets its time of arrival. CI commands get no stamp. A nil *Stamps writes nothing.
//
// It implements [Reporter], and must handle each event before the reporters that show it.
type Stamps struct {
	start, now time.Time
}

// Wants implements Reporter. All output must go through weft.
func (s *Stamps) Wants() event.Wants { return event.Wants{Output: true} }

// Handle implements Reporter.
func (s *Stamps) Handle(ev event.Event) {
	s.now = reflect.ValueOf(ev).Elem().FieldByName("Time").Interface().(time.Time)
	switch ev := ev.(type) {
	case *event.RunStarted:
		if s.start.IsZero() {
			s.start = ev.Time
		}
	case *event.Output:
		release(ev)
	}
}

// Err implements Reporter.
func (s *Stamps) Err() error { return nil }

// Close implements Reporter.
func (s *Stamps) Close() error { return nil }

// append appends text to b, with a stamp before each line that begins in it. within reports whether
// text continues a line, and is updated for the next call.
func (s *Stamps) append(b, text []byte, within *bool) []byte {
	for len(text) > 0 {
		line := text
		if i := bytes.IndexByte(text, '\n'); i >= 0 {
			line = text[:i+1]
		}
		if !*within && !isWorkflowCommand(line) {
			b = s.appendTime(b)
		}
		b, text = append(b, line...), text[len(line):]
		*within = line[len(line)-1] != '\n'
	}
	return b
}

func (s *Stamps) appendTime(b []byte) []byte {
	ms := int64(0)
	if !s.start.IsZero() {
		ms = max(0, s.now.Sub(s.start).Milliseconds())
	}
	b = appendDigits(b, ms/60_000, 2)
	b = append(b, ':')
	b = appendDigits(b, ms/1000%60, 2)
	b = append(b, '.')
	b = appendDigits(b, ms%1000, 3)
	return append(b, ' ')
}

// appendDigits appends a number with at least digits digits.
func appendDigits(b []byte, n int64, digits int) []byte {
	for least := int64(10); digits > 1; least *= 10 {
		if n < least {
			b = append(b, '0')
		}
		digits--
	}
	return strconv.AppendInt(b, n, 10)
}

// Stamp makes o stamp each line with s.
func (o *Out) Stamp(s *Stamps) { o.stamps = s }

// stamped returns p with stamps, unless it has them already.
func (o *Out) stamped(p []byte) []byte {
	if o.stamps == nil || o.raw {
		return p
	}
	return o.stamps.append(nil, p, &o.within)
}

// asHeld calls f, which writes held output, which has stamps already, to o.
func (o *Out) asHeld(f func()) {
	o.raw = true
	f()
	o.raw = false
}

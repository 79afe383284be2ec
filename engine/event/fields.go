package event

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unicode/utf8"

	"github.com/weftrun/weft/schema/diag"
)

// The fields that several kinds of events have.

// event codes what every event has.
func (c *coder) event(kind string, t *time.Time) {
	if c.reading {
		var text string
		c.text("time", &text)
		parsed, err := time.Parse(time.RFC3339Nano, text)
		c.fail("time", err)
		*t = parsed.Truncate(time.Microsecond)
		return
	}
	c.b = append(c.b, `"event":"`...)
	c.b = append(c.b, kind...)
	c.b = append(c.b, `","time":"`...)
	c.b = t.Truncate(time.Microsecond).AppendFormat(c.b, time.RFC3339Nano)
	c.b = append(c.b, '"')
	if c.run != "" {
		c.text("run", &c.run)
	}
}

// step codes what every event of a step has.
func (c *coder) step(kind string, t *time.Time, step *StepID) {
	c.event(kind, t)
	number(c, "step", step)
}

// command codes what every event of a command has.
func (c *coder) command(kind string, t *time.Time, step *StepID, command *int) {
	c.step(kind, t, step)
	number(c, "command", command)
}

// failure leaves nil out; how the error is shown, too, where that is its text.
func (c *coder) failure(err *error) {
	if !c.has("error", *err != nil) {
		return
	}
	var f Failure
	if c.reading {
		c.text("error", &f.Text)
		f.Shown = f.Text
		c.textOrNone("shown", &f.Shown)
		*err = &f
		return
	}
	if read, ok := (*err).(*Failure); ok {
		f = *read
	} else if c.describe != nil {
		f = c.describe(*err)
	} else {
		f = Failure{(*err).Error(), (*err).Error()}
	}
	c.text("error", &f.Text)
	if f.Shown != f.Text {
		c.text("shown", &f.Shown)
	}
}

// word is a value of a few that have names; a value without one has the name "".
type word interface {
	~uint8
	String() string
}

func named[T word](c *coder, name string, v *T) {
	text := ""
	if !c.reading {
		text = (*v).String()
	}
	c.text(name, &text)
	if !c.reading || c.err != nil {
		return
	}
	for *v = 0; (*v).String() != text; *v++ {
		if *v == math.MaxUint8 {
			c.fail(name, fmt.Errorf("%q is unknown", text))
			return
		}
	}
}

func (c *coder) signal(name string, sig *os.Signal) {
	var text string
	if !c.reading {
		text = (*sig).String()
	}
	c.text(name, &text)
	if c.reading {
		*sig = signalNamed(text)
	}
}

// signalNamed returns the signal that this system calls so, else one that is of another.
func signalNamed(name string) os.Signal {
	const most = 64
	for sig := syscall.Signal(1); sig <= most; sig++ {
		if sig.String() == name {
			return sig
		}
	}
	return foreignSignal(name)
}

// foreignSignal is a signal that this system does not have.
type foreignSignal string

func (s foreignSignal) String() string { return string(s) }

// Signal implements os.Signal.
func (foreignSignal) Signal() {}

// names codes how a task is called and shown: label is left out where it is the name.
func (c *coder) names(name, label, prefix *string) {
	c.text("task", name)
	if c.reading {
		*label = *name
	}
	if c.has("label", *label != *name) {
		c.text("label", label)
	}
	c.textOrNone("prefix", prefix)
}

// position leaves what is no place out.
func (c *coder) position(p *diag.Pos) {
	text := ""
	if !c.reading {
		text = p.String()
	}
	c.textOrNone("position", &text)
	if c.reading && text != "" {
		*p = parsePos(text)
	}
}

// parsePos returns the place that is written NAME:LINE:COLUMN, or NAME.
func parsePos(text string) diag.Pos {
	name, column, _ := cutNumber(text)
	name, line, ok := cutNumber(name)
	if !ok || line == 0 {
		return diag.Pos{File: &diag.File{Name: text}}
	}
	return diag.Pos{File: &diag.File{Name: name}, Line: line, Column: column}
}

// cutNumber takes the number after the last colon off s.
func cutNumber(s string) (before string, n int32, ok bool) {
	i := strings.LastIndexByte(s, ':')
	if i < 0 {
		return s, 0, false
	}
	number, err := strconv.ParseUint(s[i+1:], 10, 31)
	if err != nil {
		return s, 0, false
	}
	return s[:i], int32(number), true
}

// data codes bytes: as text where they are UTF-8, else in base64.
func (c *coder) data(p *[]byte) {
	switch {
	case c.reading && c.fields["base64"] != nil:
		c.fail("base64", json.Unmarshal(c.fields["base64"], p))
	case c.reading:
		var text string
		c.text("data", &text)
		*p = []byte(text)
	case utf8.Valid(*p):
		c.key("data")
		c.b = appendQuoted(c.b, *p)
	default:
		c.key("base64")
		c.b = append(c.b, '"')
		c.b = base64.StdEncoding.AppendEncode(c.b, *p)
		c.b = append(c.b, '"')
	}
}

// usage leaves out what is 0.
func (c *coder) usage(u *Usage) {
	c.secondsOrNone("user_seconds", &u.User)
	c.secondsOrNone("system_seconds", &u.System)
	numberOrNone(c, "max_rss", &u.MaxRSS)
}

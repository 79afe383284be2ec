package event

import (
	"errors"
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/weftrun/weft/schema/diag"
)

// visitor is shown the fields of an event, by the names that they have in event files. A
// [writer] makes them a line, a [reader] takes them from one, a [masker] masks their
// texts: so the fields of an event are listed once, beside its type.
type visitor interface {
	// begin is shown what every event has, before all other fields.
	begin(kind string, at *time.Time)
	// has reports whether a field that may be left out is there: says tells whether it
	// has a value worth writing.
	has(name string, says bool) bool

	text(name string, s *string)
	texts(name string, list *[]string)
	// word is for texts that are never masked. It returns what the field is now.
	word(name, s string) string
	// number returns what the field is now.
	number(name string, n int64) int64
	boolean(name string, set *bool)
	seconds(name string, d *time.Duration)
	failure(err *error)
	data(p *[]byte)
	outputs(m *map[string]any)
	// object is for a field with fields of its own, which within shows.
	object(name string, within func(visitor))
	// list is for a field that is a list of n objects; each shows the fields of one.
	// Before that, resize makes the list, or a copy of it, if it is to be changed.
	list(name string, n int, resize func(n int), each func(v visitor, i int))
	// fail tells that a field cannot be what it is.
	fail(err error)
}

func beginStep(v visitor, kind string, at *time.Time, step *StepID) {
	v.begin(kind, at)
	number(v, "step", step)
}

func beginCommand(v visitor, kind string, at *time.Time, step *StepID, command *int) {
	beginStep(v, kind, at, step)
	number(v, "command", command)
}

// textOrNone leaves "" out.
func textOrNone(v visitor, name string, s *string) {
	if v.has(name, *s != "") {
		v.text(name, s)
	}
}

// texts leaves nil out.
func texts(v visitor, name string, list *[]string) {
	if v.has(name, *list != nil) {
		v.texts(name, list)
	}
}

type integer interface{ ~int | ~int32 | ~int64 }

func number[T integer](v visitor, name string, n *T) {
	now := v.number(name, int64(*n))
	if *n = T(now); int64(*n) != now {
		v.fail(wrong(name, errors.New("too large a number")))
	}
}

// numberOrNone leaves 0 out.
func numberOrNone[T integer](v visitor, name string, n *T) {
	if v.has(name, *n != 0) {
		number(v, name, n)
	}
}

// numberOrOne writes n only if says; where it is left out, it is 1.
func numberOrOne(v visitor, name string, n *int, says bool) {
	if v.has(name, says) {
		number(v, name, n)
	} else {
		*n = 1
	}
}

// flag leaves false out.
func flag(v visitor, name string, set *bool) {
	if v.has(name, *set) {
		v.boolean(name, set)
	}
}

// secondsOrNone leaves 0 out.
func secondsOrNone(v visitor, name string, d *time.Duration) {
	if v.has(name, d.Microseconds() != 0) {
		v.seconds(name, d)
	}
}

// failure leaves nil out.
func failure(v visitor, err *error) {
	if v.has("error", *err != nil) {
		v.failure(err)
	}
}

// objects leaves nil out.
func objects[T any](v visitor, name string, list *[]T, fields func(visitor, *T)) {
	if !v.has(name, *list != nil) {
		return
	}
	v.list(name, len(*list), func(n int) {
		old := *list
		*list = make([]T, n)
		copy(*list, old)
	}, func(v visitor, i int) { fields(v, &(*list)[i]) })
}

// usage leaves out what is 0.
func usage(v visitor, u *Usage) {
	secondsOrNone(v, "user_seconds", &u.User)
	secondsOrNone(v, "system_seconds", &u.System)
	numberOrNone(v, "max_rss", &u.MaxRSS)
}

// names is how a task is called and shown: label is left out where it is the name.
func names(v visitor, name, label, prefix *string) {
	v.text("task", name)
	if v.has("label", *label != *name) {
		v.text("label", label)
	} else {
		*label = *name
	}
	textOrNone(v, "prefix", prefix)
}

// enum is a type of a few values that have names. One without a name has the name "".
type enum interface {
	~uint8
	String() string
}

func named[T enum](v visitor, name string, value *T) {
	text := v.word(name, (*value).String())
	if (*value).String() == text {
		return
	}
	for *value = 0; (*value).String() != text; *value++ {
		if *value == math.MaxUint8 {
			v.fail(wrong(name, fmt.Errorf("%q is unknown", text)))
			return
		}
	}
}

func signal(v visitor, sig *os.Signal) {
	now := ""
	if *sig != nil {
		now = (*sig).String()
	}
	if text := v.word("signal", now); *sig == nil || text != now {
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

// position leaves what is no place out.
func position(v visitor, p *diag.Pos) {
	now := p.String()
	if !v.has("position", now != "") {
		return
	}
	if text := v.word("position", now); text != now {
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

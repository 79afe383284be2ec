// Package jobserver shares a number of jobs with other programs in the way of GNU make: by
// tokens, which are bytes in a pipe. Whoever wants to run one more job at a time than one
// takes a token first, and gives it back when the job has ended. make, cargo and ninja find
// the pipe by the variable MAKEFLAGS.
//
// A [Pool] is either another program's, which this one joins, or its own. The package knows
// nothing of steps and slots. It does not start programs either: the one that does gives them
// [Pool.Flags] and, for a pipe without a name, [Pool.Files].
//
// # Two forms
//
// A pipe without a name is inherited, as two descriptors; GNU make before 4.4 knows nothing
// else. Since then it is a FIFO. A pool that this program makes is a FIFO in a directory of
// its own, and serves both: descriptors for older programs are opened from it.
//
// # Lost tokens
//
// A program that is killed takes its tokens with it, and the owner of a token is unknown. A
// pool of this program's own is filled up again when no program uses it, see [Pool.End].
// Tokens of another program's pool stay lost, as they do between makes: also those that this
// program holds if it is killed itself.
package jobserver

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// The variables that hold the flags of make, and so name a jobserver.
const (
	variable    = "MAKEFLAGS"
	oldVariable = "MFLAGS" // of old programs; make sets it, too
)

// ReadEnd and WriteEnd are the descriptors of a pipe without a name in programs that are
// started by this one: above those that a program may get for anything else, so that they
// are never another file.
const (
	ReadEnd  = 19
	WriteEnd = 20
)

// UnusableError is a jobserver that is named, but cannot be used.
type UnusableError struct {
	Auth string // how it is named
	Why  error
}

func (e *UnusableError) Error() string { return fmt.Sprintf("jobserver %s: %v", e.Auth, e.Why) }

// Unwrap returns why.
func (e *UnusableError) Unwrap() error { return e.Why }

// ErrNotInherited is in the error of a jobserver that a make has not handed on, because it
// does not know that this program uses it.
var ErrNotInherited = errors.New("its descriptors are not open")

const (
	authOption = "--jobserver-auth="
	fdsOption  = "--jobserver-fds=" // before 4.2
	fifoAuth   = "fifo:"
)

// authOf returns how flags name a jobserver, or "". The last one counts, as for make.
func authOf(flags string) (auth string) {
	for _, w := range split(flags) {
		if w == "--" { // variables follow
			break
		}
		if v, ok := cutAuth(w); ok {
			auth = v
		}
	}
	return auth
}

func cutAuth(word string) (value string, ok bool) {
	if value, ok = strings.CutPrefix(word, authOption); !ok {
		value, ok = strings.CutPrefix(word, fdsOption)
	}
	return value, ok
}

// descriptors returns the ends that auth names, if it does not name a FIFO. ok is false if
// there are none: since 4.4 make says so with negative ones.
func descriptors(auth string) (r, w int, ok bool) {
	a, b, _ := strings.Cut(auth, ",")
	r, errR := strconv.Atoi(a)
	w, errW := strconv.Atoi(b)
	return r, w, errR == nil && errW == nil && r >= 0 && w >= 0
}

// split returns the words of flags as make splits them: at blanks that no backslash stands
// before.
func split(flags string) (words []string) {
	escaped := false
	words = strings.FieldsFunc(flags, func(c rune) bool {
		if escaped {
			escaped = false
			return false
		}
		escaped = c == '\\'
		return unicode.IsSpace(c)
	})
	if escaped { // by nothing
		last := &words[len(words)-1]
		*last = strings.TrimSuffix(*last, `\`)
	}
	return words
}

// with returns flags with auth in place of what names a jobserver; "" removes that.
func with(flags, auth string) string {
	var before, after []string
	words := split(flags)
	for i, w := range words {
		if w == "--" {
			words, after = words[:i], words[i:]
			break
		}
	}
	for _, w := range words {
		if _, ok := cutAuth(w); !ok {
			before = append(before, w)
		}
	}
	return strings.Join(slices.Concat(before, strings.Fields(auth), after), " ")
}

// edit returns a copy of environ in which the flags of make are changed. MAKEFLAGS is added
// where there is none.
func edit(environ []string, change func(flags string) string) []string {
	out := make([]string, 0, len(environ)+1)
	found := false
	for _, kv := range environ {
		name, flags, _ := strings.Cut(kv, "=")
		if name == variable || name == oldVariable {
			found = found || name == variable
			kv = name + "=" + change(flags)
		}
		out = append(out, kv)
	}
	if !found {
		out = append(out, variable+"="+change(""))
	}
	return out
}

// lookup returns the flags of make in an environment; "" if there are none.
func lookup(environ []string) (flags string) {
	for _, kv := range environ {
		if value, ok := strings.CutPrefix(kv, variable+"="); ok {
			flags = value
		}
	}
	return flags
}

// Form is how a jobserver is named.
type Form uint8

const (
	FIFO        Form = iota // since GNU make 4.4
	Descriptors             // before
	OldOption               // before 4.2: descriptors, by another name
)

// FormFor returns the form for a make, by what it says of its version. Programs that are not
// GNU make get a FIFO: what else knows a jobserver knows that.
func FormFor(version string) Form {
	rest, ok := strings.CutPrefix(version, "GNU Make ")
	if !ok {
		return FIFO
	}
	var major, minor int
	if _, err := fmt.Sscanf(rest, "%d.%d", &major, &minor); err != nil {
		return FIFO
	}
	switch {
	case major < 4 || major == 4 && minor < 2:
		return OldOption
	case major == 4 && minor < 4:
		return Descriptors
	}
	return FIFO
}

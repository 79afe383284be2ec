// Package limit limits the memory and time that a Taskfile can make weft use. Without limits, weft
// could use all memory of the machine, or never end; no sensible workflow comes near them. Code
// that produces something checks the limit first, so that the result is an error with a position
// and not the end of the process.
package limit

import "strconv"

const (
	// Text is the maximum size in bytes of a template's result, and of the result of each function
	// in it.
	Text = 64 << 20
	// Output is the maximum number of bytes that the command of one variable may write.
	Output = 16 << 20
	// Log is the maximum number of bytes of a task's output that the cache keeps.
	Log = 256 << 20
	// Script is the maximum size in bytes of a script that weft itself interprets.
	Script = 4 << 20
	// Nested is the maximum number of nested constructs in such a script: the interpreter
	// recurses into each.
	Nested = 40_000
	// Scripts is the maximum size in bytes of the variables of such a script. Doubling one takes
	// four times as much for a moment.
	Scripts = 96 << 20
	// Running is how many bytes, at most, weft itself needs for a running step, and again for a
	// running script of its own shell: no other script is responsible for them. Both together take
	// about 60 KiB while a program runs.
	Running = 128 << 10
	// Stack is the maximum stack in bytes of recursive functions of such a script. Go
	// doubles a stack that is full, and ends a program whose stack reaches a gigabyte.
	Stack = 96 << 20
	// Passes is the maximum number of iterations of a loop, or of all loops of a template together,
	// and of items of a list that a template makes.
	Passes = 1_000_000
	// Work is the maximum work of a template, in bytes that its functions read or write.
	Work = 1 << 30
	// Includes is the maximum length of a chain of includes.
	Includes = 1_000
	// File is the maximum size of a Taskfile in bytes.
	File = 16 << 20
	// Nodes is the maximum number of YAML values of a Taskfile, those reached by an alias counted
	// each time.
	Nodes = 2_000_000
	// Problems is the maximum number of problems shown at once.
	Problems = 100
	// Memory is the maximum memory of weft itself in bytes while it produces more: see
	// [Grow].
	Memory = 320 << 20
	// Plan is Memory for the steps of a plan, which are small: of the smallest there may
	// be a million.
	Plan = 360 << 20
)

// Exceeded is the error of something that exceeds a limit. Error makes its text, so that one
// in a package variable costs nothing at start-up.
type Exceeded struct {
	What  string // "the text": the subject, which is too large
	Limit int64
	Unit  string // "passes": the unit of Limit; "" for bytes
	Hint  string // advice; "" if there is none
}

func (e *Exceeded) Error() string {
	text := e.What + " is more than " + e.max()
	if e.Hint != "" {
		text += "; " + e.Hint
	}
	return text
}

// max returns the limit in words: "64 MiB", "1,000,000 passes".
func (e *Exceeded) max() string {
	switch {
	case e.Unit != "":
		return grouped(e.Limit) + " " + e.Unit
	case e.Limit < 1<<20:
		return strconv.FormatInt(e.Limit>>10, 10) + " KiB"
	}
	return strconv.FormatInt(e.Limit>>20, 10) + " MiB"
}

// Bytes returns the error that something has more than limit bytes.
func Bytes(what string, limit int64) error { return &Exceeded{What: what, Limit: limit} }

// Count returns the error that there are more than limit things, such as "passes".
func Count(what string, limit int64, things string) error {
	return &Exceeded{What: what, Limit: limit, Unit: things}
}

// grouped writes n with commas between thousands.
func grouped(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

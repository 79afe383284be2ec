// Package limit limits what a Taskfile can make weft produce. Without limits, weft could use
// all memory of the machine, or never end; no sensible workflow comes near them. Code that
// produces something checks the limit first, so that the result is an error with a position
// and not the end of the process.
package limit

import "strconv"

const (
	// Text is how many bytes one template may produce: as its result, and as the
	// result of each function in it.
	Text = 64 << 20
	// Output is how many bytes the command of one variable may write.
	Output = 16 << 20
	// Script is how many bytes a script may have that weft itself interprets.
	Script = 4 << 20
	// Nested is how many nested constructs such a script may have: the interpreter
	// recurses into each.
	Nested = 40_000
	// Scripts is how many bytes the variables of such a script may take. Doubling one takes
	// four times as many for a moment.
	Scripts = 96 << 20
	// Stack is how many bytes of stack recursive functions of such a script may take. Go
	// doubles a stack that is full, and ends a program whose stack reaches a gigabyte.
	Stack = 96 << 20
	// Passes is how many iterations a loop may have, or all loops of a template together,
	// and how many items a list that a template makes.
	Passes = 1_000_000
	// Work is how much a template may do, in bytes that its functions read or write.
	Work = 1 << 30
	// Includes is how many files may include one another in a chain.
	Includes = 1_000
	// File is how many bytes a Taskfile may have.
	File = 16 << 20
	// Nodes is how many YAML values a Taskfile may have, those reached by an alias
	// counted each time.
	Nodes = 2_000_000
	// Problems is how many problems are shown at once.
	Problems = 100
	// Memory is how many bytes weft itself may need while it produces more: see
	// [Grow].
	Memory = 320 << 20
	// Plan is Memory for the steps of a plan, which are small: of the smallest there may
	// be a million.
	Plan = 360 << 20
)

// Exceeded is the error of something that exceeds a limit. Error makes its text, so that one
// in a package variable costs nothing at start-up.
type Exceeded struct {
	What  string // "the text": what is too large
	Limit int64
	Unit  string // "passes": what Limit counts; "" for bytes
	Hint  string // what else to do; "" if there is nothing to say
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

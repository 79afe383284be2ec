package plan

import "time"

// When tells how far a need must be before the step that has it may start.
type When uint8

const (
	Succeeded When = iota // it has ended well
	Ready                 // it serves, or has ended well
	Started               // it has started, whatever becomes of it
	Ended                 // it has ended, well or not
	Together              // it starts at the same time: the step reads what it writes meanwhile
)

// Need is an edge of a [Plan]: what a step needs.
type Need struct {
	Limit time.Duration // how long the need may take; 0 for as long as it likes
	Step  int32         // its index in Plan.Steps
	When  When
}

// Outlives reports whether the need may go on when the step that has it has ended.
func (w When) Outlives() bool { return w == Started || w == Ready }

// need is a [Need] before the steps of its plan have numbers.
type need struct {
	step  *Step
	terms *terms // nil: it must end well, and may take as long as it likes
}

// terms are what a step asks of a need.
type terms struct {
	when  When
	limit time.Duration
}

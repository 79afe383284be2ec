package report

import (
	"time"

	"github.com/weftrun/weft/engine/event"
)

const (
	// askLimit is how long a program that was lent the terminal, and leaves its echo on, is assumed
	// to wait for an answer.
	askLimit = 30 * time.Second
	// lendLimit is how long after Lend the program has the terminal, at most.
	lendLimit = time.Second
	// stillRead is how long output written before the program asked may take to be read.
	stillRead = 20 * time.Millisecond
)

// asker is a program that was lent the terminal because it reads it, as sudo and ssh do. While it
// waits for an answer, the output of other steps is held. The zero value is none.
//
// The kernel does not tell who waits for input. A program that asks for a password has the terminal
// not show what is typed: then it is certain. Another one asks until it writes something
// elsewhere, at most for askLimit.
type asker struct {
	step     event.StepID // 0: a program of no step
	lent     time.Time    // zero: there is none
	has      bool         // it was seen to have the terminal
	unseen   bool         // it was seen to have the echo off
	answered bool
}

// asks reports whether the program waits for an answer now, on a terminal in state s.
func (k *asker) asks(s winsize, now time.Time) bool {
	switch {
	case k.lent.IsZero():
		return false
	case !s.foreign:
		if k.has || now.Sub(k.lent) >= lendLimit {
			*k = asker{}
		}
		return !k.lent.IsZero()
	}
	k.has = true
	if s.unseen {
		k.unseen = true
		return true
	}
	k.answered = k.answered || k.unseen || now.Sub(k.lent) >= askLimit
	return !k.answered
}

// wrote records output of a step at a time. It reports whether it is the program's own.
func (k *asker) wrote(step event.StepID, at time.Time) bool {
	if k.lent.IsZero() || step == 0 || step != k.step {
		return false
	}
	k.answered = k.answered || at.Sub(k.lent) >= stillRead
	return true
}

// OnForeground is called before a program of a step, or of none if that is 0, gets the terminal
// because it reads it. It leaves the rows on the screen and forgets them: the program may write
// after them, and erasing the rows would erase its question. Output of other steps is held while it
// asks.
func (a *Area) OnForeground(step event.StepID) {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := a.now()
	if len(a.pending) > 0 {
		a.update(now)
	}
	a.asker = asker{step: step, lent: now}
	if len(a.drawn) > 0 {
		a.drawn, a.moved = a.drawn[:0], true
	}
}

// SetSource says that what is written next is output of a step at a time, or with 0 of no step.
// That of the step that asks is not held: it may be the question.
func (a *Area) SetSource(step event.StepID, at time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.own = a.asker.wrote(step, at)
}

// holds reports whether output is held now. a.mu is held.
func (a *Area) holds(s winsize, now time.Time) bool {
	return a.holders > 0 || a.asker.asks(s, now) && !a.own
}

package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"sync"
	"time"

	"github.com/weftrun/weft/engine/control"
	"github.com/weftrun/weft/engine/event"
)

// lease settles who uses the terminal of a run on the whole screen: the program that draws there,
// or what the run has to leave it to: interactive commands, questions to the user, programs that
// ask for a password. That program asks by "wanted" when it has to leave, and says by "lend" that
// it has left:
//
//	         take: wanted is answered            lend
//	drawing ─────────────────────────▶ leaving ────────▶ lent
//	   ▲                 the last user has released it     │
//	   └───────────────────────────────────────────────────┘
//	                   lend is answered
//
// It is safe for concurrent use.
type lease struct {
	over context.Context // done when the drawing program has ended, which ends the run
	to   *os.File        // the terminal

	mu      sync.Mutex              // guards the fields below
	shown   map[event.StepID]int    // steps that use the terminal, but write through weft
	begun   map[event.StepID][]byte // the line that a step has begun to write, or its beginning
	users   int
	lent    bool
	ended   bool          // the run has ended
	changed chan struct{} // closed at the next change; nil: no waiter
}

// leavePatience is how long the program that draws may take to leave the terminal, before that is
// used all the same.
const leavePatience = 10 * time.Second

// longestPrompt is how much of a line is shown that was begun before the terminal was lent.
const longestPrompt = 1000

// note takes an event of the run into account, of which those who use the terminal are to see what
// they write.
func (l *lease) note(ev event.Event) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	switch ev := ev.(type) {
	case *event.Output:
		if l.shown[ev.Step] > 0 {
			l.to.Write(ev.Data)
		}
		line := append(l.begun[ev.Step], ev.Data...)
		line = line[bytes.LastIndexByte(line, '\n')+1:]
		l.begun[ev.Step] = bytes.Clone(line[:min(len(line), longestPrompt)])
	case *event.StepSettled:
		delete(l.begun, ev.Step)
	}
}

// take returns when the terminal may be used. It may be called by several at once. Until release is
// called, which must be called once, what step writes is shown there; 0 is no step.
func (l *lease) take(step event.StepID) (release func()) {
	ctx, cancel := context.WithTimeout(l.over, leavePatience)
	defer cancel()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.users++
	l.change()
	l.await(ctx, func() bool { return l.lent })
	l.to.Write(l.begun[step])
	l.shown[step]++
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.shown[step]--
		l.users--
		l.change()
	}
}

// change wakes who waits. l.mu is held.
func (l *lease) change() {
	if l.changed != nil {
		close(l.changed)
		l.changed = nil
	}
}

// await returns when holds does, or ctx is done, and reports whether it holds. l.mu is held, but
// not while it waits.
func (l *lease) await(ctx context.Context, holds func() bool) bool {
	for !holds() {
		if l.changed == nil {
			l.changed = make(chan struct{})
		}
		changed := l.changed
		l.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
		}
		l.mu.Lock()
		if ctx.Err() != nil {
			return holds()
		}
	}
	return true
}

// do executes a request of the drawing program. A nil lease is that of a run that is not drawn on
// its own terminal.
func (l *lease) do(ctx context.Context, q *control.Request) error {
	if l == nil {
		return errors.New("the run does not have the whole screen of its own terminal")
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if q.Request == "lend" {
		l.lent = true
		l.change()
		if l.await(ctx, func() bool { return l.users == 0 || l.ended }) {
			l.lent = false
			return nil
		}
	} else if l.await(ctx, func() bool { return l.users > 0 || l.ended }) && !l.ended {
		return nil
	}
	return errors.New("the run has ended")
}

// end notifies the drawing program that the run has ended.
func (l *lease) end() {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ended = true
	l.change()
}

// screenAsker asks the user on the terminal of a run on the whole screen.
type screenAsker struct {
	prompter
	l *lease
}

// Confirm implements engine.Asker.
func (s screenAsker) Confirm(ctx context.Context, text string) (bool, error) {
	defer s.l.take(0)()
	return s.prompter.Confirm(ctx, text)
}

// Value implements engine.Asker.
func (s screenAsker) Value(ctx context.Context, name string, choices []string) (string, error) {
	defer s.l.take(0)()
	return s.prompter.Value(ctx, name, choices)
}

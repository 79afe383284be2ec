package plan

import (
	"context"
	"fmt"
	"strings"

	"github.com/weftrun/weft/schema"
	"github.com/weftrun/weft/schema/diag"
)

// Key is the identity of steps that are shared: those with equal keys are one
// within a run. It is comparable.
type Key struct {
	file *diag.File
	name string // of the task in its file, and all else that makes a difference
}

// Shared reports whether other calls of the step's task may share this step.
func (s *Step) Shared() bool { return s.Key != Key{} }

// mode is the treatment of equal calls.
type mode uint8

const (
	modeAlways mode = iota
	modeOnce
	modeWhenChanged
	modeTemplate // depends on the call
	modeUnknown  // an error
)

func modeOf(text string) mode {
	switch text {
	case "", "always":
		return modeAlways
	case "once":
		return modeOnce
	case "when_changed":
		return modeWhenChanged
	}
	if strings.Contains(text, "{{") {
		return modeTemplate
	}
	return modeUnknown
}

// run returns the file's setting for equal calls.
func (f *facts) run() schema.Text {
	if f.task.Run.S != "" {
		return f.task.Run
	}
	return f.workflow.Run
}

// mode returns the treatment of calls equal to that of s.
func (x *Expander) mode(ctx context.Context, s *Step) (mode, error) {
	m, text := s.facts.mode, s.facts.run().S
	if m == modeTemplate {
		var err error
		if text, err = s.Scope.Expand(ctx, s.facts.run()); err != nil {
			return m, err
		}
		m = modeOf(text)
	}
	if m == modeUnknown || m == modeTemplate {
		return m, &TaskError{Task: s.Name, Err: &ModeError{Task: s.Name, Mode: text}}
	}
	if m == modeAlways && (s.Task.Service() != nil || s.facts.channel && x.receivers()[s.Task]) {
		m = modeWhenChanged // equal calls mean one service, or one receiver of messages
	}
	return m, nil
}

// changeKey is the identity of a `run: when_changed` step: everything it was
// bound to. local is the name of its task in its file. An argument that nothing
// refers to makes no difference.
func changeKey(ctx context.Context, s *Step, local string) (Key, error) {
	dir, err := s.Scope.Dir(ctx)
	if err != nil {
		return Key{}, err
	}
	var env any
	if s.UsesRuntimeValues() { // its texts are not expanded yet, so all arguments make a difference
		env = values(s.vars())
	} else if env, err = s.Scope.DeclaredEnv(ctx); err != nil {
		return Key{}, err
	}
	key := fmt.Sprintf("%s\x00%s\x00%#v\x00%#v", local, dir, env, s.Scope.Uses())
	if s.bound != nil {
		for _, c := range s.bound.commands {
			key += fmt.Sprintf("\x00%q\x00%#v", c.Text, values(c.Vars))
		}
	}
	return Key{file: s.Task.Pos.File, name: key}, nil
}

func (x *Expander) lookup(key Key) *Step {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.shared[key]
}

// share publishes s, complete with its needs, under its key. If another goroutine was faster, its
// step is returned and s is dropped.
func (x *Expander) share(s *Step) *Step {
	x.mu.Lock()
	defer x.mu.Unlock()
	if known := x.shared[s.Key]; known != nil {
		return known
	}
	x.shared[s.Key] = s
	if f := s.facts; f.mode == modeOnce && len(s.Task.Requires) == 0 && !f.fails && s.Name == s.Task.Name {
		f.once.Store(s)
	}
	return s
}

// Forget makes later calls equal to that of s new steps.
func (x *Expander) Forget(s *Step) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.shared[s.Key] == s {
		delete(x.shared, s.Key)
	}
	s.facts.once.CompareAndSwap(s, nil)
}

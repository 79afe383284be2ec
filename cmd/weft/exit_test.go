package main

import (
	"bytes"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/hashicorp/go-multierror"

	"github.com/weftrun/weft/cmd/weft/report"
	"github.com/weftrun/weft/engine"
	"github.com/weftrun/weft/engine/executor"
	"github.com/weftrun/weft/engine/plan"
	"github.com/weftrun/weft/engine/sched"
	"github.com/weftrun/weft/engine/shell"
	"github.com/weftrun/weft/engine/vars"
	"github.com/weftrun/weft/schema"
	"github.com/weftrun/weft/schema/diag"
)

func inTask(name string, err error) error { return &plan.TaskError{Task: name, Err: err} }

func TestErrors(t *testing.T) {
	exit3 := &shell.ExitError{Code: 3}
	late := &sched.TimedOut{Name: "a", After: 300 * time.Millisecond}
	missing := &schema.NotFoundError{Name: "x", Suggestion: "y"}
	tests := []struct {
		err          error
		code, passed int // without and with --exit-code
		text         string
	}{
		{inTask("a", exit3), 201, 3, `task: Failed to run task "a": exit status 3`},
		{inTask("a", inTask("b", exit3)), 201, 3, `task: Failed to run task "a": task: Failed to run task "b": exit status 3`},
		{inTask("a", late), 208, 124, `task: Failed to run task "a": task: [a] command timeout exceeded (300ms)`},
		{missing, 200, 200, `task: Task "x" does not exist. Did you mean "y"?`},
		{inTask("a", missing), 200, 200, `task: Failed to run task "a": task: Task "x" does not exist. Did you mean "y"?`},
		{&plan.InternalError{Task: "a"}, 202, 202, `task: Task "a" is internal`},
		{&schema.AmbiguousError{Name: "x", Tasks: []string{"a", "b"}}, 203, 203, `task: Found multiple tasks (a, b) that match "x"`},
		{inTask("a", &plan.CycleError{Name: "b"}), 204, 204, `task: Failed to run task "a": task: cycle: "b"`},
		{inTask("a", &engine.PromptError{Task: "a"}), 205, 205, `task: Failed to run task "a": task: Task "a" cancelled by user`},
		{&plan.MissingVarsError{Task: "a", Vars: []*schema.Required{{Name: "V", Enum: []string{"x", "y"}}}}, 206, 206,
			`task: Task "a" cancelled because it is missing required variables: V (allowed values: [x y])`},
		{&plan.InvalidVarsError{Task: "a", Vars: []plan.InvalidVar{{Name: "V", Value: "q", Enum: []string{"x"}}}}, 207, 207,
			"task: Task \"a\" cancelled because it is missing required variables:\n  - V has an invalid value : 'q' (allowed values : [x])\n"},
		{&vars.CommandError{Command: "exit 7", Err: &shell.ExitError{Code: 7}}, 1, 1, `task: Command "exit 7" failed: exit status 7`},
		{inTask("a", executor.ErrPrecondition), 201, 201, `task: Failed to run task "a": task: precondition not met`},
		{inTask("a", &executor.MethodError{Method: "z"}), 201, 201, `task: Failed to run task "a": task: invalid method "z"`},
		{&engine.NotUpToDateError{Task: "a"}, 1, 1, `task: Task "a" is not up-to-date`},
		{errors.New("template: boo"), 1, 1, "template: boo"},
		{multierror.Append(nil, missing, inTask("a", exit3)), 200, 200, `task: Task "x" does not exist. Did you mean "y"?`},
	}
	for _, tt := range tests {
		a := &app{name: "task"}
		if got := a.errorText(tt.err); got != tt.text {
			t.Errorf("text %q, want %q", got, tt.text)
		}
		if got := a.code(tt.err); got != tt.code {
			t.Errorf("%s: code %d, want %d", tt.text, got, tt.code)
		}
		a.opts.exitCode = true
		if got := a.code(tt.err); got != tt.passed {
			t.Errorf("%s: code %d with --exit-code, want %d", tt.text, got, tt.passed)
		}
	}
}

func TestKindCodes(t *testing.T) {
	for kind, want := range map[diag.Kind]int{
		diag.Other: 1, diag.NotFound: 100, diag.Decode: 102, diag.Version: 107, diag.Syntax: 109, diag.IncludeCycle: 110,
		diag.ChecksumMismatch: 111, diag.Conflict: 203, diag.FetchFailed: 103, diag.NotTrusted: 104, diag.NotSecure: 105, diag.NotCached: 106, diag.FetchTimedOut: 108, diag.MissingTask: 200, diag.Cycle: 204, diag.UnknownKey: 102,
	} {
		if got := exitCode(fmt.Errorf("wrapped: %w", &diag.Diagnostic{Kind: kind})); got != want {
			t.Errorf("kind %d: code %d, want %d", kind, got, want)
		}
	}
}

// All problems are shown, the one that determines the code last.
func TestFailShowsAll(t *testing.T) {
	var b bytes.Buffer
	a := &app{name: "weft", out: report.NewOut(&b), err: report.NewOut(&b)}
	if code := a.fail(multierror.Append(nil, &schema.NotFoundError{Name: "x"}, &plan.InternalError{Task: "y"})); code != 200 {
		t.Errorf("code %d", code)
	}
	if got, want := b.String(), "weft: Task \"y\" is internal\nweft: Task \"x\" does not exist\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestExcerpt(t *testing.T) {
	src := "version: '3'\ntasks:\n  a:\n\tb: {x}\r\n  c:\x1b[0m\n"
	at := func(line, column int32) string {
		return excerpt(diag.Pos{File: &diag.File{Path: "f", Source: src}, Line: line, Column: column})
	}
	if got, want := at(4, 5), "     2 | tasks:\n     3 |   a:\n>    4 | \tb: {x}\n       | \t   ^\n     5 |   c:\\x1b[0m\n"; got != want {
		t.Errorf("got:\n%q\nwant:\n%q", got, want)
	}
	for _, p := range [][2]int32{{0, 0}, {1, 1}, {1, 1000}, {6, 1}, {99, 1}} {
		at(p[0], p[1]) // positions that files cannot have must do no harm
	}
}

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"syscall"

	"github.com/hashicorp/go-multierror"

	"github.com/weftrun/weft/cmd/weft/report"
	"github.com/weftrun/weft/engine"
	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/engine/executor"
	"github.com/weftrun/weft/engine/plan"
	"github.com/weftrun/weft/engine/proc"
	"github.com/weftrun/weft/engine/sched"
	"github.com/weftrun/weft/engine/vars"
	"github.com/weftrun/weft/internal/epipe"
	"github.com/weftrun/weft/schema"
	"github.com/weftrun/weft/schema/diag"
)

// The exit codes of the format.
const (
	exitOther     = 1
	exitUsage     = 2
	exitExists    = 101
	exitSyntax    = 109
	exitInternal  = 125 // weft itself cannot continue
	exitNotFound  = 200
	exitTask      = 201
	exitAmbiguous = 203
	exitCycle     = 204
)

// errorKind is a kind of error that has an exit code or a text of its own.
type errorKind struct {
	// code returns the exit code that err has if one of this kind is in its chain.
	code func(err error) (code int, ok bool)
	// named reports whether err is of this kind, and its text needs the program's name.
	named func(err error) bool
}

// errorKinds returns the one table of errors. The first kind that is found in a chain
// decides on the exit code. It is made when there is an error, not at every start.
func errorKinds() []errorKind {
	return []errorKind{
		{code: func(err error) (int, bool) { return exitInternal, errors.Is(err, proc.ErrKeeperLost) }},
		named[*schema.NotFoundError](exitNotFound),
		named[*plan.InternalError](202),
		named[*schema.AmbiguousError](exitAmbiguous),
		named[*plan.CycleError](exitCycle),
		named[*engine.NestedError](exitCycle),
		named[*engine.PromptError](205),
		named[*plan.MissingVarsError](206),
		named[*plan.InvalidVarsError](207),
		named[*sched.TimedOut](208),
		unnamed[*plan.LoopError](exitSyntax),
		{code: func(err error) (int, bool) {
			problem, ok := errors.AsType[*diag.Diagnostic](err)
			if !ok {
				return 0, false
			}
			return kindCode(problem.Kind), true
		}},
		unnamed[*plan.TaskError](exitTask),
		named[*executor.NotDirectoryError](exitTask),
		{ // the cause of a CommandError is not in its chain
			code: func(err error) (int, bool) {
				variable, ok := errors.AsType[*vars.CommandError](err)
				return exitTask, ok && is[*executor.NotDirectoryError](variable.Err)
			},
			named: func(err error) bool { _, ok := err.(*vars.CommandError); return ok },
		},
		{named: func(err error) bool { return err == executor.ErrPrecondition }},
		named[*plan.ModeError](exitOther),
		named[*sched.Interrupted](exitOther),
		named[*sched.StepFailed](exitOther),
		named[*executor.MethodError](exitOther),
		named[*engine.NotUpToDateError](exitOther),
		named[flagError](exitOther),
		named[existsError](exitExists),
	}
}

// named returns the kind of errors of type E whose texts begin with the program's name.
//
//go:noinline
func named[E error](code int) errorKind {
	k := unnamed[E](code)
	k.named = func(err error) bool { _, ok := err.(E); return ok }
	return k
}

// unnamed returns the kind of errors of type E.
//
//go:noinline
func unnamed[E error](code int) errorKind {
	return errorKind{code: func(err error) (int, bool) { return code, is[E](err) }}
}

// is reports whether an error of type E is in the chain of err.
func is[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}

// exitCode returns the exit code for err. Of several problems the first counts.
func exitCode(err error) int {
	if err == nil {
		return 0
	}
	if many, ok := err.(*multierror.Error); ok && len(many.Errors) > 0 {
		return exitCode(many.Errors[0])
	}
	for _, k := range errorKinds() {
		if k.code == nil {
			continue
		}
		if code, ok := k.code(err); ok {
			return code
		}
	}
	return exitOther
}

// kindCodes are the exit codes of problems of a file.
var kindCodes = [...]int{
	diag.NotFound:         100,
	diag.Decode:           102,
	diag.UnknownKey:       102,
	diag.FetchFailed:      103,
	diag.NotTrusted:       104,
	diag.NotSecure:        105,
	diag.NotCached:        106,
	diag.Version:          107,
	diag.FetchTimedOut:    108,
	diag.Syntax:           exitSyntax,
	diag.IncludeCycle:     110,
	diag.ChecksumMismatch: 111,
	diag.MissingTask:      exitNotFound,
	diag.Conflict:         exitAmbiguous,
	diag.Cycle:            exitCycle,
}

func kindCode(k diag.Kind) int {
	if int(k) < len(kindCodes) && kindCodes[k] != 0 {
		return kindCodes[k]
	}
	return exitOther
}

// code returns the exit code for err, which with --exit-code is that of the command that
// failed.
func (a *app) code(err error) int {
	if many, ok := err.(*multierror.Error); ok && len(many.Errors) > 0 {
		return a.code(many.Errors[0])
	}
	if a.opts.exitCode && is[*plan.TaskError](err) {
		if n := executor.ExitCode(err); n != 0 {
			return n
		}
	}
	return exitCode(err)
}

// errorText returns the text of err for the user, safe to show. As in the reference, the
// program's name precedes each of its own messages, even inside others.
func (a *app) errorText(err error) string {
	switch e := err.(type) {
	case *plan.TaskError:
		return fmt.Sprintf("%s: Failed to run task %q: %s", a.name, e.Task, a.errorText(e.Err))
	case *schema.NotFoundError:
		if a.opts.disableFuzzy {
			err = &schema.NotFoundError{Name: e.Name}
		}
	case *vars.TemplateError:
		if a.dropIn() {
			return printableError(err)
		}
		return at(e.Pos, printableError(err))
	case *vars.CommandError:
		if !a.dropIn() && e.Pos.IsValid() {
			return at(e.Pos, printableError(err))
		}
	case *plan.CommandError:
		if !a.dropIn() {
			return at(e.Pos, a.errorText(e.Err))
		}
		return a.errorText(e.Err)
	case *event.Failure:
		return e.Shown
	case *plan.LoopError:
		return at(e.Pos, fmt.Sprintf("task %q: %s", e.Task, diag.Printable(e.What)))
	case *multierror.Error:
		return a.errorText(e.Errors[0])
	}
	if slices.ContainsFunc(errorKinds(), func(k errorKind) bool { return k.named != nil && k.named(err) }) {
		return a.name + ": " + printableError(err)
	}
	return printableError(err)
}

// printableError returns the text of err, safe to show. Only lists, and errors that quote
// scripts or templates, may have several lines.
func printableError(err error) string {
	if is[*vars.CommandError](err) || is[*vars.TemplateError](err) || is[*diag.Diagnostic](err) || is[*plan.InvalidVarsError](err) {
		return diag.PrintableText(err.Error())
	}
	return diag.Printable(err.Error())
}

func at(p diag.Pos, text string) string {
	if !p.IsValid() {
		return text
	}
	return p.String() + ": " + text
}

// unwritten returns the error that the output could not be written.
func (a *app) unwritten(err error) error {
	return fmt.Errorf("%s: writing the output: %w", a.name, err)
}

// remedy returns what helps against an error of writing a file, after a semicolon; "" if the error
// says enough.
func remedy(err error) string {
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return "; make room on the disk"
	case errors.Is(err, syscall.EFBIG):
		return "; raise the limit of the size of files (ulimit -f)"
	case errors.Is(err, syscall.EMFILE):
		return "; raise the limit of open files (ulimit -n)"
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS), errors.Is(err, syscall.ENOTDIR):
		return "; name a file that can be written"
	case epipe.Is(err):
		return "; its reader ended before the run did"
	}
	return ""
}

// say writes a message of the program to w, after the program's name.
//
//go:noinline
func (a *app) say(w *report.Out, c report.Color, text string) { a.paint(w, c, a.name+": "+text+"\n") }

//go:noinline
func (a *app) paint(w *report.Out, c report.Color, text string) {
	w.Paint(&a.palette, c, text)
}

package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/hashicorp/go-multierror"

	"github.com/weftrun/weft/cmd/weft/report"
	"github.com/weftrun/weft/engine"
	"github.com/weftrun/weft/engine/executor"
	"github.com/weftrun/weft/engine/plan"
	"github.com/weftrun/weft/engine/proc"
	"github.com/weftrun/weft/engine/sched"
	"github.com/weftrun/weft/engine/vars"
	"github.com/weftrun/weft/schema"
	"github.com/weftrun/weft/schema/diag"
)

// The exit codes of the format.
const (
	exitOther    = 1
	exitUsage    = 2
	exitInternal = 125 // weft itself cannot go on
	exitExists   = 101
	exitTask     = 201
	exitNotFound = 200
)

// exitCode is the table from errors to exit codes. Of several problems the
// first counts; of a chain of errors the innermost that has a code of its own.
func exitCode(err error) int {
	if many, ok := err.(*multierror.Error); ok && len(many.Errors) > 0 {
		return exitCode(many.Errors[0])
	}
	var (
		notFound  *schema.NotFoundError
		ambiguous *schema.AmbiguousError
		internal  *plan.InternalError
		cycle     *plan.CycleError
		nested    *engine.NestedError
		prompt    *engine.PromptError
		missing   *plan.MissingVarsError
		invalid   *plan.InvalidVarsError
		late      *sched.TimedOut
		loop      *plan.LoopError
		problem   *diag.Diagnostic
		task      *plan.TaskError
		notDir    *executor.NotDirectoryError
		variable  *vars.CommandError
	)
	switch {
	case err == nil:
		return 0
	case errors.Is(err, proc.ErrKeeperLost):
		return exitInternal
	case errors.As(err, &notFound):
		return exitNotFound
	case errors.As(err, &internal):
		return 202
	case errors.As(err, &ambiguous):
		return 203
	case errors.As(err, &cycle), errors.As(err, &nested):
		return 204
	case errors.As(err, &prompt):
		return 205
	case errors.As(err, &missing):
		return 206
	case errors.As(err, &invalid):
		return 207
	case errors.As(err, &late):
		return 208
	case errors.As(err, &loop):
		return 109
	case errors.As(err, &problem):
		return kindCode(problem.Kind)
	case errors.As(err, &task), errors.As(err, &notDir), errors.As(err, &variable) && errors.As(variable.Err, &notDir):
		return exitTask
	}
	return exitOther
}

// kindCode is the exit code of a problem of a file.
func kindCode(k diag.Kind) int {
	switch k {
	case diag.NotFound:
		return 100
	case diag.Decode, diag.UnknownKey:
		return 102
	case diag.FetchFailed:
		return 103
	case diag.NotTrusted:
		return 104
	case diag.NotSecure:
		return 105
	case diag.NotCached:
		return 106
	case diag.Version:
		return 107
	case diag.FetchTimedOut:
		return 108
	case diag.Syntax:
		return 109
	case diag.IncludeCycle:
		return 110
	case diag.ChecksumMismatch:
		return 111
	case diag.MissingTask:
		return exitNotFound
	case diag.Conflict:
		return 203
	case diag.Cycle:
		return 204
	}
	return exitOther
}

// code is exitCode, or with --exit-code that of the command which failed.
func (a *app) code(err error) int {
	if many, ok := err.(*multierror.Error); ok && len(many.Errors) > 0 {
		return a.code(many.Errors[0])
	}
	var task *plan.TaskError
	if a.opts.exitCode && errors.As(err, &task) {
		if n := executor.ExitCode(err); n != 0 {
			return n
		}
	}
	return exitCode(err)
}

// errorText is err as the user sees it, safe to show: the program's name stands before
// each message of its own, however deep, as in the reference.
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
	case *plan.LoopError:
		return at(e.Pos, fmt.Sprintf("task %q: %s", e.Task, diag.Printable(e.What)))
	case *multierror.Error:
		return a.errorText(e.Errors[0])
	case *plan.InternalError, *plan.MissingVarsError, *plan.InvalidVarsError, *plan.CycleError, *plan.ModeError,
		*schema.AmbiguousError, *executor.NotDirectoryError, *sched.TimedOut, *sched.Interrupted, *sched.StepFailed, *executor.MethodError,
		*engine.PromptError, *engine.NestedError, *engine.NotUpToDateError, flagError, existsError:
	default:
		if err != executor.ErrPrecondition {
			return printableError(err)
		}
	}
	return a.name + ": " + printableError(err)
}

// printableError is the text of err, safe to show. Only errors that quote scripts and
// templates have lines, and those that are lists.
func printableError(err error) string {
	var (
		command  *vars.CommandError
		template *vars.TemplateError
		problem  *diag.Diagnostic
		invalid  *plan.InvalidVarsError
	)
	if errors.As(err, &command) || errors.As(err, &template) || errors.As(err, &problem) || errors.As(err, &invalid) {
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

// fail shows what went wrong and returns the exit code. The line of the first
// problem, which decides on the code, stands last: nearest to the prompt.
func (a *app) fail(err error) int {
	if ds := diag.FromError(err); len(ds) > 0 {
		return a.failFile(ds)
	}
	problems := plan.Problems(err)
	if len(problems) == 0 {
		problems = []error{err}
	}
	for i := len(problems) - 1; i >= 0; i-- {
		a.annotate(problems[i])
		a.paint(a.err, report.Red, a.errorText(problems[i])+"\n")
	}
	return a.code(problems[0])
}

// unwritten tells that err kept the output from being written.
func (a *app) unwritten(err error) error {
	return fmt.Errorf("%s: writing the output: %w", a.name, err)
}

// annotate tells GitHub's runner about err.
func (a *app) annotate(err error) {
	if a.env("GITHUB_ACTIONS") != "true" {
		return
	}
	title, text := "Task failed", a.errorText(err)
	if e, ok := err.(*plan.TaskError); ok {
		title, text = fmt.Sprintf("Task '%s' failed", e.Task), a.errorText(e.Err)
	}
	a.out.Show(githubError(title, text))
}

// githubError is an error as GitHub's runner takes it from a log: one line, whatever is in
// title and text.
func githubError(title, text string) string {
	message := strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	property := strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", "::", "%3A%3A", ",", "%2C") // one colon ends nothing
	return "::error title=" + property.Replace(diag.PrintableText(title)) + "::" + message.Replace(diag.PrintableText(text)) + "\n"
}

// say writes a message of the program to w.
func (a *app) say(w *report.Out, c report.Color, text string) { a.paint(w, c, a.name+": "+text+"\n") }

func (a *app) paint(w *report.Out, c report.Color, text string) {
	w.Paint(&a.palette, c, text)
}

package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/hashicorp/go-multierror"

	"github.com/weftrun/weft/cmd/weft/report"
	"github.com/weftrun/weft/engine/command"
	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/engine/executor"
	"github.com/weftrun/weft/engine/plan"
	"github.com/weftrun/weft/engine/proc"
	"github.com/weftrun/weft/engine/sched"
	"github.com/weftrun/weft/engine/shell"
	"github.com/weftrun/weft/engine/vars"
)

// describe describes an error with secrets masked, for reports and recorded runs.
func (a *app) describe(err error) event.Failure {
	if f, ok := err.(*event.Failure); ok {
		return *f
	}
	kind, reason := a.reason(err)
	return event.Failure{Text: a.secrets.Mask(err.Error()), Shown: a.secrets.Mask(a.errorText(err)), Kind: kind, Reason: a.secrets.Mask(reason)}
}

// reason returns the kind of err, and a short description for a line that already names the failed
// task: without the program's name and the tasks that called it.
func (a *app) reason(err error) (event.Kind, string) {
	text := strings.TrimPrefix(a.errorText(err), a.name+": ")
	switch e := err.(type) {
	case *multierror.Error:
		return a.reason(e.Errors[0])
	case *plan.TaskError:
		return a.reason(e.Err)
	case *command.BackgroundError:
		kind, _ := a.reason(e.Err)
		return kind, text
	case *command.CrashLoop:
		return event.ByStatus, text
	case *sched.TimedOut:
		if e.Limit == sched.IdleLimit {
			return event.ByIdle, "no output for " + report.FormatDuration(e.After)
		}
		return event.ByTimeout, "timed out after " + report.FormatDuration(e.After)
	case *shell.ExitError:
		switch {
		case e.Signal != 0 && e.Why == "":
			return event.BySignal, "killed by " + signalName(e.Signal)
		case e.Signal != 0:
			return event.BySignal, text
		case e.Missing != "":
			return event.ByProgram, fmt.Sprintf("program %q not found", e.Missing)
		}
		return event.ByStatus, text
	case *command.NotAcceptedError:
		return event.ByStatus, text
	case *command.StreamError:
		return event.ByOutput, text
	case *vars.CommandError:
		return event.ByVariable, text
	case *vars.TemplateError:
		return event.ByTemplate, text
	case *proc.SetupError:
		return event.ByProgram, text
	}
	if errors.Is(err, executor.ErrPrecondition) {
		return event.ByPrecondition, text
	}
	return event.ByWeft, text
}

package engine

import (
	"context"
	"os"
	"sync/atomic"
	"time"

	"github.com/weftrun/weft/engine/command"
	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/engine/executor"
	"github.com/weftrun/weft/engine/glob"
	"github.com/weftrun/weft/engine/pipe"
	"github.com/weftrun/weft/engine/plan"
	"github.com/weftrun/weft/engine/sched"
	"github.com/weftrun/weft/engine/vars"
	"github.com/weftrun/weft/schema"
)

// Options configure an Engine. The zero value runs Workflow with default
// behaviour, no input and no events.
type Options struct {
	Workflow *schema.Workflow
	Environ  []string    // the process environment; nil means empty
	CLIVars  schema.Vars // NAME=value, in order
	CLIArgs  []string    // what stands after --
	UserDir  string      // the directory weft was started in, absolute
	Exe      string      // argv[0], for TASK_EXE
	Version  string      // weft's own version, for WEFT_VERSION
	Argv     []string    // the command line, for [event.RunStarted]
	TempDir  string      // state directory; "" means .weft in the root directory

	Concurrency int    // hard limit of running steps; 0 means the soft limit
	Output      string // output style, resolved: interleaved, group, prefixed
	Begin, End  schema.Text

	Parallel    bool // several calls at once
	KeepGoing   bool // several calls: go on after one failed
	Force       bool // run although up to date
	ForceAll    bool // with GentleForce: also what is needed or called
	GentleForce bool // experiment: Force is for the calls only
	Dry         bool
	// Still engines only describe the workflow: no dynamic variable is ever run.
	Still       bool
	Silent      bool
	Verbose     bool
	Failfast    bool
	AssumeYes   bool
	Interactive bool // ask for missing required variables
	Offline     bool // only shown to templates, as CLI_OFFLINE

	EnvPrecedence bool // experiment: Taskfile env beats the process environment
	Reference     bool // what scripts fail on is told in the reference's words alone
	CoreUtils     bool // the shell has cp, rm and the like built in, where the system has none

	Stdin          *os.File // given to steps that may read; nil means none
	Stdout, Stderr *os.File // inherited by commands in interleaved mode
	Ask            Asker    // answers prompts; nil refuses them

	// Interrupt sends SIGINT to weft's whole process group, as the terminal would
	// have, had it not been lent to a command: a script that called weft is to
	// stop, too. It must lead to Signal. Nil: Signal is called instead.
	Interrupt func()

	// Sink receives every event, from one goroutine at a time, in order. Secrets are
	// masked in all of its texts; not in its errors.
	Sink func(event.Event)

	// Secrets are what is not to be shown; the engine adds what it finds to be secret.
	// Nil: it has its own.
	Secrets *pipe.Secrets
	// Record has commands write through weft whatever the style, so that what they write
	// is in the events.
	Record bool
	// MaskOutput has commands write through weft where they would have weft's own streams,
	// if the workflow has secret variables, so that these are masked.
	MaskOutput bool

	// Engines that share a report, one after the other or at the same time, share these.
	Steps *atomic.Int32 // the number of the last step; nil: each engine counts from 1
	Tree  *glob.Tree    // what directories have in them; nil: each engine looks itself
}

// varOptions are the options of the engine's variables, with or without those
// of the command line.
func (e *Engine) varOptions(cli schema.Vars) vars.Options {
	o := &e.o
	vo := vars.Options{
		Workflow: o.Workflow, Environ: o.Environ, CLI: cli, CLIArgs: o.CLIArgs, Exe: o.Exe, UserDir: o.UserDir, Version: o.Version,
		Flags:         vars.Flags{Force: o.Force || o.ForceAll, Silent: o.Silent, Verbose: o.Verbose, Offline: o.Offline, AssumeYes: o.AssumeYes},
		EnvPrecedence: o.EnvPrecedence, OnDynamic: e.computed, OnSecret: e.secret,
	}
	if !o.Still {
		vo.Shell = host{e}
	}
	return vo
}

func (e *Engine) expanderOptions() plan.Options {
	return plan.Options{Workflow: e.o.Workflow, Resolver: e.resolver, Host: host{e}, Silent: e.o.Silent, Limit: e.taskLimit}
}

// taskLimit is ctx with the time limit of a task.
func (e *Engine) taskLimit(ctx context.Context, task string, limit time.Duration) (context.Context, func()) {
	return sched.WithLimit(ctx, &e.clock, &sched.TimedOut{Name: task, After: limit, Limit: sched.TaskLimit})
}

func (e *Engine) commandOptions() command.Options {
	o := &e.o
	styled := o.Output == "group" || o.Output == "prefixed"
	through := !styled && (o.Record || o.MaskOutput && o.Workflow.Secrets)
	return command.Options{Root: o.Workflow.Dir, Shell: e.shell, Processes: e.processes, Running: &e.stopping.Running, Clock: &e.clock, Secrets: e.secrets, Large: &e.large,
		Stdin: o.Stdin, Stdout: o.Stdout, Stderr: o.Stderr,
		Relay: styled || through, Apart: through && !sameFile(o.Stdout, o.Stderr), RelayInteractive: through && terminal(o.Stdout) == nil, Begin: o.Begin, End: o.End,
		Dry: o.Dry, Verbose: o.Verbose, Flush: e.queue.Flush,
	}
}

// executorOptions are those of an executor whose steps are done by here.
func (e *Engine) executorOptions(here *command.Local) executor.Options {
	o := &e.o
	return executor.Options{Root: o.Workflow.Dir, Body: here, Test: here.Test, State: e.state, Tree: e.tree, Checker: e.checker, Clock: &e.clock, Secrets: e.secrets, Large: &e.large, Run: e.id,
		Dry: o.Dry, AssumeYes: o.AssumeYes, Confirm: e.confirm, Flush: e.queue.Flush,
		Force: func(s *plan.Step) bool {
			return o.ForceAll || o.Force && (!o.GentleForce || s.From == nil)
		},
	}
}

// sameFile reports whether what is written to a and to b comes to the same place, in one
// order.
func sameFile(a, b *os.File) bool {
	if a == nil || b == nil {
		return a == b
	}
	ia, err := a.Stat()
	if err != nil {
		return false
	}
	ib, err := b.Stat()
	return err == nil && os.SameFile(ia, ib)
}

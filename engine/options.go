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
	"github.com/weftrun/weft/engine/remote"
	"github.com/weftrun/weft/engine/sched"
	"github.com/weftrun/weft/engine/socket"
	"github.com/weftrun/weft/engine/trace"
	"github.com/weftrun/weft/engine/vars"
	"github.com/weftrun/weft/schema"
)

// Options configure an Engine. The zero value runs Workflow with default
// behaviour, no input and no events.
type Options struct {
	Workflow *schema.Workflow
	Environ  []string      // the process environment; nil means empty
	CLIVars  schema.Vars   // NAME=value, in order
	CLIArgs  []string      // arguments after --
	UserDir  string        // start directory, absolute
	Exe      string        // argv[0], for TASK_EXE
	Version  func() string // returns weft's own version, for WEFT_VERSION; nil: ""
	Argv     []string      // the command line, for [event.RunStarted]
	TempDir  string        // state directory; "" means .weft in the root directory

	// ID is the identity of the run, as [NewID] makes it; "": the engine makes one.
	ID string

	Concurrency int    // hard limit of running steps; 0 means the soft limit
	Output      string // output style, resolved: interleaved, group, prefixed, keep-order
	Begin, End  schema.Text

	// Durations returns the expected duration of the step with a [plan.Step.HistoryKey], or 0 if
	// unknown. Of the ready steps the one with the longest chain of dependents goes first. May be nil.
	Durations func(key uint64) time.Duration

	// Before returns the step's success in the run that is rerun, or nil: if its inputs are the same,
	// the step does not run. Nil: this is no rerun.
	Before func(*plan.Step) *executor.Success

	Parallel    bool // run the calls concurrently
	KeepGoing   bool // continue with other calls after a failure
	Force       bool // run even if up to date
	ForceAll    bool // with GentleForce: also needed and called tasks
	GentleForce bool // experiment: Force applies to the calls only
	Dry         bool
	// DescribeOnly engines only describe the workflow: they never run a dynamic variable.
	DescribeOnly bool
	Silent       bool
	Verbose      bool
	Failfast     bool
	AssumeYes    bool
	Interactive  bool // prompt for missing required variables
	Offline      bool // only shown to templates, as CLI_OFFLINE

	EnvPrecedence bool // experiment: Taskfile env beats the process environment
	Reference     bool // script errors use only the reference's words
	CoreUtils     bool // the shell has cp, rm and the like built in, if the system lacks them

	Stdin          *os.File // given to steps that may read; nil means none
	Stdout, Stderr *os.File // inherited by commands in interleaved mode
	Ask            Asker    // answers prompts; nil refuses them

	// Await, if set, is called before a program is started or a script is interpreted: it returns when
	// signals are passed to the engine. It is called by any goroutine, any number of times.
	Await func()

	// Live means that Stdout and Stderr are one terminal on which weft draws. Steps that run beside
	// other writers then have pseudo-terminals, and write through weft, unless the style uses pipes.
	// Commands that write to Stdout or Stderr directly are announced before.
	Live bool
	// DirectOutput registers where commands write past weft; nil: not needed.
	DirectOutput *command.DirectOutput
	// HideDisplay, if set, is called before a command that belongs to no step writes to Stderr; the
	// returned function is called when it has ended. LendTerminal is the same for a program that
	// gets a live terminal to itself. They may be called on any goroutine.
	HideDisplay, LendTerminal func() (ended func())
	// OnForeground, if set, is called before a program of a step that reads the terminal gets its
	// foreground; the step is 0 for a program of none. It must not call the engine.
	OnForeground func(event.StepID)

	// Screen, if set, means that another program draws on the terminal that Stdin and Stdout are. It
	// is called before anything uses the terminal; the returned function is called when that has
	// ended. Neither may call the engine. step is the one whose program uses it while its output
	// still goes through weft; 0 if it writes to the terminal itself. Only interactive tasks and
	// programs that open the terminal themselves use it; Stderr is for commands of no step.
	Screen func(step event.StepID) (ended func())

	// Interrupt sends SIGINT to weft's whole process group, as the terminal would have done if it had
	// not been lent to a command: a script that called weft should stop, too. It must lead to a call
	// of Signal. Nil: Signal is called instead.
	Interrupt func()

	// StopWithin is the time limit for everything to end after a signal, deferred commands included;
	// except after an interrupt at a terminal. 0 means that only grace periods apply.
	StopWithin time.Duration

	// Up is called once: when all services of the command line are ready, or if its last task is not a
	// service, when the first command of that task or its needs starts; or at a successful end. May be
	// nil.
	Up func()

	// Ready is called when everything on the command line has succeeded, or is a ready service, if
	// there is one: otherwise that is the end of the run. May be nil.
	Ready func()

	// Control allows requests to stop or start steps: see [Engine.StopStep].
	Control bool

	// CacheDir is the directory of the output cache, absolute; "" means none, which cached steps warn
	// of.
	CacheDir string
	// NoCache runs steps without the cache: nothing is restored from it or put into it.
	NoCache bool
	// Refresh runs steps that are not up to date, and stores their results in the cache.
	Refresh bool
	// Shared is a cache that several machines share; nil: none. Push stores the results of all tasks
	// there that do not say otherwise.
	Shared executor.Shared
	Push   bool

	// Remote performs the steps that are to run elsewhere (the key remote), and can; nil: none.
	Remote *remote.Server
	// RemoteHere runs them in an empty directory of this machine with nothing but their inputs, if Remote
	// is nil.
	RemoteHere bool

	// Sink receives every event, from one goroutine at a time, in order. Secrets are masked in all of
	// its texts, but not in its errors.
	Sink func(event.Event)

	// Schemas checks messages of programs (ipc); nil: commands whose messages have a schema fail.
	Schemas command.Schemas

	// Secrets are masked values; the engine adds those it finds. Nil: private ones.
	Secrets *pipe.Secrets
	// Wants are the details that Sink needs in the events; others are not computed. With Output
	// commands write through weft whatever the style.
	Wants event.Wants
	// Tick, if set, is called on the goroutine that calls Sink: at most ten times a second, and about
	// once a second while there are no events.
	Tick func(now time.Time)
	// Drained, if set, is called on the goroutine that calls Sink when no more events are pending, at
	// most once in 5 ms and always at the end of a run.
	Drained func()
	// MaskOutput makes commands write through weft instead of inheriting weft's own streams, if the
	// workflow has secret variables, so that these are masked.
	MaskOutput bool

	// Trace, if set, provides TRACEPARENT for commands. Nil: they inherit weft's.
	Trace *trace.Export

	// Engines that share a report, one after the other or concurrently, share these.
	Steps *atomic.Int32 // ID of the last step; nil: each engine counts from 1
	Tree  *glob.Tree    // contents of directories; nil: private to the engine
	// Services outlive the runs of engines that share them. Nil: services end with their run.
	Services *Services
}

// varOptions returns the options of the engine's variables, with or without those of the command
// line.
func (e *Engine) varOptions(cli schema.Vars) vars.Options {
	o := &e.o
	vo := vars.Options{
		Workflow: o.Workflow, Environ: o.Environ, CLI: cli, CLIArgs: o.CLIArgs, Exe: o.Exe, UserDir: o.UserDir, Version: o.Version,
		Flags:         vars.Flags{Force: o.Force || o.ForceAll, Silent: o.Silent, Verbose: o.Verbose, Offline: o.Offline, AssumeYes: o.AssumeYes},
		EnvPrecedence: o.EnvPrecedence, OnSecret: e.secret,
		OnDynamic: func(cmd, result string) { e.emit(&event.VarComputed{Time: time.Now(), Text: cmd, Result: result}) },
	}
	if !o.DescribeOnly {
		vo.Shell = host{e}
	}
	return vo
}

// screen is Screen for processes; nil without that.
func (o *Options) screen() func(step int) (ended func()) {
	if o.Screen == nil {
		return nil
	}
	return func(step int) func() { return o.Screen(event.StepID(step)) }
}

//go:noinline
func (e *Engine) expanderOptions() plan.Options {
	limit := func(ctx context.Context, task string, limit time.Duration) (context.Context, func()) {
		return sched.WithLimit(ctx, &e.clock, &sched.TimedOut{Name: task, After: limit, Limit: sched.TaskLimit})
	}
	po := plan.Options{Workflow: e.o.Workflow, Resolver: e.resolver, Host: host{e}, Silent: e.o.Silent, Limit: limit}
	if e.act != nil {
		po.Body = &e.act.body
	}
	return po
}

func (e *Engine) commandOptions() command.Options {
	o := &e.o
	styled := e.styled()
	through := !styled && (o.Wants.Output || e.masksOutput())
	co := command.Options{Root: o.Workflow.Dir, Shell: e.shell, Processes: e.processes, Running: &e.stopping.running, Background: e.background, Services: e.live, Clock: &e.clock, Secrets: e.secrets, Large: &e.large,
		Stdin: o.Stdin, Stdout: o.Stdout, Stderr: o.Stderr,
		Relay: styled || through, SeparateStderr: e.apart(), RelayInteractive: through && terminal(o.Stdout) == nil, Begin: o.Begin, End: o.End,
		RelayConcurrent: o.Live || o.Output == "keep-order", Terminals: o.Live && !styled, LendTerminal: o.LendTerminal, DirectOutput: o.DirectOutput,
		Dry: o.Dry, Verbose: o.Verbose, Flush: e.queue.Flush, Schemas: o.Schemas,
	}
	if o.Screen != nil {
		co.Stderr, co.Screen = o.Stdout, func() func() { return o.Screen(0) }
	}
	if e.jobs.limit > 0 {
		co.Jobserver = e.giveJobserver
	}
	if o.Trace != nil {
		co.Trace = func(step event.StepID, command, attempt int) string {
			return o.Trace.Command(e.id, int(step), command, attempt)
		}
	}
	return co
}

// styled reports whether the output style needs all output of commands to go through weft.
func (e *Engine) styled() bool { return e.o.Output == "group" || e.o.Output == "prefixed" }

// apart reports whether the two streams of a relayed command stay separate, because they are shown
// at different places.
func (e *Engine) apart() bool {
	return !e.styled() && e.o.Screen == nil && !sameFile(e.o.Stdout, e.o.Stderr)
}

// executorOptions returns the options of an executor whose steps run on here.
func (e *Engine) executorOptions(here *command.Local) executor.Options {
	o := &e.o
	var ran func(*plan.Step)
	var ports *socket.Ports
	if o.Services != nil {
		ran, ports = e.live.RecordRun, &o.Services.ports
	}
	var gather *executor.Gathering
	if e.act != nil {
		gather = &e.act.gather
	}
	xo := executor.Options{Gather: gather, Ran: ran, Ports: ports, Root: o.Workflow.Dir, Body: here, Test: here.Test, Cache: e.cached(here), State: e.state, Tree: e.tree, Checker: e.checker, Clock: &e.clock, Secrets: e.secrets, Large: &e.large, Run: e.id, PlanningCommands: &e.asked,
		Dry: o.Dry, Before: o.Before, AssumeYes: o.AssumeYes, Confirm: e.confirm, Flush: e.queue.Flush, Force: e.forced(),
		Facts: o.Wants.Graph, Reasons: o.Wants.Reasons,
	}
	e.setRemote(&xo, here)
	return xo
}

// forced returns a function that reports whether a step runs even if up to date.
func (e *Engine) forced() func(*plan.Step) bool {
	o := &e.o
	return func(s *plan.Step) bool {
		return o.ForceAll || o.Force && (!o.GentleForce || s.From == nil)
	}
}

// sameFile reports whether a and b write to the same destination, in one order.
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

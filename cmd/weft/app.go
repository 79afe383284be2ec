package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/spf13/pflag"

	"github.com/weftrun/weft/cmd/weft/history"
	"github.com/weftrun/weft/cmd/weft/remotefile"
	"github.com/weftrun/weft/cmd/weft/report"
	"github.com/weftrun/weft/engine/command"
	"github.com/weftrun/weft/engine/companion"
	"github.com/weftrun/weft/engine/pipe"
	"github.com/weftrun/weft/engine/proc"
	"github.com/weftrun/weft/engine/remote"
	"github.com/weftrun/weft/engine/trace"
	"github.com/weftrun/weft/internal/heap"
	"github.com/weftrun/weft/internal/tempdir"
	"github.com/weftrun/weft/schema/diag"
)

// app is one run of the program.
type app struct {
	name    string // "weft", or "task" for the drop-in
	exe     string // argv[0]
	args    []string
	environ []string
	wd      string // see workingDir
	opts    options
	palette report.Palette
	out     *report.Out
	err     *report.Out
	area    *report.Area         // of the terminal of out and err if it is live; else nil
	outputs command.DirectOutput // of commands whose output bypasses weft, for area
	// estimate predicts durations from earlier runs; nil if none are recorded.
	estimate report.Estimate

	secrets     pipe.Secrets    // masked in out and err once known
	secretNames map[string]bool // names that are secret for some task

	chosenStyle string // the output style, where it was chosen for several services; else ""
	terminals   bool   // steps that run, or are replayed, side by side write to pseudo-terminals

	detection sync.Once // sets detected
	detected  report.System

	concluding bool // something outside is told about the end of the run, which no signal may prevent

	supervisor *supervisor // notified of the run's state; may be nil

	warned []*diag.Diagnostic // shown warnings about the Taskfile
	events *eventFile         // writes the file of --events; may be nil

	controller *controller // accepts requests to the run; may be nil
	detacher   *detacher   // connection to the weft that started this one by --detach; may be nil

	again   *pastRun        // the run rerun by --rerun-failed; may be nil
	history *history.Writer // records the run; may be nil

	page  *livePage     // serves the run as a live page; may be nil
	trace *trace.Export // how runs are exported; may be nil

	// For remote Taskfiles; nil until there are any.
	remote    *remotefile.Opener
	companion *companion.Companion
	// ownResults is where the second program puts what servers have, if the output cache cannot be written to;
	// otherwise nil.
	ownResults *tempdir.Dir
	// remoteSettings sets the options about remote Taskfiles, which most runs do not use. It is nil
	// afterwards.
	remoteSettings func()
}

// Main runs the program and returns its exit code. args is like os.Args.
func Main(args, environ []string) int {
	heap.Tune()
	a := &app{name: "weft", exe: args[0], args: args[1:], environ: environ, out: report.NewOut(os.Stdout), err: report.NewOut(os.Stderr)}
	a.out.Mask(a.secrets.Mask)
	a.err.Mask(a.ownText)
	if strings.TrimSuffix(filepath.Base(args[0]), ".exe") == "task" {
		a.name = "task"
	}
	if len(a.args) == 2 && a.args[0] == remote.Flag && !a.dropIn() {
		return a.withSignals(a.act)
	}
	return a.main()
}

// dropIn reports whether the program is a drop-in for the reference.
//
//go:noinline
func (a *app) dropIn() bool { return a.name == "task" }

func (a *app) main() int {
	flags, err := a.opts.parse(a.args)
	if err == nil && a.opts.rerunFailed != "" {
		if err := a.opts.validate(a.dropIn()); err != nil {
			return a.fail(err)
		}
		if err := a.adoptFailed(); err != nil {
			return a.failIn("--rerun-failed", err)
		}
		flags, err = a.opts.parse(a.args)
	}
	switch {
	case errors.Is(err, pflag.ErrHelp):
		// A preceding --version has priority.
		if a.opts.version {
			return a.written(a.version())
		}
		return a.written(a.help())
	case err != nil:
		a.err.Show(a.usage() + diag.Printable(err.Error()) + "\n")
		return exitUsage
	}
	if a.opts.version {
		return a.written(a.version())
	}
	a.settings(flags)
	switch {
	case a.opts.help:
		return a.written(a.help())
	case a.opts.experiments:
		return a.written(a.listExperiments())
	case a.opts.completion != "":
		return a.written(a.completion())
	case a.opts.schema != "":
		return a.written(a.printSchema())
	case a.opts.complete:
		return a.complete()
	}
	if err := a.opts.validate(a.dropIn()); err != nil {
		return a.fail(err)
	}
	if a.eventsAlone() {
		a.out = a.err
	}
	switch {
	case a.opts.tui && !a.opts.detached:
		return a.fullScreen()
	case a.opts.attach:
		return a.attach()
	case a.opts.detach && !a.opts.detached:
		return a.written(a.detach())
	case a.opts.logs != "":
		return a.written(a.logs())
	case a.opts.restart, a.opts.start, a.opts.send, a.opts.stopRun && strings.Contains(a.firstCall(), "/"):
		return a.written(a.sendRequest())
	case a.opts.wait != "":
		return a.written(a.waitForRun())
	case a.opts.ps:
		return a.written(a.ps())
	case a.opts.stopRun:
		return a.written(a.stopRun())
	case a.opts.reap != "":
		return a.written(a.reap())
	case a.opts.replay != "":
		return a.replay()
	case a.opts.history != "":
		return a.written(a.showHistory())
	}
	switch {
	case a.opts.init:
		return a.initFile()
	case a.opts.clearCache:
		return a.clearCache()
	case a.opts.cache == "serve":
		return a.serveCache()
	}
	if a.opts.detached {
		a.detacher = newDetacher(a.opts.tui)
	}
	if a.opts.cache == "gc" || a.opts.cache == "verify" {
		return a.withSignals(func(ctx context.Context, _ *signals) int { return a.written(a.wholeCache(ctx)) })
	}
	return a.withSignals(a.work)
}

// written returns code, or another exit code if the output could not be written.
func (a *app) written(code int) int {
	switch err := a.out.Err(); {
	case code != 0 || err == nil:
		return code
	case a.out.Broken():
		return proc.BrokenPipe
	default:
		return a.fail(a.unwritten(err))
	}
}

// work performs everything that needs a Taskfile.
func (a *app) work(ctx context.Context, s *signals) int {
	defer a.closeCompanion()
	if a.opts.pin {
		return a.pin(ctx)
	}
	w, code := a.load(ctx)
	if w == nil || a.opts.check {
		return code
	}
	return a.perform(ctx, s, w)
}

// env returns the value of an environment variable, or "".
//
//go:noinline
func (a *app) env(name string) string {
	for i := len(a.environ) - 1; i >= 0; i-- {
		kv := a.environ[i]
		if len(kv) > len(name) && kv[len(name)] == '=' && kv[:len(name)] == name {
			return kv[len(name)+1:]
		}
	}
	return ""
}

// onCI reports whether weft runs under a CI system, according to the environment. The output of
// such a system may be public.
func (a *app) onCI() bool { return a.detectedSystem() != "" }

// detectedSystem returns the CI system detected from the environment, "" for none. The result is
// cached.
func (a *app) detectedSystem() report.System {
	a.detection.Do(func() { a.detected = report.DetectSystem(a.env) })
	return a.detected
}

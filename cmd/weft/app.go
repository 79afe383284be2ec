package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/pflag"

	"github.com/weftrun/weft/cmd/weft/remotefile"
	"github.com/weftrun/weft/cmd/weft/report"
	"github.com/weftrun/weft/engine/companion"
	"github.com/weftrun/weft/engine/pipe"
	"github.com/weftrun/weft/engine/proc"
	"github.com/weftrun/weft/schema/diag"
)

// app is one run of the program.
type app struct {
	name    string // "weft", or "task" for the drop-in
	exe     string // argv[0]
	args    []string
	environ []string
	opts    options
	palette report.Palette
	out     *report.Out
	err     *report.Out

	secrets     pipe.Secrets    // masked in out and err, as soon as they are known
	secretNames map[string]bool // names that are secret for some task

	warned []*diag.Diagnostic // the warnings about the Taskfile that were shown
	events report.Reporter    // writes the file of --events; nil without that

	// For remote Taskfiles; nil until there are any.
	remote    *remotefile.Opener
	companion *companion.Companion
	// remoteSettings sets the options about them that most runs do not use. It is nil
	// after that.
	remoteSettings func()
}

// Main runs the program and returns its exit code. args is like os.Args.
func Main(args, environ []string) int {
	tuneGC()
	a := &app{name: "weft", exe: args[0], args: args[1:], environ: environ, out: report.NewOut(os.Stdout), err: report.NewOut(os.Stderr)}
	a.out.Mask(a.secrets.Mask)
	a.err.Mask(a.secrets.Mask)
	if strings.TrimSuffix(filepath.Base(args[0]), ".exe") == "task" {
		a.name = "task"
	}
	return a.main()
}

// dropIn reports whether the program stands in for the reference.
func (a *app) dropIn() bool { return a.name == "task" }

func (a *app) main() int {
	flags, err := a.opts.parse(a.args)
	switch {
	case errors.Is(err, pflag.ErrHelp):
		// A --version before it has priority.
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
	case a.opts.complete:
		return a.complete()
	}
	if err := a.opts.validate(); err != nil {
		return a.fail(err)
	}
	switch {
	case a.opts.ps:
		return a.written(a.ps())
	case a.opts.stopRun:
		return a.written(a.stopRun())
	case a.opts.reap != "":
		return a.written(a.reap())
	case a.opts.replay != "":
		return a.replay()
	}
	switch {
	case a.opts.init:
		return a.initFile()
	case a.opts.clearCache:
		return a.clearCache()
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

// work does everything that needs a Taskfile.
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
func (a *app) env(name string) string {
	for i := len(a.environ) - 1; i >= 0; i-- {
		kv := a.environ[i]
		if len(kv) > len(name) && kv[len(name)] == '=' && kv[:len(name)] == name {
			return kv[len(name)+1:]
		}
	}
	return ""
}

// onCI reports whether weft runs under a CI system, according to the environment. Such a
// system shows to everybody what commands write.
func (a *app) onCI() bool {
	for _, c := range [...]struct{ variable, value string }{
		{"GITHUB_ACTIONS", "true"}, // of Gitea and Forgejo, too
		{"GITLAB_CI", "true"},
		{"TF_BUILD", "True"},
		{"TEAMCITY_VERSION", ""},
		{"BUILDKITE", "true"},
		{"JENKINS_URL", ""},
	} {
		if v := a.env(c.variable); v != "" && (c.value == "" || v == c.value) {
			return true
		}
	}
	on, _ := strconv.ParseBool(a.env("CI")) // false for what is neither
	return on
}

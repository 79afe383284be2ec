package main

import (
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/weftrun/weft/cmd/weft/remotefile"
	"github.com/weftrun/weft/schema"
)

// options holds the command line and the settings. The zero value is the default, except
// for color.
type options struct {
	calls   []string    // tasks to run; empty means "default"
	vars    schema.Vars // NAME=value
	cliArgs []string    // after --

	// What to do. The first that is set has priority, see app.main and app.perform.
	version, help, experiments, complete  bool
	completion                            string
	init, check, pin, clearCache          bool
	list, listAll, json, noStatus, nested bool
	summary, status, why                  bool
	graph                                 string
	ps, stopRun                           bool
	reap                                  string
	watch                                 bool
	poll                                  time.Duration
	clear                                 bool
	interval                              time.Duration

	// Where and how to do it.
	dir, taskfile         string
	global                bool
	sort                  string
	disableFuzzy          bool
	tempDir               string
	color                 bool
	colorSet              bool // color is set by a flag or a setting
	output                string
	groupBegin, groupEnd  string
	groupErrorOnly        bool
	events, replay        string
	record                bool
	concurrency           int
	parallel, keepGoing   bool
	force, forceAll, dry  bool
	silent, verbose       bool
	failfast, exitCode    bool
	yes, interactive      bool
	gentleForce, envFirst bool               // by experiments
	remote                remotefile.Options // what flags and settings say of remote Taskfiles
}

// flagSet returns all flags, bound to o. The flags that only weft has are hidden: the drop-in
// does not list them.
func (o *options) flagSet() *pflag.FlagSet {
	f := pflag.NewFlagSet("", pflag.ContinueOnError)
	f.Usage = func() {}
	r := &o.remote

	f.BoolVar(&o.version, "version", false, "print the version")
	f.BoolVarP(&o.help, "help", "h", false, "print this help")
	f.BoolVarP(&o.init, "init", "i", false, "write a first Taskfile.yml")
	f.StringVar(&o.completion, "completion", "", "print the completions of a shell")
	f.BoolVarP(&o.list, "list", "l", false, "list the tasks that have a description")
	f.BoolVarP(&o.listAll, "list-all", "a", false, "list all tasks")
	f.BoolVarP(&o.json, "json", "j", false, "list as JSON")
	f.StringVar(&o.sort, "sort", "", "order of the list: default, alphanumeric or none")
	f.BoolVar(&o.status, "status", false, "exit 1 if one of the tasks is not up to date")
	f.BoolVar(&o.noStatus, "no-status", false, "leave up_to_date out of the JSON")
	f.BoolVar(&o.nested, "nested", false, "group the JSON by namespace")
	f.BoolVar(&r.Insecure, "insecure", false, "allow remote Taskfiles over plain HTTP")
	f.BoolVarP(&o.watch, "watch", "w", false, "run again when files change")
	f.BoolVarP(&o.verbose, "verbose", "v", false, "show more")
	f.BoolVarP(&o.silent, "silent", "s", false, "do not show commands")
	f.BoolVarP(&o.yes, "yes", "y", false, "answer every prompt with yes")
	f.BoolVar(&o.interactive, "interactive", false, "ask for required variables that are missing")
	f.BoolVarP(&o.parallel, "parallel", "p", false, "run the tasks named at once")
	f.BoolVarP(&o.dry, "dry", "n", false, "only show the commands")
	f.BoolVar(&o.summary, "summary", false, "describe tasks")
	f.BoolVarP(&o.exitCode, "exit-code", "x", false, "exit with the code of the command that failed")
	f.StringVarP(&o.dir, "dir", "d", "", "start there instead of here")
	f.StringVarP(&o.taskfile, "taskfile", "t", "", "a file, a directory, a URL, or - for standard input")
	f.StringVarP(&o.output, "output", "o", "", "interleaved, group or prefixed")
	f.StringVar(&o.groupBegin, "output-group-begin", "", "a line before the output of each command")
	f.StringVar(&o.groupEnd, "output-group-end", "", "a line after the output of each command")
	f.BoolVar(&o.groupErrorOnly, "output-group-error-only", false, "no output of commands that succeed")
	f.BoolVarP(&o.color, "color", "c", true, "force colours, or none")
	f.IntVarP(&o.concurrency, "concurrency", "C", 0, "at most so many tasks at a time")
	f.DurationVarP(&o.interval, "interval", "I", 0, "how long watching waits for more changes")
	f.BoolVarP(&o.failfast, "failfast", "F", false, "stop everything at the first failure")
	f.BoolVarP(&o.global, "global", "g", false, "the Taskfile of the home directory")
	f.BoolVar(&o.experiments, "experiments", false, "list experiments")
	f.BoolVarP(&o.force, "force", "f", false, "run although up to date")
	f.BoolVar(&o.disableFuzzy, "disable-fuzzy", false, "no suggestions for misspelt names")
	f.StringVar(&o.tempDir, "temp-dir", "", "keep state there instead of in .weft")

	f.BoolVar(&r.Download, "download", false, "fetch remote Taskfiles again")
	f.BoolVar(&r.Offline, "offline", false, "use copies of remote Taskfiles only")
	f.BoolVar(&o.clearCache, "clear-cache", false, "remove the copies of remote Taskfiles")
	f.DurationVar(&r.Timeout, "timeout", 10*time.Second, "time limit for each remote Taskfile")
	f.DurationVar(&r.Expiry, "expiry", 0, "how long a copy of a remote Taskfile is used without asking its server")
	f.StringSliceVar(&r.TrustedHosts, "trusted-hosts", nil, "hosts whose Taskfiles need no consent")
	f.StringVar(&r.CacheDir, "remote-cache-dir", "", "keep copies of remote Taskfiles there")
	f.StringVar(&r.CACert, "cacert", "", "certificate authority for remote Taskfiles")
	f.StringVar(&r.Cert, "cert", "", "client certificate for remote Taskfiles")
	f.StringVar(&r.CertKey, "cert-key", "", "key of the client certificate")

	f.BoolVar(&o.pin, "pin", false, "write the checksums of remote Taskfiles where they are included")
	f.BoolVar(&o.forceAll, "force-all", false, "with GENTLE_FORCE: run what is called too")
	f.BoolVar(&o.check, "check", false, "find every mistake that shows without running")
	f.BoolVar(&o.why, "why", false, "tell why tasks would run")
	f.StringVar(&o.graph, "graph", "", "show the plan as tree, dot, mermaid or json")
	f.Lookup("graph").NoOptDefVal = "tree"
	f.BoolVar(&o.ps, "ps", false, "show the runs that go on, and their processes")
	f.BoolVar(&o.stopRun, "stop", false, "stop a run, named as --ps shows it")
	f.StringVar(&o.reap, "reap", "", "end what runs that were killed left behind; =all: daemons too")
	f.Lookup("reap").NoOptDefVal = "left"
	f.StringVar(&o.events, "events", "", "write what happens as JSON lines")
	f.StringVar(&o.replay, "replay", "", "show the run that --events recorded in a file")
	f.BoolVar(&o.record, "record", false, "have all output in the events")
	f.DurationVar(&o.poll, "poll", 0, "watch by looking so often, instead of being told of changes")
	f.BoolVar(&o.clear, "clear", false, "clear the screen before each run of what is watched")
	f.BoolVarP(&o.keepGoing, "keep-going", "k", false, "go on with the next task named after a failure")
	for _, name := range [...]string{"pin", "force-all", "check", "why", "graph", "ps", "stop", "reap", "events", "replay", "record", "poll", "clear", "keep-going"} {
		f.Lookup(name).Hidden = true
	}
	return f
}

// parse reads the command line into o. It returns the flag set even with an error.
func (o *options) parse(args []string) (*pflag.FlagSet, error) {
	if len(args) > 0 && args[0] == "__complete" {
		o.complete, o.cliArgs = true, args[1:]
		args = nil
	}
	f := o.flagSet()
	if err := f.Parse(args); err != nil {
		return f, err
	}
	if f.Changed("replay") && o.replay == "" {
		return f, flagError("--replay needs the name of a file")
	}
	o.colorSet = f.Changed("color")
	words := f.Args()
	if n := f.ArgsLenAtDash(); n >= 0 {
		words, o.cliArgs = words[:n], words[n:]
	}
	for _, word := range words {
		if name, value, isVar := strings.Cut(word, "="); isVar {
			o.setVar(name, value)
		} else {
			o.calls = append(o.calls, word)
		}
	}
	return f, nil
}

// setVar sets a variable. The last value of a name counts.
func (o *options) setVar(name, value string) {
	v := schema.Var{Name: name, Value: value}
	if i := o.vars.Index(name); i >= 0 {
		o.vars[i] = v
		return
	}
	o.vars = append(o.vars, v)
}

// flagError is the error of flags that contradict each other, or of a wrong value.
type flagError string

func (e flagError) Error() string { return string(e) }

// validate returns an error if flags contradict each other.
func (o *options) validate() error {
	listing := o.list || o.listAll
	group := o.output == "group"
	for _, c := range [...]struct {
		wrong bool
		text  string
	}{
		{o.remote.Download && o.remote.Offline, "You can't set both --download and --offline flags"},
		{o.remote.Download && o.clearCache, "You can't set both --download and --clear-cache flags"},
		{o.global && o.dir != "", "You can't set both --global and --dir"},
		{!group && o.groupBegin != "", "You can't set --output-group-begin without --output=group"},
		{!group && o.groupEnd != "", "You can't set --output-group-end without --output=group"},
		{!group && o.groupErrorOnly, "You can't set --output-group-error-only without --output=group"},
		{o.list && o.listAll, "cannot use --list and --list-all at the same time"},
		{o.json && !listing && !o.why, "--json only applies to --list or --list-all"},
		{o.noStatus && (!o.json || !listing), "--no-status only applies to --json with --list or --list-all"},
		{o.nested && (!o.json || !listing), "--nested only applies to --json with --list or --list-all"},
		{(o.remote.Cert == "") != (o.remote.CertKey == ""), "--cert and --cert-key must be provided together"},
		{o.stopRun && len(o.calls) > 1, "--stop takes one run"},
		{o.reap != "" && o.reap != "left" && o.reap != "all", "--reap takes nothing, or all"},
		{o.forceAll && !o.gentleForce, "--force-all needs the experiment GENTLE_FORCE (set TASK_X_GENTLE_FORCE=1), without it --force does the same"},
	} {
		if c.wrong {
			return flagError(c.text)
		}
	}
	return nil
}

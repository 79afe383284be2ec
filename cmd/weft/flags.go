package main

import (
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/weftrun/weft/schema"
)

// options are the command line and what settings add to it. The zero value is
// the default of everything but color.
type options struct {
	calls   []string    // tasks to run; empty means "default"
	vars    schema.Vars // NAME=value
	cliArgs []string    // after --

	// What to do; the first that is set wins, see app.main and app.ask.
	version, help, experiments, complete  bool
	completion                            string
	init, check                           bool
	list, listAll, json, noStatus, nested bool
	summary, status, why                  bool
	graph                                 string
	watch                                 bool
	interval                              time.Duration

	// Where and how.
	dir, taskfile         string
	global                bool
	sort                  string
	disableFuzzy          bool
	tempDir               string
	color                 bool
	colorSet              bool // by flag or setting
	output                string
	groupBegin, groupEnd  string
	groupErrorOnly        bool
	events                string
	concurrency           int
	parallel, keepGoing   bool
	force, forceAll, dry  bool
	silent, verbose       bool
	failfast, exitCode    bool
	yes, interactive      bool
	gentleForce, envFirst bool // experiments
	remote                remoteOptions
}

// remoteOptions are accepted and checked; nothing remote is there yet.
type remoteOptions struct {
	insecure, download, offline, clearCache bool
	timeout, expiry                         time.Duration
	trustedHosts                            []string
	cacheDir, caCert, cert, certKey         string
}

// flagSet declares every flag, bound to o. The flags that only weft has are
// marked hidden: they are not part of the drop-in's help.
func (o *options) flagSet() *pflag.FlagSet {
	f := pflag.NewFlagSet("", pflag.ContinueOnError)
	f.Usage = func() {}
	r := &o.remote

	f.BoolVar(&o.version, "version", false, "Show Task version.")
	f.BoolVarP(&o.help, "help", "h", false, "Shows Task usage.")
	f.BoolVarP(&o.init, "init", "i", false, "Creates a new Taskfile.yml in the current folder.")
	f.StringVar(&o.completion, "completion", "", "Generates shell completion script.")
	f.BoolVarP(&o.list, "list", "l", false, "Lists tasks with description of current Taskfile.")
	f.BoolVarP(&o.listAll, "list-all", "a", false, "Lists tasks with or without a description.")
	f.BoolVarP(&o.json, "json", "j", false, "Formats task list as JSON.")
	f.StringVar(&o.sort, "sort", "", "Changes the order of the tasks when listed. [default|alphanumeric|none].")
	f.BoolVar(&o.status, "status", false, "Exits with non-zero exit code if any of the given tasks is not up-to-date.")
	f.BoolVar(&o.noStatus, "no-status", false, "Ignore status when listing tasks as JSON")
	f.BoolVar(&o.nested, "nested", false, "Nest namespaces when listing tasks as JSON")
	f.BoolVar(&r.insecure, "insecure", false, "Forces Task to download Taskfiles over insecure connections.")
	f.BoolVarP(&o.watch, "watch", "w", false, "Enables watch of the given task.")
	f.BoolVarP(&o.verbose, "verbose", "v", false, "Enables verbose mode.")
	f.BoolVarP(&o.silent, "silent", "s", false, "Disables echoing.")
	f.BoolVarP(&o.yes, "yes", "y", false, "Assume \"yes\" as answer to all prompts.")
	f.BoolVar(&o.interactive, "interactive", false, "Prompt for missing required variables.")
	f.BoolVarP(&o.parallel, "parallel", "p", false, "Executes tasks provided on command line in parallel.")
	f.BoolVarP(&o.dry, "dry", "n", false, "Compiles and prints tasks in the order that they would be run, without executing them.")
	f.BoolVar(&o.summary, "summary", false, "Show summary about a task.")
	f.BoolVarP(&o.exitCode, "exit-code", "x", false, "Pass-through the exit code of the task command.")
	f.StringVarP(&o.dir, "dir", "d", "", "Sets the directory in which Task will execute and look for a Taskfile.")
	f.StringVarP(&o.taskfile, "taskfile", "t", "", "Choose which Taskfile to run. Defaults to \"Taskfile.yml\".")
	f.StringVarP(&o.output, "output", "o", "", "Sets output style: [interleaved|group|prefixed].")
	f.StringVar(&o.groupBegin, "output-group-begin", "", "Message template to print before a task's grouped output.")
	f.StringVar(&o.groupEnd, "output-group-end", "", "Message template to print after a task's grouped output.")
	f.BoolVar(&o.groupErrorOnly, "output-group-error-only", false, "Swallow output from successful tasks.")
	f.BoolVarP(&o.color, "color", "c", true, "Colored output. Enabled by default. Set flag to false or use NO_COLOR=1 to disable.")
	f.IntVarP(&o.concurrency, "concurrency", "C", 0, "Limit number of tasks to run concurrently.")
	f.DurationVarP(&o.interval, "interval", "I", 0, "Interval to watch for changes.")
	f.BoolVarP(&o.failfast, "failfast", "F", false, "When running tasks in parallel, stop all tasks if one fails.")
	f.BoolVarP(&o.global, "global", "g", false, "Runs global Taskfile, from $HOME/{T,t}askfile.{yml,yaml}.")
	f.BoolVar(&o.experiments, "experiments", false, "Lists all the available experiments and whether or not they are enabled.")
	f.BoolVarP(&o.force, "force", "f", false, "Forces execution even when the task is up-to-date.")
	f.BoolVar(&o.disableFuzzy, "disable-fuzzy", false, "Disables fuzzy matching for task names.")
	f.StringVar(&o.tempDir, "temp-dir", "", "Sets the directory used to store Task temporary files, such as checksums. Relative paths are relative to the root Taskfile.")

	f.BoolVar(&r.download, "download", false, "Forces task to download remote Taskfiles and ignore any cached versions.")
	f.BoolVar(&r.offline, "offline", false, "Forces Task to only use local or cached Taskfiles.")
	f.BoolVar(&r.clearCache, "clear-cache", false, "Clear the remote cache.")
	f.DurationVar(&r.timeout, "timeout", 10*time.Second, "Timeout for downloading remote Taskfiles.")
	f.DurationVar(&r.expiry, "expiry", 0, "Expiry duration for cached remote Taskfiles.")
	f.StringSliceVar(&r.trustedHosts, "trusted-hosts", nil, "List of trusted hosts for remote Taskfiles (comma-separated).")
	f.StringVar(&r.cacheDir, "remote-cache-dir", "", "Directory to cache remote Taskfiles.")
	f.StringVar(&r.caCert, "cacert", "", "Path to a custom CA certificate for HTTPS connections.")
	f.StringVar(&r.cert, "cert", "", "Path to a client certificate for HTTPS connections.")
	f.StringVar(&r.certKey, "cert-key", "", "Path to a client certificate key for HTTPS connections.")

	f.BoolVar(&o.forceAll, "force-all", false, "")
	f.BoolVar(&o.check, "check", false, "")
	f.BoolVar(&o.why, "why", false, "")
	f.StringVar(&o.graph, "graph", "", "")
	f.Lookup("graph").NoOptDefVal = "tree"
	f.StringVar(&o.events, "events", "", "")
	f.BoolVarP(&o.keepGoing, "keep-going", "k", false, "")
	for _, name := range [...]string{"force-all", "check", "why", "graph", "events", "keep-going"} {
		f.Lookup(name).Hidden = true
	}
	return f
}

// parse reads the command line into o. The flag set is returned in any case.
func (o *options) parse(args []string) (*pflag.FlagSet, error) {
	if len(args) > 0 && args[0] == "__complete" {
		o.complete, o.cliArgs = true, args[1:]
		args = nil
	}
	f := o.flagSet()
	if err := f.Parse(args); err != nil {
		return f, err
	}
	o.colorSet = f.Changed("color")
	words := f.Args()
	if n := f.ArgsLenAtDash(); n >= 0 {
		words, o.cliArgs = words[:n], words[n:]
	}
	for _, word := range words {
		name, value, isVar := strings.Cut(word, "=")
		if !isVar {
			o.calls = append(o.calls, word)
			continue
		}
		o.setVar(name, value)
	}
	return f, nil
}

// setVar adds a variable; the last value of a name counts.
func (o *options) setVar(name, value string) {
	v := schema.Var{Name: name, Value: value}
	if i := o.vars.Index(name); i >= 0 {
		o.vars[i] = v
		return
	}
	o.vars = append(o.vars, v)
}

// flagError is a combination of flags that makes no sense. Its text stands
// after the program's name.
type flagError string

func (e flagError) Error() string { return string(e) }

// validate refuses contradictions.
func (o *options) validate() error {
	listing := o.list || o.listAll
	group := o.output == "group"
	for _, c := range [...]struct {
		wrong bool
		text  string
	}{
		{o.remote.download && o.remote.offline, "You can't set both --download and --offline flags"},
		{o.remote.download && o.remote.clearCache, "You can't set both --download and --clear-cache flags"},
		{o.global && o.dir != "", "You can't set both --global and --dir"},
		{!group && o.groupBegin != "", "You can't set --output-group-begin without --output=group"},
		{!group && o.groupEnd != "", "You can't set --output-group-end without --output=group"},
		{!group && o.groupErrorOnly, "You can't set --output-group-error-only without --output=group"},
		{o.list && o.listAll, "cannot use --list and --list-all at the same time"},
		{o.json && !listing && !o.why, "--json only applies to --list or --list-all"},
		{o.noStatus && (!o.json || !listing), "--no-status only applies to --json with --list or --list-all"},
		{o.nested && (!o.json || !listing), "--nested only applies to --json with --list or --list-all"},
		{(o.remote.cert == "") != (o.remote.certKey == ""), "--cert and --cert-key must be provided together"},
		{o.forceAll && !o.gentleForce, "--force-all needs the experiment GENTLE_FORCE (set TASK_X_GENTLE_FORCE=1), without it --force does the same"},
	} {
		if c.wrong {
			return flagError(c.text)
		}
	}
	return nil
}

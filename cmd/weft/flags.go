package main

import (
	"slices"
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

	// What to do. The first one that is set has priority, see app.main and app.perform.
	version, help, experiments, complete  bool
	completion, schema                    string
	init, check, pin, clearCache          bool
	list, listAll, json, noStatus, nested bool
	summary, status, why                  bool
	audit, fix                            bool
	graph                                 string
	ps, stopRun                           bool
	detach, attach, restart, start, send  bool
	tui                                   bool
	logs, wait                            string // a run, or a condition; "" for none
	follow                                bool
	reap                                  string
	cache                                 string
	watch                                 bool
	poll                                  time.Duration
	clear                                 bool
	interval                              time.Duration

	// Selection of tasks; see affected.go and shard.go.
	affected       string // a revision of git, or defaultBase; "" for all
	run            bool   // run the affected tasks
	shard, shardBy string

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
	progress              string // "auto", "line", "plain" or "off"; "" is auto
	events, replay        string
	ui                    string // port of the live page; "" for none, "0" for any
	rerunFailed           string // run to rerun; "" for none, see rerunfailed.go
	history               string // query about recorded runs; "" for none, see history.go
	record                bool
	reports               []string // KIND=FILE
	timings, timestamps   bool
	compare               string // run to compare with; "": the last one of the same tasks
	ci                    string // a system, off, or auto; "" is auto, or the setting
	notify                string // minimum duration of a run for a notification; "" means the setting
	concurrency           int
	parallel, keepGoing   bool
	force, forceAll, dry  bool
	noCache, refresh      bool
	connects              bool   // with check: connect to the servers, too
	elsewhere             string // where tasks with the key remote run, one of remoteModes; "" is what the file says
	remoteSet             bool   // elsewhere is that of a flag
	remoteDownload        string // which of their outputs are fetched; "" is what the file says
	remoteJobs            string // how many of them are on a server; "" is what the file says
	silent, verbose       bool
	failfast, exitCode    bool
	yes, interactive      bool
	audited               bool               // run traced by --audit
	detached              bool               // run started by --detach
	gentleForce, envFirst bool               // by experiments
	remote                remotefile.Options // flags and settings about remote Taskfiles
}

// setDefaults sets the defaults that are not zero.
func (o *options) setDefaults() {
	o.color = true
	o.remote.Timeout = 10 * time.Second
}

// flagSet returns all flags, bound to o. The flags that the reference lacks are hidden: the drop-in
// does not list them.
func (o *options) flagSet() *pflag.FlagSet {
	o.setDefaults()
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
	f.BoolVar(&o.interactive, "interactive", false, "prompt for missing required variables")
	f.BoolVarP(&o.parallel, "parallel", "p", false, "run the named tasks at the same time")
	f.BoolVarP(&o.dry, "dry", "n", false, "only show the commands")
	f.BoolVar(&o.summary, "summary", false, "describe tasks")
	f.BoolVarP(&o.exitCode, "exit-code", "x", false, "exit with the exit code of the failed command")
	f.StringVarP(&o.dir, "dir", "d", "", "start in this directory")
	f.StringVarP(&o.taskfile, "taskfile", "t", "", "a file, a directory, a URL, or - for standard input")
	f.StringVarP(&o.output, "output", "o", "", "interleaved, group, prefixed or keep-order")
	f.StringVar(&o.groupBegin, "output-group-begin", "", "a line before the output of each command")
	f.StringVar(&o.groupEnd, "output-group-end", "", "a line after the output of each command")
	f.BoolVar(&o.groupErrorOnly, "output-group-error-only", false, "no output of commands that succeed")
	f.BoolVarP(&o.color, "color", "c", o.color, "force colours, or none")
	f.IntVarP(&o.concurrency, "concurrency", "C", 0, "maximum number of tasks at the same time")
	f.DurationVarP(&o.interval, "interval", "I", 0, "with --watch: wait this long for more changes")
	f.BoolVarP(&o.failfast, "failfast", "F", false, "stop everything at the first failure")
	f.BoolVarP(&o.global, "global", "g", false, "use the Taskfile of the home directory")
	f.BoolVar(&o.experiments, "experiments", false, "list experiments")
	f.BoolVarP(&o.force, "force", "f", false, "run even if up to date")
	f.BoolVar(&o.disableFuzzy, "disable-fuzzy", false, "no suggestions for misspelt names")
	f.StringVar(&o.tempDir, "temp-dir", "", "keep state in this directory instead of .weft")

	f.BoolVar(&r.Download, "download", false, "fetch remote Taskfiles again")
	f.BoolVar(&r.Offline, "offline", false, "use copies of remote Taskfiles only")
	f.BoolVar(&o.clearCache, "clear-cache", false, "remove the copies of remote Taskfiles")
	f.DurationVar(&r.Timeout, "timeout", r.Timeout, "time limit for each remote Taskfile")
	f.DurationVar(&r.Expiry, "expiry", 0, "how long a copy of a remote Taskfile is used without asking its server")
	f.Func("trusted-hosts", "hosts whose Taskfiles need no consent", func(hosts string) error {
		list, _ := parseList(hosts) // an empty text names none
		r.TrustedHosts = append(r.TrustedHosts, list...)
		return nil
	})
	f.StringVar(&r.CacheDir, "remote-cache-dir", "", "directory for copies of remote Taskfiles")
	f.StringVar(&r.CACert, "cacert", "", "certificate authority for remote Taskfiles")
	f.StringVar(&r.Cert, "cert", "", "client certificate for remote Taskfiles")
	f.StringVar(&r.CertKey, "cert-key", "", "key of the client certificate")

	f.BoolVar(&o.pin, "pin", false, "write the checksums of remote Taskfiles where they are included")
	f.BoolVar(&o.forceAll, "force-all", false, "with GENTLE_FORCE: also run needs and called tasks")
	f.BoolVar(&o.check, "check", false, "find mistakes without running anything; with --remote: also connect to the servers")
	f.BoolVar(&o.why, "why", false, "show why tasks would run")
	f.BoolVar(&o.audit, "audit", false, "run tasks under strace, and show what they use without declaring it")
	f.BoolVar(&o.fix, "fix", false, "with --audit: print the sources to add")
	f.StringVar(&o.graph, "graph", "", "show the plan as tree, dot, mermaid, json or html")
	f.Lookup("graph").NoOptDefVal = "tree"
	f.StringVar(&o.affected, "affected", "", "list the tasks that changes since a git revision affect")
	f.Lookup("affected").NoOptDefVal = defaultBase
	f.BoolVar(&o.run, "run", false, "with --affected: run these tasks")
	f.StringVar(&o.shard, "shard", "", "select only the I-th of N parts of the tasks")
	f.StringVar(&o.shardBy, "shard-by", "", "make the parts take equally long, by the times of a run recorded with --events")
	f.BoolVar(&o.ps, "ps", false, "show the active runs and their processes")
	f.BoolVar(&o.stopRun, "stop", false, "stop a run, named as --ps shows it")
	f.BoolVar(&o.detach, "detach", false, "run in a session of its own, and return when everything is up or done")
	f.BoolVar(&o.attach, "attach", false, "show an active run on the whole screen")
	f.BoolVar(&o.tui, "tui", false, "run on the whole screen")
	f.BoolVar(&o.restart, "restart", false, "restart a service: RUN/TASK")
	f.BoolVar(&o.start, "start", false, "run a task in an active run: RUN/TASK")
	f.BoolVar(&o.send, "send", false, "send a line to a task with stdin: route: RUN/TASK -- TEXT")
	f.StringVar(&o.logs, "logs", "", "show the output of a run, or a task of it; =RUN[/TASK]")
	f.Lookup("logs").NoOptDefVal = onlyRun
	f.BoolVar(&o.follow, "follow", false, "with --logs: also show new output")
	f.StringVar(&o.wait, "wait", "", "wait until a run is done, or =ready")
	f.Lookup("wait").NoOptDefVal = "done"
	f.StringVar(&o.reap, "reap", "", "end processes left by killed runs; =all: daemons too")
	f.Lookup("reap").NoOptDefVal = "left"
	f.StringVar(&o.cache, "cache", "", "the cache: ls, rm, push, gc or verify; serve: a cache server")
	f.BoolVar(&o.noCache, "no-cache", false, "restore nothing from the cache, and add nothing to it")
	f.BoolVar(&o.refresh, "refresh", false, "restore nothing from the cache")
	f.StringVar(&o.elsewhere, "remote", "", "where tasks with remote run: auto: on the server, or here if that is not possible; strict; here: in an empty directory with only their sources; off")
	f.Lookup("remote").NoOptDefVal = "auto"
	f.StringVar(&o.remoteDownload, "remote-download", "", "fetch outputs of tasks on the server: all, toplevel (of the named tasks) or none; others when they are needed here")
	f.StringVar(&o.remoteJobs, "remote-jobs", "", "run at most this many tasks on the server at the same time")
	f.StringVar(&o.events, "events", "", "write events as JSON lines")
	f.StringVar(&o.replay, "replay", "", "show a run of the history by its number, or a run recorded with --events")
	f.StringVar(&o.history, "history", "", "show the last runs; =N one of them, =diff, =slowest, =flaky")
	f.Lookup("history").NoOptDefVal = historyList
	f.StringVar(&o.rerunFailed, "rerun-failed", "", "run again what failed in the last failed run, or in the run with this number")
	f.Lookup("rerun-failed").NoOptDefVal = lastFailed
	f.StringVar(&o.progress, "progress", "", "how running steps are shown on a terminal: auto, line, plain or off")
	f.BoolVar(&o.record, "record", false, "record all output in the events")
	f.StringVar(&o.notify, "notify", "", "notify at the end of a run that took at least this long (10s)")
	f.Lookup("notify").NoOptDefVal = usualNotify.String()
	f.StringVar(&o.ci, "ci", "", "format for the log of a CI system: auto, off or its name")
	f.StringVar(&o.ui, "ui", "", "serve a live page of the run")
	f.Lookup("ui").NoOptDefVal = "0"
	f.StringVar(&o.schema, "schema", "", "print the JSON Schema of an answer, of events or of Taskfiles")
	f.StringVar(&o.compare, "compare", "", "the recorded run to compare with in an HTML page")
	f.BoolVar(&o.timings, "timings", false, "show the slowest tasks at the end")
	f.BoolVar(&o.timestamps, "timestamps", false, "show the time since the start before each line")
	f.StringArrayVar(&o.reports, "report", nil, "write a report of the run: KIND=FILE")
	f.DurationVar(&o.poll, "poll", 0, "with --watch: check for changes at this interval, without system events")
	f.BoolVar(&o.clear, "clear", false, "with --watch: clear the screen before each run")
	f.BoolVarP(&o.keepGoing, "keep-going", "k", false, "continue with the next named task after a failure")
	for _, name := range [...]string{"pin", "force-all", "check", "why", "audit", "fix", "graph", "affected", "run", "shard", "shard-by", "ps", "stop", "detach", "attach", "tui", "restart", "start", "send", "logs", "follow", "wait", "reap", "cache", "no-cache", "refresh", "remote", "remote-download", "remote-jobs", "events", "replay", "history", "rerun-failed", "record", "report", "ui", "compare", "timings", "timestamps", "schema", "ci", "progress", "poll", "clear", "keep-going"} {
		f.Lookup(name).Hidden = true
	}
	return f
}

// parse reads the command line into o. It returns the flag set even with an error; nil if no flag
// is given, because creating it takes 2 % of a start.
func (o *options) parse(args []string) (*pflag.FlagSet, error) {
	if len(args) > 0 && args[0] == "__complete" {
		o.complete, o.cliArgs = true, args[1:]
		args = nil
	}
	if len(args) > 0 && args[0] == auditedWord {
		o.audited, args = true, args[1:]
	}
	if len(args) > 0 && args[0] == detachedWord {
		o.detached, args = true, args[1:]
	}
	if !slices.ContainsFunc(args, func(arg string) bool { return strings.HasPrefix(arg, "-") }) {
		o.setDefaults()
		o.setWords(args)
		return nil, nil
	}
	f := o.flagSet()
	if err := f.Parse(args); err != nil {
		return f, err
	}
	if f.Changed("cache") && o.cache == "" {
		return f, flagError("--cache takes ls, rm, push, gc, verify or serve")
	}
	if f.Changed("replay") && o.replay == "" {
		return f, flagError("--replay needs the number of a run, or the name of a file")
	}
	if f.Changed("compare") && o.compare == "" {
		return f, flagError("--compare needs the number of a run")
	}
	if f.Changed("history") && o.history == "" {
		return f, flagError("--history= needs a run; without = it lists the runs")
	}
	if f.Changed("rerun-failed") && o.rerunFailed == "" {
		return f, flagError("--rerun-failed= needs a run; without = it selects the last failed run")
	}
	if f.Changed("affected") && o.affected == "" {
		return f, flagError("--affected= needs a revision; without = it finds one")
	}
	// WEFT_REMOTE is for runs.
	o.connects = o.check && (o.elsewhere == string(schema.RemoteAuto) || o.elsewhere == string(schema.RemoteStrict))
	o.remoteSet, o.colorSet = f.Changed("remote"), f.Changed("color")
	words := f.Args()
	if n := f.ArgsLenAtDash(); n >= 0 {
		words, o.cliArgs = words[:n], words[n:]
	}
	o.setWords(words)
	return f, nil
}

// setWords sets the named tasks and variables.
func (o *options) setWords(words []string) {
	for _, word := range words {
		if name, value, isVar := strings.Cut(word, "="); isVar {
			o.setVar(name, value)
		} else {
			o.calls = append(o.calls, word)
		}
	}
}

// setVar sets a variable. Later values override earlier ones.
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

// asks reports whether the command line is a query, other than for a list, that supports JSON.
func (o *options) asks(dropIn bool) bool {
	return o.why || o.audit || o.affected != "" || o.cache == "ls" || o.history != "" || o.graph == "json" ||
		!dropIn && (o.ps || o.check || o.status || o.summary)
}

// validate returns an error if flags contradict each other. dropIn means that the program is a
// drop-in for the reference.
func (o *options) validate(dropIn bool) error {
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
		{o.fix && !o.audit, "--fix only applies to --audit"},
		{o.fix && o.json, "You can't set both --fix and --json"},
		{o.audit && o.events != "", "You can't set both --audit and --events"},
		{o.json && !listing && !o.asks(dropIn), "--json only applies to --list or --list-all"},
		{o.noStatus && (!o.json || !listing), "--no-status only applies to --json with --list or --list-all"},
		{o.nested && (!o.json || !listing), "--nested only applies to --json with --list or --list-all"},
		{(o.remote.Cert == "") != (o.remote.CertKey == ""), "--cert and --cert-key must be provided together"},
		{o.rerunFailed != "" && (len(o.calls) > 0 || len(o.cliArgs) > 0), "--rerun-failed runs the tasks of that run, and takes no others"},
		{o.stopRun && len(o.calls) > 1, "--stop takes one run, or RUN/TASK"},
		{(o.restart || o.start) && len(o.calls) != 1, "--restart and --start take one task, as in RUN/TASK"},
		{(o.restart || o.send || o.stopRun) && len(o.vars) > 0, "--restart, --send and --stop take no variables"},
		{o.send && (len(o.calls) != 1 || len(o.cliArgs) == 0), "--send takes one task and a line, as in RUN/TASK -- TEXT"},
		{o.logs != "" && len(o.calls) > 0, "--logs takes a run after =, as in --logs=RUN/TASK"},
		{o.follow && o.logs == "", "--follow only applies to --logs"},
		{o.wait != "" && o.wait != "ready" && o.wait != "done", "--wait takes =ready or =done, and a run"},
		{o.wait != "" && len(o.calls) > 1, "--wait takes one run"},
		{o.attach && len(o.calls) > 1, "--attach takes one run"},
		{o.detach && o.tui, "You can't set both --detach and --tui; --attach shows a detached run"},
		{(o.detach || o.tui) && (o.dry || o.inspects() || o.events == "-" || o.taskfile == "-"), "--detach and --tui run tasks without standard input and output: they cannot be used with --dry, --events=-, -t - and flags that only show tasks"},
		{o.ui != "" && (o.dry || o.inspects() || o.replay != "" || o.audited || o.detach || o.tui), "--ui shows an active run: it cannot be used with --dry, --detach, --tui and flags that only show tasks"},
		{o.reap != "" && o.reap != "left" && o.reap != "all", "--reap takes no value, or all"},
		{o.cache != "" && !slices.Contains(cacheCommands[:], o.cache), "--cache takes ls, rm, push, gc, verify or serve"},
		{o.cache == "rm" && len(o.calls) == 0, "--cache=rm needs the names of tasks"},
		{(o.cache == "gc" || o.cache == "verify" || o.cache == "serve") && len(o.calls) > 0, "--cache=" + o.cache + " applies to the whole cache, and takes no task"},
		{o.progress != "" && !slices.Contains(progresses[:], o.progress), "--progress takes auto, line, plain or off"},
		{o.elsewhere != "" && !slices.Contains(remoteModes[:], o.elsewhere), "--remote takes auto, strict, here or off"},
		{o.noCache && o.refresh, "You can't set both --no-cache and --refresh"},
		{o.forceAll && !o.gentleForce, "--force-all needs the experiment GENTLE_FORCE (set TASK_X_GENTLE_FORCE=1), without it --force does the same"},
	} {
		if c.wrong {
			return flagError(c.text)
		}
	}
	return o.validateChoice()
}

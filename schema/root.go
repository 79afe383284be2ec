package schema

import (
	"time"

	"github.com/weftrun/weft/internal/taskurl"
	"github.com/weftrun/weft/schema/diag"
	"github.com/weftrun/weft/schema/yaml"
)

// document is one file: as written at first, and complete when the files it includes have
// been added.
type document struct {
	Workflow
	version   Text
	dotenvPos diag.Pos

	dir     string       // absolute; what its relative paths start from
	url     *taskurl.URL // where a remote file is; nil for one of this machine
	workDir string       // where tasks of a remote file run

	includes  []*includeEntry
	includers int // how many includes are still to add it
}

// includeEntry is one entry of `includes`.
type includeEntry struct {
	name     string
	pos      diag.Pos
	advanced bool // written as a map
	taskfile Text // template, then ~ and $VAR
	dir      Text // template, then ~ and $VAR
	optional bool
	internal bool
	flatten  bool
	aliases  []string
	excludes []string
	vars     Vars
	checksum Text

	// Found by the loader.
	doc   *document // the file; nil when it is optional and not there
	tasks string    // where its tasks run: absolute; advanced only
}

var rootKeys = []key[*document]{
	{"version", len(`{"type":["string","number"]}`), len("Version of the format; '3' for this one."), func(d *decoder, n *yaml.Node, t *document) { t.version = d.text(n) }},
	{"tasks", len(`{"$ref":"#/$defs/tasks"}`), len("Tasks by name."), (*decoder).readTasks},
	{"vars", len(`{"$ref":"#/$defs/vars"}`), len("Variables of every task."), func(d *decoder, n *yaml.Node, t *document) { t.Vars = d.vars(n) }},
	{"env", len(`{"$ref":"#/$defs/vars"}`), len("Environment of every command."), func(d *decoder, n *yaml.Node, t *document) { t.Env = d.vars(n) }},
	{"includes", len(`{"$ref":"#/$defs/includes"}`), len("Other files whose tasks are added, by namespace."), (*decoder).readIncludes},
	{"dotenv", len(listOfText), len("Files of NAME=value lines for the environment; root file only."), func(d *decoder, n *yaml.Node, t *document) {
		t.Dotenv, t.dotenvPos = d.texts(n, "file names"), d.pos(n)
	}},
	{"output", len(`{"$ref":"#/$defs/output"}`), len("How output of commands is shown."), func(d *decoder, n *yaml.Node, t *document) { d.output(n, &t.Output) }},
	{"silent", len(boolForm), len("Do not show commands before they run."), func(d *decoder, n *yaml.Node, t *document) { t.Silent = d.flag(n) }},
	{"method", len(methodForm), len("Default way to tell whether a task is up to date."), func(d *decoder, n *yaml.Node, t *document) { t.Method = d.text(n) }},
	{"fingerprint", len(ruleForm), len("What to compare for that: everything (full), or only the content of sources (task-v3); root file only."), func(d *decoder, n *yaml.Node, t *document) { t.Fingerprint = d.fingerprint(n) }},
	{"cache", len(rootCacheForm), len("Which results are kept and restored, and what they depend on; root file only."), (*decoder).rootCache},
	{"remote", len(`{"anyOf":[{"type":"null"},{"$ref":"#/$defs/remote"}]}`), len("Which tasks run elsewhere, and on what machines; root file only."), (*decoder).rootRemote},
	{"run", len(runForm), len("Default of how often a task runs when several others need it."), func(d *decoder, n *yaml.Node, t *document) { t.Run = d.text(n) }},
	{"interval", len(durationForm), len("Time that watch mode waits for more changes."), func(d *decoder, n *yaml.Node, t *document) { t.Interval = d.duration(n) }},
	{"set", len(listOfText), len("POSIX shell options of every command."), func(d *decoder, n *yaml.Node, t *document) { t.Set = d.strings(n, "options") }},
	{"shopt", len(listOfText), len("Bash shell options of every command."), func(d *decoder, n *yaml.Node, t *document) { t.Shopt = d.strings(n, "options") }},
	{"use_gitignore", len(boolForm), len("Exclude files ignored by git from sources and generates."), func(d *decoder, n *yaml.Node, t *document) { t.UseGitignore = d.boolean(n) }},
	{"shell", len(interpreterForm), len("What runs the scripts of this file."), func(d *decoder, n *yaml.Node, t *document) { t.Shell = d.interpreter(n) }},
	{"pools", len(poolsForm), len("Sizes of shared resources, by name."), (*decoder).readPools},
	{"jobserver", len(boolForm), len("Programs get a GNU make jobserver with weft's slots."), func(d *decoder, n *yaml.Node, t *document) { t.Jobserver = d.flag(n) }},
}

// readRoot reads a whole file from its root node.
func (d *decoder) readRoot(n *yaml.Node, t *document) {
	d.key = "Taskfile"
	if n = d.deref(n); n.Kind != yaml.MappingNode {
		d.fail(n, "begin the file with version: '3' and tasks:", "expected a map with version and tasks, found %s", describe(n))
		return
	}
	d.findAnchorKeys(n)
	readMap(d, n, "Taskfile", rootKeys, t)
}

// The rules that determine, together with the method, when a task is up to date.
const (
	// FingerprintFull is everything a task's result depends on: commands,
	// variables, environment, paths and content of sources, what was generated.
	FingerprintFull = "full"
	// FingerprintV3 is the rule of the format's own runner: the content of sources alone.
	FingerprintV3 = "task-v3"
)

// fingerprint reads the name of a rule.
func (d *decoder) fingerprint(n *yaml.Node) string {
	rules := []string{"", FingerprintFull, FingerprintV3}
	return rules[d.word(n, "use full or task-v3", rules...)]
}

var outputKeys = []key[*Output]{
	{"group", len(`{"$ref":"#/$defs/outputGroup"}`), len("Show the output of each command in one piece when it ends."), func(d *decoder, n *yaml.Node, o *Output) {
		if isNull(n) {
			return
		}
		o.Style = "group"
		readMap(d, n, "output.group", outputGroupKeys, o)
	}},
}

var outputGroupKeys = []key[*Output]{
	{"begin", len(textForm), len("Template shown before the output."), func(d *decoder, n *yaml.Node, o *Output) { o.Begin = d.text(n) }},
	{"end", len(textForm), len("Template shown after the output."), func(d *decoder, n *yaml.Node, o *Output) { o.End = d.text(n) }},
	{"error_only", len(boolForm), len("Show nothing when the command succeeded."), func(d *decoder, n *yaml.Node, o *Output) { o.ErrorOnly = d.flag(n) }},
}

func (d *decoder) output(n *yaml.Node, o *Output) {
	o.Pos = d.pos(n)
	if n.Kind != yaml.MappingNode {
		o.Style = d.text(n).S
		return
	}
	readMap(d, n, "output", outputKeys, o)
	if o.Style == "" {
		d.fail(n, "", `output style must have the "group" key when in mapping form`)
	}
}

func (d *decoder) duration(n *yaml.Node) time.Duration {
	t := d.text(n)
	if t.IsZero() {
		return 0
	}
	v, err := time.ParseDuration(t.S)
	if err != nil {
		d.fail(n, `write a number and a unit, as in "500ms" or "1m30s"`, "%s: %q is not a duration", d.key, t.S)
	}
	return v
}

var includeKeys = []key[*includeEntry]{
	{"taskfile", len(textForm), len("File, or directory to look for one; relative to this file."), func(d *decoder, n *yaml.Node, t *includeEntry) { t.taskfile = d.text(n) }},
	{"dir", len(textForm), len("Directory its tasks run in; relative to this file."), func(d *decoder, n *yaml.Node, t *includeEntry) { t.dir = d.text(n) }},
	{"vars", len(`{"$ref":"#/$defs/vars"}`), len("Variables given to its tasks."), func(d *decoder, n *yaml.Node, t *includeEntry) { t.vars = d.vars(n) }},
	{"optional", len(boolForm), len("A missing file is not an error."), func(d *decoder, n *yaml.Node, t *includeEntry) { t.optional = d.flag(n) }},
	{"internal", len(boolForm), len("Its tasks can only be called by other tasks."), func(d *decoder, n *yaml.Node, t *includeEntry) { t.internal = d.flag(n) }},
	{"flatten", len(boolForm), len("Add its tasks without a namespace."), func(d *decoder, n *yaml.Node, t *includeEntry) { t.flatten = d.flag(n) }},
	{"aliases", len(listOfText), len("Other names of the namespace."), func(d *decoder, n *yaml.Node, t *includeEntry) { t.aliases = d.strings(n, "names") }},
	{"excludes", len(listOfText), len("Tasks to leave out."), func(d *decoder, n *yaml.Node, t *includeEntry) { t.excludes = d.strings(n, "task names") }},
	{"checksum", len(textForm), len("SHA-256 that the file must have."), func(d *decoder, n *yaml.Node, t *includeEntry) { t.checksum = d.text(n) }},
}

func (d *decoder) readIncludes(n *yaml.Node, t *document) {
	at := map[string]int{}
	d.eachPair(n, "a map of namespaces to files", func(k, v *yaml.Node) {
		e := &includeEntry{name: k.Value, pos: d.pos(k)}
		d.key = "include " + k.Value
		switch {
		case v.Kind == yaml.ScalarNode:
			e.taskfile = d.text(v)
		case v.Kind == yaml.MappingNode:
			e.advanced = true
			readMap(d, v, "include "+k.Value, includeKeys, e)
			if e.taskfile.S == "" && e.dir.S == "" {
				d.fail(v, "", "include must specify taskfile or dir")
			}
		default:
			d.wrongType(v, "a path or a map")
		}
		if i, ok := at[e.name]; ok {
			d.repeats(k, "includes", t.includes[i].pos)
			t.includes[i] = e
			return
		}
		at[e.name] = len(t.includes)
		t.includes = append(t.includes, e)
	})
}

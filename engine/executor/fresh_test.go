package executor

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/weftrun/weft/engine/fingerprint"
	"github.com/weftrun/weft/engine/fingerprint/state"
	"github.com/weftrun/weft/engine/glob"
	"github.com/weftrun/weft/engine/plan"
	"github.com/weftrun/weft/engine/vars"
	"github.com/weftrun/weft/internal/statefile"
	"github.com/weftrun/weft/schema"
)

// places are where the keys of each definition of the published schema stand in a
// task, as the value of a YAML map in braces.
var places = map[string]string{
	"task":         "%s",
	"command":      "cmds: [{%s}]",
	"defer":        "cmds: [{defer: {%s}}]",
	"dep":          "deps: [{%s}], cmds: [x]",
	"for":          "cmds: [{cmd: 'echo {{.ITEM}} {{.X}}', for: {%s}}]",
	"matrix":       "vars: {L: [a], M: [b]}, cmds: [{cmd: 'echo {{.ITEM}}', for: {matrix: {X: {%s}}}}]",
	"stop":         "cmds: [{cmd: x, stop: {%s}}]",
	"retry":        "cmds: [{cmd: x, retry: {%s}}]",
	"stdin":        "cmds: [{cmd: x, stdin: {%s}}]",
	"streamTask":   "cmds: [{cmd: x, stdin: {output: {%s}}}]",
	"sink":         "cmds: [{cmd: x, stdout: {%s}}]",
	"capture":      "cmds: [{cmd: x, stdout: {capture: {%s}}}]",
	"glob":         "cmds: [x], sources: ['*', {%s}]",
	"precondition": "cmds: [x], preconditions: [{%s}]",
	"requires":     "cmds: [x], vars: {V: 1, W: 1}, requires: {%s}",
	"required":     "cmds: [x], vars: {V: a, W: a}, requires: {vars: [{%s}]}",
	"enumRef":      "cmds: [x], vars: {V: a, L: [a], M: [a, b]}, requires: {vars: [{name: V, enum: {%s}}]}",
	"namedOutput":  "cmds: [x], outputs: {N: {%s}}",
	"onChange":     "cmds: [x], on_change: {%s}",
	"var":          "vars: {A: a, B: b, V: {%s}}, cmds: ['echo {{.V}}']",
}

// Why a key makes no difference to whether a task is up to date.
const (
	shown    = "only people see it"
	watching = "no successful run differs by how a command is watched over"
	calling  = "it decides whether, when or how often the task runs, not what it does"
	needing  = "what a need makes counts, where it is read; not that it is needed"
)

// keyChanges has two values for each key of a file, of a task and of what stands in it. They are
// different fingerprints, unless why says why not.
var keyChanges = []struct{ key, a, b, why string }{
	{"file.includes", "", "includes: {}", "included tasks count by their keys"},
	{"file.output", "output: group", "output: prefixed", shown},
	{"file.silent", "silent: true", "", shown},
	{"file.run", "run: once", "run: always", calling},
	{"file.interval", "interval: 1s", "", calling},
	{"file.method", "method: timestamp", "", ""},
	{"file.fingerprint", "fingerprint: task-v3", "", ""},
	{"file.use_gitignore", "use_gitignore: true", "", ""},
	{"file.vars", "vars: {W: 1}", "vars: {W: 2}", ""},
	{"file.env", "env: {V: 1}", "env: {V: 2}", ""},
	{"file.dotenv", "dotenv: [in.env]", "dotenv: [other.env]", ""},
	{"file.shell", "shell: sh", "shell: bash", ""},
	{"file.set", "set: [e]", "set: [u]", ""},
	{"file.shopt", "shopt: [globstar]", "", ""},

	{"task.desc", "cmds: [x], desc: a", "cmds: [x], desc: b", shown},
	{"task.summary", "cmds: [x], summary: a", "cmds: [x], summary: b", shown},
	{"task.label", "cmds: [x], label: a", "cmds: [x], label: b", shown},
	{"task.prefix", "cmds: [x], prefix: a", "cmds: [x], prefix: b", shown},
	{"task.silent", "cmds: [x], silent: true", "cmds: [x]", shown},
	{"task.aliases", "cmds: [x], aliases: [a]", "cmds: [x]", calling},
	{"task.internal", "cmds: [x], internal: true", "cmds: [x]", calling},
	{"task.requires", "cmds: [x], vars: {V: 1}, requires: {vars: [V]}", "cmds: [x], vars: {V: 1}", calling},
	{"task.if", "cmds: [x], if: a", "cmds: [x], if: b", calling},
	{"task.prompt", "cmds: [x], prompt: a", "cmds: [x], prompt: b", calling},
	{"task.run", "cmds: [x], run: once", "cmds: [x], run: always", calling},
	{"task.platforms", "cmds: [x], platforms: [linux, windows, darwin]", "cmds: [x]", calling},
	{"task.watch", "cmds: [x], watch: true", "cmds: [x]", calling},
	{"task.on_change", "cmds: [x], on_change: queue", "cmds: [x]", calling},
	{"task.failfast", "cmds: [x], failfast: true", "cmds: [x]", calling},
	{"task.status", "cmds: [x], status: [a]", "cmds: [x], status: [b]", "it is asked each time"},
	{"task.preconditions", "cmds: [x], preconditions: [a]", "cmds: [x], preconditions: [b]", "they are asked each time"},
	{"task.interactive", "cmds: [x], interactive: true", "cmds: [x]", "what its commands are told at the terminal is not known before"},
	{"task.deps", "cmds: [x], deps: [u]", "cmds: [x], deps: [v]", needing},
	{"task.timeout", "cmds: [x], timeout: 1s", "cmds: [x], timeout: 2s", watching},
	{"task.stop", "cmds: [x], stop: INT", "cmds: [x], stop: HUP", watching},
	{"task.leftover", "cmds: [x], leftover: kill", "cmds: [x], leftover: wait", watching},
	{"task.signals", "cmds: [x], signals: HUP", "cmds: [x], signals: USR1", watching},
	{"task.idle_timeout", "cmds: [x], idle_timeout: 1s", "cmds: [x], idle_timeout: 2s", watching},
	{"task.retry", "cmds: [x], retry: 1", "cmds: [x], retry: 2", watching},
	{"task.cmd", "cmd: x", "cmd: y", ""},
	{"task.cmds", "cmds: [x]", "cmds: [x, y]", ""},
	{"task.exec", "exec: [x, y]", "exec: [x y]", ""},
	{"task.vars", "cmds: ['echo {{.V}}'], vars: {V: 1}", "cmds: ['echo {{.V}}'], vars: {V: 2}", ""},
	{"task.env", "cmds: [x], env: {V: 1}", "cmds: [x], env: {V: 2}", ""},
	{"task.dotenv", "cmds: [x], dotenv: [in.env]", "cmds: [x], dotenv: [other.env]", ""},
	{"task.dir", "cmds: [x], dir: d", "cmds: [x], dir: e", ""},
	{"task.sources", "cmds: [x], sources: [in]", "cmds: [x], sources: [other]", ""},
	{"task.generates", "cmds: [x], generates: [a]", "cmds: [x], generates: [b]", ""},
	{"task.use_gitignore", "cmds: [x], sources: ['*'], use_gitignore: true", "cmds: [x], sources: ['*']", ""},
	{"task.method", "cmds: [x], method: timestamp", "cmds: [x]", ""},
	{"task.fingerprint", "cmds: [x], fingerprint: task-v3", "cmds: [x]", ""},
	{"task.outputs", "cmds: [x], outputs: {N: {from: stdout}}", "cmds: [x], outputs: {M: {from: stdout}}", ""},
	{"task.ignore_error", "cmds: [x], ignore_error: true", "cmds: [x]", ""},
	{"task.set", "cmds: [x], set: [e]", "cmds: [x], set: [u]", ""},
	{"task.shopt", "cmds: [x], shopt: [globstar]", "cmds: [x]", ""},
	{"task.shell", "cmds: [x], shell: sh", "cmds: [x], shell: bash", ""},
	{"task.stdin", "cmds: [x], stdin: 'null'", "cmds: [x], stdin: inherit", ""},
	{"task.stdout", "cmds: [x], stdout: 'null'", "cmds: [x], stdout: log", ""},
	{"task.stderr", "cmds: [x], stderr: 'null'", "cmds: [x], stderr: stdout", ""},
	{"task.accept", "cmds: [x], accept: [1]", "cmds: [x], accept: []", ""},
	{"task.tty", "cmds: [x], tty: true", "cmds: [x]", ""},

	{"command.silent", "cmd: x, silent: true", "cmd: x", shown},
	{"command.timeout", "cmd: x, timeout: 1s", "cmd: x, timeout: 2s", watching},
	{"command.stop", "cmd: x, stop: INT", "cmd: x, stop: HUP", watching},
	{"command.leftover", "cmd: x, leftover: kill", "cmd: x, leftover: wait", watching},
	{"command.signals", "cmd: x, signals: HUP", "cmd: x, signals: USR1", watching},
	{"command.idle_timeout", "cmd: x, idle_timeout: 1s", "cmd: x, idle_timeout: 2s", watching},
	{"command.retry", "cmd: x, retry: 1", "cmd: x, retry: 2", watching},
	{"command.cmd", "cmd: x", "cmd: y", ""},
	{"command.task", "task: u", "task: v", ""},
	{"command.vars", "task: u, vars: {V: 1}", "task: u, vars: {V: '1'}", ""},
	{"command.ignore_error", "cmd: x, ignore_error: true", "cmd: x", ""},
	{"command.for", "cmd: 'echo {{.ITEM}}', for: [a]", "cmd: 'echo {{.ITEM}}', for: [b]", ""},
	{"command.if", "cmd: x, if: a", "cmd: x, if: b", ""},
	{"command.defer", "defer: x", "cmd: x", ""},
	{"command.exec", "exec: [x, y]", "exec: [x y]", ""},
	{"command.pipe", "pipe: [x, y]", "pipe: [x, z]", ""},
	{"command.parallel", "parallel: [x, y]", "pipe: [x, y]", ""},
	{"command.tee", "pipe: [x, {tee: [y]}]", "pipe: [x, {tee: [z]}]", ""},
	{"command.merge", "pipe: [{merge: [x]}, y]", "pipe: [{merge: [z]}, y]", ""},
	{"command.mode", "pipe: [{merge: [x], mode: raw}, y]", "pipe: [{merge: [x], mode: concat}, y]", ""},
	{"command.early_close", "pipe: [x, y], early_close: ok", "pipe: [x, y]", ""},
	{"command.accept", "cmd: x, accept: [1]", "cmd: x, accept: []", ""},
	{"command.shell", "cmd: x, shell: sh", "cmd: x, shell: bash", ""},
	{"command.stdin", "cmd: x, stdin: 'null'", "cmd: x, stdin: inherit", ""},
	{"command.stdout", "cmd: x, stdout: 'null'", "cmd: x, stdout: log", ""},
	{"command.stderr", "cmd: x, stderr: 'null'", "cmd: x, stderr: stdout", ""},
	{"command.tty", "cmd: x, tty: true", "cmd: x", ""},
	{"command.platforms", "cmd: x, platforms: [linux]", "cmd: x, platforms: [amd64]", ""},
	{"command.set", "cmd: x, set: [e]", "cmd: x, set: [u]", ""},
	{"command.shopt", "cmd: x, shopt: [globstar]", "cmd: x", ""},

	{"defer.task", "task: u", "task: v", ""},
	{"defer.vars", "task: u, vars: {V: 1}", "task: u, vars: {V: 2}", ""},
	{"defer.silent", "task: u, silent: true", "task: u", shown},
	{"dep.task", "task: u", "task: v", needing},
	{"dep.vars", "task: u, vars: {V: 1}", "task: u, vars: {V: 2}", needing},
	{"dep.silent", "task: u, silent: true", "task: u", shown},
	{"dep.for", "task: u, for: [a]", "task: u, for: [a, b]", needing},
	{"dep.timeout", "task: u, timeout: 1s", "task: u, timeout: 2s", watching},
	{"for.var", "var: A", "var: B", ""},
	{"for.split", "var: C, split: ','", "var: C, split: ';'", ""},
	{"for.as", "var: A, as: X", "var: A", ""},
	{"for.matrix", "matrix: {X: [a]}", "matrix: {X: [b]}", ""},
	{"matrix.ref", "ref: .L", "ref: .M", ""},
	{"stop.signal", "signal: INT", "signal: HUP", watching},
	{"stop.cmd", "cmd: x", "cmd: y", watching},
	{"stop.grace", "grace: 1s", "grace: 2s", watching},
	{"stop.scope", "scope: main", "scope: group", watching},
	{"retry.max", "max: 1", "max: 2", watching},
	{"retry.delay", "max: 1, delay: 1s", "max: 1", watching},
	{"retry.backoff", "max: 1, backoff: 3", "max: 1", watching},
	{"retry.max_delay", "max: 1, max_delay: 1s", "max: 1", watching},
	{"retry.jitter", "max: 1, jitter: 1", "max: 1", watching},
	{"retry.on", "max: 1, on: [1]", "max: 1", watching},
	{"retry.match", "max: 1, match: a", "max: 1", watching},
	{"stdin.text", "text: a", "text: b", ""},
	{"stdin.file", "file: a", "file: b", ""},
	{"stdin.from", "from: u", "from: v", ""},
	{"stdin.output", "output: u", "output: v", ""},
	{"streamTask.task", "task: u", "task: v", ""},
	{"streamTask.vars", "task: u, vars: {V: 1}", "task: u, vars: {V: 2}", ""},
	{"sink.capture", "capture: {}", "capture: {max: 1}", ""},
	{"sink.file", "file: a", "file: b", ""},
	{"sink.append", "file: a, append: true", "file: a", ""},
	{"sink.atomic", "file: a, atomic: false", "file: a", ""},
	{"capture.max", "max: 1", "max: 2", ""},
	{"capture.overflow", "overflow: tail", "overflow: truncate", ""},
	{"glob.exclude", "exclude: in", "exclude: other", ""},
	{"precondition.sh", "sh: a", "sh: b", "it is asked each time"},
	{"precondition.msg", "sh: a, msg: a", "sh: a, msg: b", shown},
	{"requires.vars", "vars: [V]", "vars: [W]", calling},
	{"required.name", "name: V", "name: W", calling},
	{"required.enum", "name: V, enum: [a]", "name: V, enum: [a, b]", calling},
	{"enumRef.ref", "ref: .L", "ref: .M", ""},
	{"namedOutput.from", "from: stdout", "from: stderr", ""},
	{"namedOutput.as", "from: stdout, as: lines", "from: stdout", ""},
	{"namedOutput.path", "from: stdout, path: .a", "from: stdout, path: .b", ""},
	{"onChange.signal", "signal: HUP", "signal: USR1", calling},
	{"var.sh", "sh: a", "sh: b", ""},
	{"var.ref", "ref: .A", "ref: .B", ""},
	{"var.map", "map: {a: 1}", "map: {a: 2}", ""},
	{"var.value", "value: a", "value: b", ""},
	{"var.secret", "value: a, secret: true", "value: a", shown},
}

// TestEveryKeyCounts: whether a task is up to date depends on every key that its file, the
// task or what stands in it can have, but for those of which the table says why not.
func TestEveryKeyCounts(t *testing.T) {
	known := knownKeys(t)
	for _, c := range keyChanges {
		if !known[c.key] {
			t.Errorf("%s: there is no such key, or it stands here twice", c.key)
		}
		delete(known, c.key)
		t.Run(c.key, func(t *testing.T) {
			dir := t.TempDir()
			store := state.Open(statefile.Place{Base: dir, Path: ".weft"}, state.Options{})
			defer store.Close()
			before, _ := check(t, store, dir, taskfile(c.key, c.a))
			if err := before.Commit(t.Context(), []byte("{}")); err != nil {
				t.Fatal(err)
			}
			now, in := check(t, store, dir, taskfile(c.key, c.b))
			switch {
			case c.why == "" && now.Fresh:
				t.Errorf("%s and %s have the same fingerprint: %+v", c.a, c.b, in.Fields)
			case c.why != "" && !now.Fresh:
				t.Errorf("%s and %s have different fingerprints, although %s: %v", c.a, c.b, c.why, now.Why(t.Context()))
			}
		})
	}
	for key := range known {
		t.Errorf("%s: does another value make another fingerprint? Say so in the table, or why not", key)
	}
}

// knownKeys are the keys of tasks and of what stands in them, by the published schema,
// which is made from the tables that files are read by.
func knownKeys(t *testing.T) map[string]bool {
	text, err := os.ReadFile("../../schema/taskfile.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Properties map[string]any
		Defs       map[string]any `json:"$defs"`
	}
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	keys := map[string]bool{}
	seen := map[string]bool{}
	var visit func(def string, form any)
	visit = func(def string, form any) {
		switch form := form.(type) {
		case []any:
			for _, f := range form {
				visit(def, f)
			}
		case map[string]any:
			if to, ok := form["$ref"].(string); ok && !seen[to] {
				seen[to] = true
				to = strings.TrimPrefix(to, "#/$defs/")
				visit(to, file.Defs[to])
			}
			properties, _ := form["properties"].(map[string]any)
			for key, value := range properties {
				if value != false { // else it says that there is no such key
					keys[def+"."+key] = true
				}
			}
			for _, f := range form {
				visit(def, f)
			}
		}
	}
	visit("task", file.Defs["task"])
	for key := range file.Properties {
		if key != "version" && key != "tasks" {
			keys["file."+key] = true
		}
	}
	return keys
}

// taskfile is a file with a task t, in which a key has the value that keys give it.
func taskfile(key, keys string) string {
	const rest = "version: '3'\ntasks:\n  u: {cmds: [x]}\n  v: {cmds: [x]}\n  t: "
	def, _, _ := strings.Cut(key, ".")
	if def == "file" {
		return keys + "\n" + rest + "{cmds: ['echo {{.W}}'], sources: [in, other]}\n"
	}
	keys = fmt.Sprintf(places[def], keys)
	if !strings.Contains(keys, "sources:") {
		keys += ", sources: [in]"
	}
	return "vars: {A: a, B: b, C: 'a,b;c'}\n" + rest + "{" + keys + "}\n"
}

// check looks whether the task t of a file is up to date.
func check(t *testing.T, store *state.Store, dir, text string) (*fingerprint.Check, *fingerprint.Inputs) {
	t.Helper()
	for name, text := range map[string]string{
		"in": "in", "other": "other", "in.env": "V=1", "other.env": "V=2", ".gitignore": "other\n", ".git/HEAD": "",
		"Taskfile.yml": text,
	} {
		file := filepath.Join(dir, name)
		os.MkdirAll(filepath.Dir(file), 0o755)
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	w, list := schema.Load(t.Context(), schema.LoadOptions{Dir: dir})
	if err := list.Err(); err != nil {
		t.Fatal(err)
	}
	resolver := vars.New(vars.Options{Workflow: w, UserDir: dir, Shell: echo{}})
	if err := resolver.LoadDotenv(t.Context()); err != nil {
		t.Fatal(err)
	}
	expander := plan.NewExpander(plan.Options{Workflow: w, Resolver: resolver, Host: yes{}})
	tree := glob.NewTree(nil)
	checker := fingerprint.New(store, tree, nil)
	p, err := expander.Expand(t.Context(), plan.Call{Name: "t", Internal: true})
	if err != nil {
		t.Fatal(err)
	}
	x := New(Options{Root: w.Dir, Expander: expander, State: store, Tree: tree, Checker: checker})
	b := x.look(p.Steps[p.Roots[0]])
	if err := x.bind.bind(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	in, err := x.fresh.inputs(t.Context(), b)
	if err != nil {
		t.Fatal(err)
	}
	c, err := checker.Check(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	return c, in
}

// echo is a shell in which every command prints itself.
type echo struct{}

func (echo) Output(_ context.Context, text, _ string, _ []string) (string, error) { return text, nil }

// yes is a host in which every condition holds.
type yes struct{ plan.Host }

func (yes) Condition(context.Context, string, string, []string) (bool, error) { return true, nil }

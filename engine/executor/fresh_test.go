package executor

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/weftrun/weft/engine/cache"
	"github.com/weftrun/weft/engine/fingerprint"
	"github.com/weftrun/weft/engine/fingerprint/state"
	"github.com/weftrun/weft/engine/glob"
	"github.com/weftrun/weft/engine/plan"
	"github.com/weftrun/weft/engine/vars"
	"github.com/weftrun/weft/internal/statefile"
	"github.com/weftrun/weft/schema"
)

// places are the positions in a task, as a YAML flow map, of the keys of each definition in the
// published schema.
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
	"taskRef":      "cmds: [{cmd: x, stdin: {output: {%s}}}]",
	"ready":        "cmds: [x], ipc: true, service: true, ready: {%s}",
	"alive":        "cmds: [x], ipc: true, service: true, alive: {%s}",
	"port":         "cmds: [x], ports: {http: {%s}}",
	"pool":         "cmds: [x], pool: {%s}",
	"limits":       "cmds: [{cmd: x, limits: {%s}}]",
	"ipc":          "cmds: [{cmd: x, ipc: {%s}}]",
	"rotate":       "cmds: [{cmd: x, stdout: {file: f, rotate: {%s}}}]",
	"sink":         "cmds: [{cmd: x, stdout: {%s}}]",
	"capture":      "cmds: [{cmd: x, stdout: {capture: {%s}}}]",
	"cache":        "cmds: [x], generates: [], cache: {%s}",
	"taskRemote":   "cmds: [x], generates: [], remote: {%s}",
	"cacheText":    "cmds: [x], generates: [], cache: {key: [{%s}]}",
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
	serving  = "a service is never up to date"
	sharing  = "it is about what runs at the same time, not about what it does"
	keeping  = "it is about where results are kept, not about what they are"
	placing  = "it decides where the task runs, not what it does"
	needing  = "what a need makes counts, where it is read; not that it is needed"
)

// keyChanges has two values for each key of a file, of a task and of their parts. Their
// fingerprints must differ, unless why explains why not.
var keyChanges = []struct{ key, a, b, why string }{
	{"file.includes", "", "includes: {}", "included tasks count by their keys"},
	{"file.output", "output: group", "output: prefixed", shown},
	{"file.silent", "silent: true", "", shown},
	{"file.run", "run: once", "run: always", calling},
	{"file.pools", "pools: {p: 1}", "", sharing},
	{"file.jobserver", "jobserver: true", "", sharing},
	{"file.interval", "interval: 1s", "", calling},
	{"file.method", "method: timestamp", "", ""},
	{"file.fingerprint", "fingerprint: task-v3", "", ""},
	{"file.remote", "remote: {all: true}", "", placing},
	{"file.cache", "cache: {all: true, salt: a}", "cache: {all: true, salt: b}", ""},
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
	{"task.service", "cmds: [x], service: true", "cmds: [x]", serving},
	{"task.ready", "cmds: [x], service: true, ready: {tcp: 'h:1'}", "cmds: [x], service: true", serving},
	{"task.alive", "cmds: [x], service: true, alive: {tcp: 'h:1'}", "cmds: [x], service: true", serving},
	{"task.restart", "cmds: [x], service: true, restart: always", "cmds: [x], service: true", serving},
	{"task.listen", "cmds: [x], service: true, listen: {http: 'h:1'}", "cmds: [x], service: true", serving},
	{"task.ports", "cmds: [x], ports: {http: 8080}", "cmds: [x], ports: {http: 8081}", "which port it is given is known when it runs"},
	{"task.after", "cmds: [x], after: [u]", "cmds: [x], after: [v]", sharing},
	{"task.slots", "cmds: [x], slots: 2", "cmds: [x]", sharing},
	{"task.pool", "cmds: [x], pool: p", "cmds: [x]", sharing},
	{"task.jobserver", "cmds: [x], jobserver: true", "cmds: [x]", sharing},
	{"task.limits", "cmds: [x], limits: {files: 10}", "cmds: [x], limits: {files: 20}", watching},
	{"task.user", "cmds: [x], user: a", "cmds: [x], user: b", ""},
	{"task.ipc", "cmds: [x], ipc: true", "cmds: [x]", ""},
	{"task.cmd", "cmd: x", "cmd: y", ""},
	{"task.cmds", "cmds: [x]", "cmds: [x, y]", ""},
	{"task.exec", "exec: [x, y]", "exec: [x y]", ""},
	{"task.vars", "cmds: ['echo {{.V}}'], vars: {V: 1}", "cmds: ['echo {{.V}}'], vars: {V: 2}", ""},
	{"task.env", "cmds: [x], env: {V: 1}", "cmds: [x], env: {V: 2}", ""},
	{"task.dotenv", "cmds: [x], dotenv: [in.env]", "cmds: [x], dotenv: [other.env]", ""},
	{"task.dir", "cmds: [x], dir: d", "cmds: [x], dir: e", ""},
	{"task.sources", "cmds: [x], sources: [in]", "cmds: [x], sources: [other]", ""},
	{"task.generates", "cmds: [x], generates: [a]", "cmds: [x], generates: [b]", ""},
	{"task.depfile", "cmds: [x], generates: [a], depfile: in.d", "cmds: [x], generates: [a, in.d]", ""},
	{"task.use_gitignore", "cmds: [x], sources: ['*'], use_gitignore: true", "cmds: [x], sources: ['*']", ""},
	{"task.method", "cmds: [x], method: timestamp", "cmds: [x]", ""},
	{"task.remote", "cmds: [x], remote: true", "cmds: [x]", placing},
	{"task.cache", "cmds: [x], generates: [], cache: {key: [a]}", "cmds: [x], generates: [], cache: {key: [b]}", ""},
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
	{"command.limits", "cmd: x, limits: {files: 10}", "cmd: x, limits: {files: 20}", watching},
	{"command.user", "cmd: x, user: a", "cmd: x, user: b", ""},
	{"command.ipc", "cmd: x, ipc: true", "cmd: x", ""},
	{"command.background", "cmd: x, background: true", "cmd: x", ""},
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
	{"dep.until", "task: u, until: started", "task: u, until: ended", needing},
	{"dep.optional", "task: u, optional: true", "task: u", needing},
	{"ready.log", "log: a", "log: b", serving},
	{"ready.http", "http: 'http://h/a'", "http: 'http://h/b'", serving},
	{"ready.tcp", "tcp: 'h:1'", "tcp: 'h:2'", serving},
	{"ready.exec", "exec: a", "exec: b", serving},
	{"ready.file", "file: a", "file: b", serving},
	{"ready.ipc", "ipc: true", "fd: 3", serving},
	{"ready.fd", "fd: 4", "fd: 3", serving},
	{"ready.interval", "tcp: 'h:1', interval: 1s", "tcp: 'h:1'", serving},
	{"ready.timeout", "tcp: 'h:1', timeout: 1s", "tcp: 'h:1'", serving},
	{"alive.http", "http: 'http://h/a'", "http: 'http://h/b'", serving},
	{"alive.tcp", "tcp: 'h:1'", "tcp: 'h:2'", serving},
	{"alive.exec", "exec: a", "exec: b", serving},
	{"alive.file", "file: a", "file: b", serving},
	{"alive.ipc", "ipc: true", "file: b", serving},
	{"alive.interval", "tcp: 'h:1', interval: 1s", "tcp: 'h:1'", serving},
	{"alive.timeout", "tcp: 'h:1', timeout: 1s", "tcp: 'h:1'", serving},
	{"alive.failures", "tcp: 'h:1', failures: 1", "tcp: 'h:1'", serving},
	{"port.port", "port: 1", "port: 2", "which port it is given is known when it runs"},
	{"port.strict", "port: 1, strict: true", "port: 1", "which port it is given is known when it runs"},
	{"pool.name", "name: p", "name: q", sharing},
	{"pool.take", "name: p, take: 2", "name: p", sharing},
	{"limits.memory", "memory: 1MiB", "memory: 2MiB", watching},
	{"limits.files", "files: 1", "files: 2", watching},
	{"limits.processes", "processes: 1", "processes: 2", watching},
	{"limits.cpu_time", "cpu_time: 1s", "cpu_time: 2s", watching},
	{"limits.core", "core: 0", "core: 1MiB", watching},
	{"limits.nice", "nice: 0", "nice: 1", watching},
	{"ipc.send", "send: [1]", "send: ['1']", ""},
	{"ipc.expect", "expect: 1", "expect: 2", ""},
	{"ipc.schema", "schema: a", "schema: b", ""},
	{"ipc.to", "to: u", "to: v", ""},
	{"rotate.size", "size: 1MiB", "size: 2MiB", ""},
	{"rotate.keep", "size: 1MiB, keep: 1", "size: 1MiB", ""},
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
	{"taskRef.task", "task: u", "task: v", ""},
	{"taskRef.vars", "task: u, vars: {V: 1}", "task: u, vars: {V: 2}", ""},
	{"sink.capture", "capture: {}", "capture: {max: 1}", ""},
	{"sink.file", "file: a", "file: b", ""},
	{"sink.append", "file: a, append: true", "file: a", ""},
	{"sink.atomic", "file: a, atomic: false", "file: a", ""},
	{"sink.rotate", "file: a, rotate: {size: 1}", "file: a, atomic: false", ""},
	{"capture.max", "max: 1", "max: 2", ""},
	{"capture.overflow", "overflow: tail", "overflow: truncate", ""},
	{"cache.env", "env: [A, B]", "env: [B, A]", ""},
	{"cache.key", "key: [a, b]", "key: [ab]", ""},
	{"cache.remote", "remote: false", "", keeping},
	{"cache.push", "push: true", "", keeping},
	{"taskRemote.profile", "profile: ''", "", placing},
	{"taskRemote.platform", "platform: {Pool: big}", "", placing},
	{"cacheText.sh", "sh: a", "sh: b", ""},
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

// apart are the keys with two values that differ in the fingerprint but not in the cache key, or
// vice versa, and why.
var apart = map[string]string{
	"file.method":  "it is how files are compared",
	"task.method":  "it is how files are compared",
	"task.depfile": "what is found by the key is found before the depfile is known",
	"enumRef.ref":  "a value counts for what is made of it",
	"var.secret":   "the name of a secret stands in place of its value",
}

// TestEveryKeyCounts: the fingerprint and the cache key depend on every key of the file, the task
// and their parts, except those that the table explains.
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
			before, _, keyBefore := check(t, store, dir, taskfile(c.key, c.a))
			if err := before.Commit(t.Context(), []byte("{}")); err != nil {
				t.Fatal(err)
			}
			now, in, keyNow := check(t, store, dir, taskfile(c.key, c.b))
			switch {
			case c.why == "" && now.Fresh:
				t.Errorf("%s and %s have the same fingerprint: %+v", c.a, c.b, in.Fields)
			case c.why != "" && !now.Fresh:
				t.Errorf("%s and %s have different fingerprints, although %s: %v", c.a, c.b, c.why, now.Why(t.Context()))
			}
			if same := keyBefore.Action == keyNow.Action; same != (now.Fresh != (apart[c.key] != "")) {
				t.Errorf("%s and %s have the same key in the cache: %v; and the same fingerprint: %v", c.a, c.b, same, now.Fresh)
			}
		})
	}
	for key := range known {
		t.Errorf("%s: does another value make another fingerprint? Say so in the table, or why not", key)
	}
}

// knownKeys returns the keys of tasks and of their parts in the published schema, which is
// generated from the decoding tables.
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
				if value != false { // false means that there is no such key
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

// taskfile returns a file with a task t in which a key has the given value.
func taskfile(key, keys string) string {
	const rest = "version: '3'\ntasks:\n  u: {cmds: [x], ipc: true}\n  v: {cmds: [x], ipc: true}\n  t: "
	def, _, _ := strings.Cut(key, ".")
	if def == "file" {
		return keys + "\n" + rest + "{cmds: ['echo {{.W}}'], sources: [in, other], generates: []}\n"
	}
	keys = fmt.Sprintf(places[def], keys)
	if !strings.Contains(keys, "sources:") {
		keys += ", sources: [in]"
	}
	return "vars: {A: a, B: b, C: 'a,b;c'}\npools: {p: 2, q: 2}\n" + rest + "{" + keys + "}\n"
}

// check returns the freshness and the cache key of the task t of a file.
func check(t *testing.T, store *state.Store, dir, text string) (*fingerprint.Check, *fingerprint.Inputs, *cache.Key) {
	t.Helper()
	for name, text := range map[string]string{
		"in": "in", "other": "other", "in.env": "V=1", "other.env": "V=2", ".gitignore": "other\n", "a": "", "in.d": "a: in\n", ".git/HEAD": "",
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
	b := x.inspect(p.Steps[p.Roots[0]])
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
	b.check = c
	key, err := x.fresh.cacheKey(t.Context(), b)
	if err != nil {
		t.Fatal(err)
	}
	return c, in, key
}

// echo is a shell in which every command prints its own text.
type echo struct{}

func (echo) Output(_ context.Context, text, _ string, _ []string) (string, error) { return text, nil }

// yes is a host in which every condition is true.
type yes struct{ plan.Host }

func (yes) Condition(context.Context, string, string, []string) (bool, error) { return true, nil }

package plan_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/weftrun/weft/engine/plan"
	"github.com/weftrun/weft/engine/vars"
	"github.com/weftrun/weft/schema"
	"github.com/weftrun/weft/schema/diag"
)

// planned returns the plan of the task all of a file: what each step waits for, and how.
func planned(t *testing.T, text string, calls ...string) (*plan.Plan, string, error) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "Taskfile.yml"), []byte("version: '3'\n"+text), 0o600); err != nil {
		t.Fatal(err)
	}
	w, list := schema.Load(t.Context(), schema.LoadOptions{Dir: dir})
	if err := list.Err(); err != nil {
		t.Fatal(err)
	}
	x := plan.NewExpander(plan.Options{Workflow: w, Resolver: vars.New(vars.Options{Workflow: w}), Host: host{holds: true}})
	all := []plan.Call{{Name: "all"}}
	if len(calls) > 0 {
		all = nil
		for _, name := range calls {
			all = append(all, plan.Call{Name: name})
		}
	}
	p, err := x.Expand(t.Context(), all...)
	if err != nil {
		return nil, "", err
	}
	whens := [...]string{plan.Succeeded: "", plan.Ready: "@ready", plan.Started: "@started", plan.Ended: "@ended", plan.Together: "@together", plan.After: "@after"}
	var said []string
	for i, s := range p.Steps {
		said = append(said, s.Label+":")
		for _, n := range p.Needs[i] {
			messages := ""
			if n.Messages {
				messages = "!"
			}
			said = append(said, p.Steps[n.Step].Label+whens[n.When]+messages)
		}
	}
	return p, strings.Join(said, " "), nil
}

func TestConditions(t *testing.T) {
	for tasks, want := range map[string]string{
		// How far a need must be.
		"all: {deps: [db, t]}\n  db: {service: true, cmd: x}\n  t: x":                                                                  "db: t: all: db@ready t",
		"all: {deps: [{task: db, until: started}, {task: t, until: ended}]}\n  db: {service: true, cmd: x}\n  t: x":                    "db: t: all: db@started t@ended",
		"all: {deps: [{task: t, until: ready}, {task: u, until: succeeded, timeout: 1s}]}\n  t: x\n  u: x":                             "t: u: all: t@ready u",
		"all: {deps: [stack], cmd: x}\n  stack: {deps: [db, t]}\n  db: {service: true, cmd: x}\n  t: x":                                "db: t: stack: db@ready t all: stack@ready",
		"all: {deps: [mid], cmd: x}\n  mid: {deps: [db], cmd: x}\n  db: {service: true, cmd: x}":                                       "db: mid: db@ready all: mid",
		"all: {deps: [db]}\n  db: {service: true, cmd: x, platforms: [plan9]}":                                                         "db: all: db",
		"all: {deps: [a, b]}\n  a: {deps: [db], cmd: x}\n  b: {deps: [db], cmd: x}\n  db: {service: true, cmd: x}":                     "db: a: db@ready b: db@ready all: a b",
		"all: {deps: [{task: db, vars: {V: 1}}, {task: db, vars: {V: 2}}]}\n  db: {label: 'db{{.V}}', service: true, cmd: 'x {{.V}}'}": "db1: db2: all: db1@ready db2@ready",
		"all: {deps: [a, b, c]}\n  a: {deps: [{task: db, vars: {V: 1}}], cmd: x}\n  b: {deps: [{task: db, vars: {V: 2}}], cmd: x}\n  c: {deps: [{task: db, vars: {V: 1}}], cmd: x}\n  db: {label: 'db{{.V}}', service: true, ports: {http: 0}, cmd: 'x {{.V}} {{port \"http\"}}'}": "db1: a: db1@ready db2: b: db2@ready c: db1@ready all: a b c",
		// What is not there.
		"all: {deps: [{task: no, optional: true}, t]}\n  t: x":                        "t: all: t",
		"all: {deps: [{task: 'n:{{.ITEM}}', optional: true, for: [a, b]}]}\n  n:a: x": "n:a: all: n:a",
		// Order.
		"all: {deps: [a, b, c]}\n  a: {cmd: x, after: [b, no]}\n  b: x\n  c: {cmd: x}\n  no: x":                            "a: b@after b: c: all: a b c",
		"all: {deps: [a, {task: b, vars: {V: 1}}, {task: b, vars: {V: 2}}]}\n  a: {cmd: x, after: [b]}\n  b: 'x {{.V}}'":   "a: b@after b@after b: b: all: a b b",
		"all: {deps: [a, b, c]}\n  a: {cmd: x, after: [al, lab]}\n  b: {cmd: x, aliases: [al]}\n  c: {cmd: x, label: lab}": "a: b@after lab@after b: lab: all: a b lab",
		"all: {deps: [a, 'w:1', 'w:2']}\n  a: {cmd: x, after: ['w:{{.N}}'], vars: {N: 2}}\n  w:*: x":                       "a: w:2@after w:1: w:2: all: a w:1 w:2",
		"all: {deps: [a], cmd: x}\n  a: {cmd: x, after: [b]}\n  b: x":                                                      "a: all: a",
		"all: {deps: [a, b]}\n  a: {cmd: x, after: [b], platforms: [plan9]}\n  b: x":                                       "a: b: all: a b",
		// Messages.
		"all: {cmd: x, ipc: {to: w}}\n  w: {cmd: x, ipc: true}":                                                           "w: all: w@together!",
		"all: {cmd: x, ipc: {to: w}}\n  w: {cmd: x, ipc: true, service: true}":                                            "w: all: w@ready!",
		"all: {cmd: x, deps: [w], ipc: {to: w}}\n  w: {cmd: x, ipc: true}":                                                "w: all: w@together!",
		"all: {cmd: x, stdin: {from: w}, ipc: {to: w}}\n  w: {cmd: x, ipc: true}":                                         "w: all: w@together w@together!",
		"all: {deps: [a, b]}\n  a: {cmd: x, ipc: {to: w}}\n  b: {cmd: x, ipc: {to: w}}\n  w: {cmd: x, ipc: true}":         "w: a: w@together! b: w@together! all: a b",
		"all: {cmds: [{cmd: x, ipc: {to: {task: w, vars: {V: 1}}}}]}\n  w: {cmds: [{cmd: x, ipc: {}}], label: 'w{{.V}}'}": "w1: all: w1@together!",
	} {
		_, got, err := planned(t, "tasks:\n  "+tasks+"\n")
		if err != nil || got != want {
			t.Errorf("%s\n got %s (%v)\nwant %s", tasks, got, err, want)
		}
	}
}

// TestWrongPlans: problems of a plan are reported before anything runs, with positions.
func TestWrongPlans(t *testing.T) {
	for tasks, want := range map[string]string{
		"all: {deps: [a, b]}\n  a: {cmd: x, after: [b]}\n  b: {deps: [c]}\n  c: {deps: [a]}": `:4:23: tasks wait for each other: "a" → "b" → "c" → "a"; "a" comes after "b" (`,
		"all: {deps: [a, b]}\n  a: {cmd: x, after: [b]}\n  b: {cmd: x, after: [a]}":          `:4:23: tasks wait for each other: "a" → "b" → "a"; "a" comes after "b" (`,
		"all: {cmd: x, after: [all]}":                                                                `tasks wait for each other: "all" → "all"`,
		"all: {cmd: x, after: [noo]}\n  no: x":                                                       `:3:25: no task "noo"; task "all" runs after it (line 3); did you mean "no"?`,
		"all: {deps: [r]}\n  r: {cmd: x, stdin: {from: w}, after: [w]}\n  w: x":                      `but "r" comes after "w"`,
		"all: {deps: [{task: a, until: ended}]}\n  a: {cmd: x, service: true}":                       `:3:16: task "all" waits until the service "a" has ended; a service ends when nothing needs it any more; write until: ready, or remove it`,
		"all: {deps: [{task: a, until: succeeded}]}\n  a: {deps: [b]}\n  b: {cmd: x, service: true}": `task "all" waits until the service "a" has succeeded`,
		"all: {cmd: x, stdin: {output: a}}\n  a: {cmd: x, service: true}":                            `task "all" reads the finished output of task "a", which is a service`,
		"all: {deps: [a], cmd: 'x {{output \"a\"}}'}\n  a: {cmd: x, service: true}":                  `{{output "a"}}: that task is a service`,
		"all: {cmd: x, pool: p}":                                                                     `:3:23: task "all": there is no pool "p"; declare its size at the root: pools: {p: 1}`,
		"all: {cmd: x, ipc: {to: w}}\n  w: x":                                                        `:3:27: task "all" sends messages to task "w", which has no channel for them; add ipc: true to that task`,
		"all: {cmd: x, ipc: {to: all}}":                                                              `cycle: "all"`,
		"all: {deps: [r]}\n  r: {cmd: x, ipc: {to: w}}\n  w: {deps: [m], ipc: true, cmd: x}\n  m: {deps: [n]}\n  n: {deps: [w2], after: [r]}\n  w2: x":              `because of the messages that they send; but "w" needs "m", which needs "n", which comes after "r"; remove one of these`,
		"all: {deps: [a, b]}\n  a: {service: true, cmd: x, listen: {http: 'localhost:8080'}}\n  b: {service: true, cmd: x, listen: {http: ':8080'}}":                `5:45: services "a" and "b" both need port 8080; the other place is `,
		"all: {deps: [a, b]}\n  a: {service: true, cmd: x, ports: {http: {port: 8080, strict: true}}}\n  b: {service: true, cmd: x, listen: {h: '127.0.0.1:8080'}}": `services "a" and "b" both need port 8080`,
		"all: {deps: [{task: a, vars: {P: x}}]}\n  a: {cmd: x, ports: {http: '{{.P}}'}}":                                                                            `port http: "x" is not a port from 0 to 65535`,
		"all: {deps: [{task: a, vars: {P: x}}]}\n  a: {cmd: x, service: true, ready: {tcp: 'h:{{.P}}'}}":                                                            `ready: tcp: "x" is not a port from 1 to 65535`,
		"all: {deps: [{task: a, vars: {P: '('}}]}\n  a: {cmd: x, service: true, ready: {log: '{{.P}}'}}":                                                            `ready: log: error parsing regexp`,
		"all: {deps: [{task: a, vars: {P: 's'}}]}\n  a: {cmd: x, service: true, alive: {http: 'http{{.P}}://h'}}":                                                   `alive: http: a probe does not support TLS; use a program that does: exec: curl -fsS https://h`,
	} {
		_, got, err := planned(t, "tasks:\n  "+tasks+"\n")
		var d *diag.Diagnostic
		var cycle *plan.CycleError
		if err == nil || !errors.As(err, &d) && !errors.As(err, &cycle) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s\n got %v %s\nwant %s", tasks, err, got, want)
		}
	}
	long := "all: {deps: [t0]}"
	for i := range 100 {
		long += fmt.Sprintf("\n  t%d: {cmd: x, deps: [t%d]}", i, i+1)
	}
	if _, _, err := planned(t, "tasks:\n  "+long+"\n  t100: {cmd: x, after: [t0]}\n"); err == nil || len(err.Error()) > 5000 || !strings.HasSuffix(err.Error(), "and 81 more; remove one of these") {
		t.Errorf("a long cycle: %.6000v", err)
	}
	for _, tasks := range []string{
		"all: {deps: [a, b]}\n  a: {service: true, cmd: x, ports: {http: 8080}}\n  b: {service: true, cmd: x, ports: {http: 8080}}",
		"all: {deps: [a, b]}\n  a: {cmd: x, ports: {http: {port: 8080, strict: true}}}\n  b: {deps: [a], cmd: x, ports: {http: {port: 8080, strict: true}}}",
	} {
		if _, _, err := planned(t, "tasks:\n  "+tasks+"\n"); err != nil {
			t.Errorf("%s: %v", tasks, err)
		}
	}
}

// TestWhatAStepTakes: slots, pools, ports and the jobserver, by task and by file.
func TestWhatAStepTakes(t *testing.T) {
	p, _, err := planned(t, `
pools: {db: 2, gpu: 1}
jobserver: true
tasks:
  all: {deps: [a, b, c]}
  a: {cmd: x, slots: 3, pool: gpu, ports: {http: 8080, debug-x: }}
  b: {cmd: x, pool: {name: db, take: 2}, jobserver: false}
  c: {cmd: x, ports: {http: {port: '{{add 1 2}}', strict: true}}}
`)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, s := range p.Steps {
		got = append(got, fmt.Sprintf("%s %d %v %v", s.Name, s.Slots, s.Pool(), s.Jobserver()))
		for _, port := range s.Ports() {
			got = append(got, fmt.Sprintf("%s %s %d %v", port.Name, port.EnvName(), port.Requested, port.Strict))
		}
	}
	want := "a 3 {gpu 1} true, http PORT_HTTP 8080 false, debug-x PORT_DEBUG_X 0 false, b 1 {db 2} false, c 1 { 0} true, http PORT_HTTP 3 true, all 1 { 0} true"
	if got := strings.Join(got, ", "); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// TestMessagesAreJSON: sent values keep their types, and templates in them are expanded.
func TestMessagesAreJSON(t *testing.T) {
	p, _, err := planned(t, `
tasks:
  all:
    vars: {V: "<a>\n"}
    cmd: x
    ipc: {send: [1, '1', null, true, 1.5, [a, '{{.V}}'], {b: {a: 1}, a: '{{.V}}'}], schema: 's{{.NO}}.json', expect: 2}
`)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range p.Steps[0].Commands() {
		want := `1 "1" null true 1.5 ["a","<a>\n"] {"a":"<a>\n","b":{"a":1}}`
		if got := strings.Join(c.IPC.Send, " "); got != want || c.IPC.Schema != "s.json" || c.IPC.Expect != 2 {
			t.Errorf("got %s %+v, want %s", got, c.IPC, want)
		}
	}
}

// TestBackgroundIsNotAlone: steps after a command in the background run beside it.
func TestBackgroundIsNotAlone(t *testing.T) {
	p, _, err := planned(t, "tasks:\n  all: {deps: [b], cmd: x}\n  b: {deps: [c], cmds: [{cmd: x, background: true}, y]}\n  c: x\n")
	if err != nil {
		t.Fatal(err)
	}
	for i, alone := range p.Alone() {
		if name := p.Steps[i].Name; alone != (name == "c") {
			t.Errorf("%s: alone: %v", name, alone)
		}
	}
}

// TestNamesInNamespaces: names in `after` and receivers of messages are relative to the namespace
// of the included file; labels are in no namespace.
func TestNamesInNamespaces(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"Taskfile.yml": "jobserver: false\nincludes: {n: ./n.yml}\ntasks:\n  all: {deps: ['n:a', 'n:b', 'n:c', b, lab]}\n  b: x\n  lab: x\n",
		"n.yml":        "jobserver: true\ntasks:\n  a: {cmd: x, after: [b, ':b', lab], ipc: {to: w}}\n  b: {cmd: x, jobserver: false}\n  c: {cmd: x, label: lab}\n  w: {cmd: x, ipc: true}\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("version: '3'\n"+text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	w, list := schema.Load(t.Context(), schema.LoadOptions{Dir: dir})
	if err := list.Err(); err != nil {
		t.Fatal(err)
	}
	p, err := expander(w).Expand(t.Context(), plan.Call{Name: "all"})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for i, s := range p.Steps {
		if s.Name != "n:a" {
			continue
		}
		for _, n := range p.Needs[i] {
			got = append(got, p.Steps[n.Step].Name+" "+n.Word())
		}
	}
	if got, want := strings.Join(got, ", "), "n:w messages, n:b after, b after, n:c after"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	for _, s := range p.Steps {
		if want := s.Name == "n:a" || s.Name == "n:c" || s.Name == "n:w"; s.Jobserver() != want {
			t.Errorf("%s: jobserver %v", s.Name, !want)
		}
	}
}

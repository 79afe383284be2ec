package schema

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/weftrun/weft/schema/diag"
)

func decodeText(src string) (*document, []string) {
	doc, list := decodeFile(&diag.File{Path: "T", Source: src})
	var all []string
	for _, d := range list.All() {
		s := d.Error()
		if d.Severity == diag.Warning {
			s = "warning: " + s
		}
		all = append(all, s)
	}
	return doc, all
}

// TestProblems: lines of tasks or of the root, and their messages.
func TestProblems(t *testing.T) {
	for _, tt := range []struct{ src, want string }{
		// Unknown keys.
		{"task: x", `warning: T:1:1: unknown key "task"; did you mean "tasks"?`},
		{"x-anchors: {a: b}", ``},
		{"tasks: {build: {depends: [x]}}", `warning: T:1:17: task "build": unknown key "depends"; did you mean "deps"?`},
		{"tasks: {a: {cmds: [{cmd: x, ignore_errors: true}]}}", `warning: T:1:29: task "a": unknown key "ignore_errors" in command; did you mean "ignore_error"?`},
		{"tasks: {a: {deps: [{task: x, workdir: y}]}}", `warning: T:1:30: task "a": unknown key "workdir" in dependency`},
		{"includes: {a: {taskfile: b, flaten: true}}", `warning: T:1:29: unknown key "flaten" in include a; did you mean "flatten"?`},
		{"[a]: b", `T:1:1: a key is a list`},
		{"tasks: {a: {cmds: [{defer: x, if: y}]}}", `warning: T:1:31: task "a": key "if" has no effect next to defer; move the deferred commands to a separate task`},
		// Types.
		{"tasks: [a]", `T:1:8: tasks: expected a map of tasks, found a list`},
		{"tasks: {a: {cmds: x}}", `T:1:19: task "a": cmds: expected a list of commands, found the text "x"; write cmds: [x]`},
		{"tasks: {a: {cmds: [[1]]}}", `T:1:20: task "a": expected a command, found a list`},
		{"tasks: {a: {deps: 3, aliases: foo}}", "T:1:19: task \"a\": deps: expected a list of task names, found the number 3; write deps: [3]\n" +
			`T:1:31: task "a": aliases: expected a list of names, found the text "foo"; write aliases: [foo]`},
		{"tasks: {a: {silent: maybe, desc: [b]}}", "T:1:21: task \"a\": silent: expected true or false, found the text \"maybe\"\n" +
			`T:1:34: task "a": desc: expected text, found a list`},
		{"silent: 1", `T:1:9: silent: expected true or false, found the number 1`},
		{"tasks: {a: {vars: [b]}}", `T:1:19: task "a": vars: expected a map of variables, found a list`},
		{"tasks: {a: {desc: x, desc: y}}", `T:1:22: task "a": task: key "desc" is defined twice; remove one of them`},
		// Forms.
		{"tasks: {a: {cmd: x, cmds: [y]}}", `T:1:27: task "a": task cannot have both cmd and cmds; keep one of them`},
		{"tasks: {a: [echo foo: bar]}", `T:1:13: task "a": a command that contains ": " must be quoted; YAML parses it as a map; write 'echo foo: bar'`},
		{"tasks: {a: {cmds: [{defer: {task: x, timeout: 1s}}]}}", `T:1:47: task "a": timeout must be set next to defer, not inside it`},
		{"tasks: {a: {cmds: [{cmd: x, timeout: abc}]}}", `T:1:38: task "a": invalid timeout format: "abc"; write a number and a unit, as in "30s" or "1m30s"`},
		{"tasks: {a: {cmds: [{cmd: x, timeout: 0s}]}}", `T:1:38: task "a": timeout must be greater than zero`},
		{"interval: 5", `T:1:11: interval: "5" is not a duration; write a number and a unit, as in "500ms" or "1m30s"`},
		{"vars: {A: {foo: 1}}", `T:1:12: "foo" is not a valid variable type. Try "sh", "ref", "map", "value" or using a scalar value; a map as a value is written {map: {…}}`},
		{"vars: {A: {secret: true}}", `T:1:11: a variable must define one of "sh", "ref", "map", "value" or be a scalar value`},
		{"tasks: {a: {cmds: [{cmd: x, for: {}}]}}", `T:1:34: task "a": invalid keys in for; give a list, sources, generates, var or matrix`},
		{"tasks: {a: {cmds: [{cmd: x, for: {var: A, matrix: {B: [1]}}}]}}", `T:1:34: task "a": cannot use both var and matrix in for; keep one of them`},
		{"tasks: {a: {cmds: [{cmd: x, for: {matrix: {B: c}}}]}}", `T:1:47: task "a": matrix values must be an array or a reference; write a list, or {ref: ".NAME"}`},
		{"tasks: {a: {platforms: [linux/arm64, zos, Linux]}}", `T:1:43: task "a": invalid platform "Linux"; write an operating system, an architecture or both, as Go names them: linux, arm64, darwin/arm64`},
		{"tasks: {a: {requires: {vars: [{name: X, enum: y}]}}}", `T:1:47: task "a": enum: expected a list of values or {ref: …}, found the text "y"`},
		{"includes: {a: {optional: true}}", `T:1:15: include must specify taskfile or dir`},
		{"includes: {a: [b]}", `T:1:15: include a: expected a path or a map, found a list`},
		{"output: {foo: 1}", "T:1:9: output style must have the \"group\" key when in mapping form\n" + `warning: T:1:10: unknown key "foo" in output`},
		// Not YAML.
		{"version: 3\ntasks:\n  a: [x\n  b: y\n", `T:3:6: not valid YAML: did not find expected ',' or ']'; close what is opened here`},
		{"version: 3\ntasks:\n  a:\n    cmds: [x]\n    desc: x\n   b: y\n", `T:6:4: not valid YAML: did not find expected key; check the indentation of this line`},
		{"version: 3\ntasks:\n  a:\n    cmds:\n    - x\n    desc: x\n    - y\n", `T:7:5: not valid YAML: did not find expected key; check the indentation of this line`},
		{"version: 3\ntasks:\n  a:\n    cmds: \"x\n    desc: y\n", `T:4:11: not valid YAML: found unexpected end of stream; close what is opened here`},
		{"a: b: c", `T:1:5: a text that contains ": " must be quoted; YAML parses it as a map; write a: 'b: c'`},
		{"a: *b", `T:1:4: not valid YAML: unknown anchor 'b' referenced; define the anchor with "&" before it is used, or quote the text that begins with "*"`},
		{"a:\n\tb: c", `T:2:1: a tab in the indentation; indent with spaces; YAML allows no tabs there`},
		{"a: b\nc: \xff", `T:2:4: byte 0xff is not UTF-8; save the file as UTF-8 text`},
		{"a: b\nc: \x00", `T:2:4: control character 0x00; save the file as UTF-8 text`},
	} {
		if _, got := decodeText(tt.src); strings.Join(got, "\n") != tt.want {
			t.Errorf("%s\n got %s\nwant %s", tt.src, strings.Join(got, "\n"), tt.want)
		}
	}
}

func TestValues(t *testing.T) {
	doc, problems := decodeText(`
vars:
  S: yes
  O: 010
  P: 0o10
  U: 1_000
  F: .5
  E: 1e3
  D: 2001-01-01
  N: null
  B: !!binary aGVsbG8=
  L: [1, a, {k: [true]}]
  M: {map: {1: x, true: y}}
  G: 18446744073709551615
  Q: "3"
  S: again
  C: {sh: echo, secret: true}
  R: {ref: .L}
  V1: {sh: echo, ref: .L, value: 1}
  V2: {value: 1, sh: echo, map: {a: b}}
  V3: {sh: echo, value: 1}
  V4: {sh: "", value: null}
`)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	var got []string
	for _, v := range doc.Vars {
		got = append(got, fmt.Sprintf("%s %T %v %d %s %v", v.Name, v.Value, v.Value, v.Kind, v.Text, v.Secret))
	}
	want := `S string again 0  false
O int 8 0  false
P int 8 0  false
U int 1000 0  false
F float64 0.5 0  false
E float64 1000 0  false
D string 2001-01-01 0  false
N <nil> <nil> 0  false
B string hello 0  false
L []interface {} [1 a map[k:[true]]] 0  false
M map[string]interface {} map[1:x true:y] 0  false
G uint64 18446744073709551615 0  false
Q string 3 0  false
C <nil> <nil> 1 echo true
R <nil> <nil> 2 .L false
V1 <nil> <nil> 2 .L false
V2 map[string]interface {} map[a:b] 0  false
V3 int 1 0  false
V4 <nil> <nil> 1  false`
	if s := strings.Join(got, "\n"); s != want {
		t.Errorf("got\n%s\nwant\n%s", s, want)
	}
}

func TestTaskForms(t *testing.T) {
	doc, problems := decodeText(`
x-common: &common {silent: yes, desc: 010, dir: base}
tasks:
  text: echo
  number: 3
  list: [echo, null, "", {cmd: b, timeout: 2m, for: [1, a]}]
  nothing:
  empty: {cmds: [null]}
  calls:
    deps: [a, {task: b, for: sources, silent: on}]
    cmds:
      - task: c
        cmd: ignored
        vars: {A: 1}
      - defer: {task: d, silent: true}
      - defer: echo bye
        timeout: 1s
  merged:
    <<: *common
    dir: own
  merged2:
    <<: [{dir: first}, *common]
`)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	var b strings.Builder
	for _, task := range doc.Tasks {
		fmt.Fprintf(&b, "%s %v %d %q %q:", task.Name, task.Pos, task.Silent, task.Desc.S, task.Dir.S)
		for _, c := range append(append([]Command{}, task.Deps...), task.Cmds...) {
			fmt.Fprintf(&b, " {%d %s %v %v %v %s", c.Kind, c.Text.S, c.Defer, c.Silent, c.Timeout, values(c.Vars))
			if c.For != nil {
				fmt.Fprintf(&b, " %v %s", c.For.List, c.For.From)
			}
			b.WriteByte('}')
		}
		b.WriteByte('\n')
	}
	want := `text T:4:3 0 "" "": {0 echo false false 0s }
number T:5:3 0 "" "": {0 3 false false 0s }
list T:6:3 0 "" "": {0 echo false false 0s } {0  false false 0s } {0 b false false 2m0s  [1 a] }
nothing T:7:3 0 "" "":
empty T:8:3 0 "" "":
calls T:9:3 0 "" "": {1 a false false 0s } {1 b false true 0s  [] sources} {1 c false false 0s A=1} {1 d true true 0s } {0 echo bye true false 1s }
merged T:18:3 2 "010" "own":
merged2 T:21:3 2 "010" "first":
`
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}

// TestHostile: input that must neither crash nor take long.
func TestHostile(t *testing.T) {
	bomb := "x-a: &a [x,x,x,x,x,x,x,x,x]\n"
	for c := 'b'; c <= 'k'; c++ {
		p := c - 1
		bomb += fmt.Sprintf("x-%c: &%c [*%c,*%c,*%c,*%c,*%c,*%c,*%c,*%c,*%c]\n", c, c, p, p, p, p, p, p, p, p, p)
	}
	merge := "x-a: &a {k: v}\n"
	for c := 'b'; c <= 'z'; c++ {
		merge += fmt.Sprintf("x-%c: &%c {<<: [*%c, *%c]}\n", c, c, c-1, c-1)
	}
	for _, tt := range []struct{ name, src, want string }{
		{"lists", strings.Repeat("[", 10<<20), "not valid YAML"},
		{"maps", strings.Repeat("{a: ", 2<<20), "not valid YAML"},
		{"block lists", strings.Repeat("- ", 5<<20), "not valid YAML"},
		{"indent", func() string {
			var b strings.Builder
			for i := range 4000 {
				b.WriteString(strings.Repeat(" ", i) + "a:\n")
			}
			return b.String()
		}(), "Missing schema"},
		{"nested value", "vars: {A: " + strings.Repeat("[", 2000) + strings.Repeat("]", 2000) + "}", "nested too deeply"},
		{"bomb", bomb + "vars: {A: *k}", "expand to too many"},
		{"merge bomb", merge + "tasks: {a: *z}", "expand to too many"},
		{"contains itself", "vars: &a {A: {map: *a}}", "contains itself"},
		{"list contains itself", "vars: {A: &a [*a, *a]}", "contains itself"},
		{"merges itself", "tasks: &a {b: {<<: *a}, <<: *a}", ""},
		{"binary", "\x7fELF\x02\x01\x01\x00\x00\x00", "control character"},
		{"quotes", strings.Repeat("\"a\": \"b\"\n'c': 'd'\n", 50_000), ""},
		{"comments", strings.Repeat("# a\n", 500_000), "Missing schema"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			start := time.Now()
			doc, list := decodeFile(&diag.File{Path: "T", Source: tt.src})
			if d := doc.checkVersion(false); d != nil {
				list.Add(d)
			}
			err := list.Err()
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %.300v, want %s", err, tt.want)
			}
			if took := time.Since(start); took > 20*time.Second {
				t.Errorf("took %v", took)
			}
		})
	}
}

// FuzzDecode: no file crashes the decoder, and every problem has a place.
func FuzzDecode(f *testing.F) {
	f.Add("version: '3'\ntasks: {a: {cmds: [{cmd: x, for: {matrix: {A: [1], B: {ref: .X}}}}], deps: [{task: b}], sources: [{exclude: y}]}}")
	f.Add("vars: &a {A: {map: *a}, B: !!binary x, C: 2001-01-01, <<: *a}\nincludes: {a: b, c: {dir: x, aliases: [y]}}")
	f.Add("pools: {p: 2}\njobserver: true\ntasks: {a: {service: true, cmds: [x, {cmd: y, background: true}, z], ready: {http: 'http://h:1/', interval: 1s}, alive: {exec: x, failures: 2}, restart: 'always:3', listen: {a: 'h:1'}, ports: {a: 0, b: {port: 1, strict: true}}, pool: {name: p, take: 2}}}")
	f.Add("tasks: {a: {cmd: x, deps: [{task: b, until: ended, optional: true}], after: [b], slots: 2, user: '1:1', limits: {memory: 1MiB, core: 0, nice: -1}, ipc: {send: [1, {a: [b]}], expect: 1, schema: f, to: {task: b, vars: {A: 1}}}, stdout: {file: f, rotate: {size: 1MiB, keep: 1}}}}")
	f.Add("output: {group: {begin: x, error_only: yes}}\ninterval: 1s\nset: [e]\ntasks: [x]")
	f.Add("tasks:\n  a: {requires: {vars: [A, {name: B, enum: [x]}, {name: C, enum: {ref: .D}}]}, preconditions: [x, {sh: y, msg: z}], platforms: [linux, a/b]}")
	f.Fuzz(func(t *testing.T, src string) {
		file := &diag.File{Path: "T", Source: src}
		doc, list := decodeFile(file)
		lines := int32(strings.Count(src, "\n") + strings.Count(src, "\r") + 2)
		for _, d := range list.All() {
			if d.Pos.File != file || d.Pos.Line < 1 || d.Pos.Line > lines || d.Pos.Column < 1 || d.What == "" {
				t.Errorf("%q: bad diagnostic %+v at %v", src, d, d.Pos)
			}
		}
		if list.Err() == nil {
			w := doc.workflow("/")
			Check(w)
			for _, task := range w.Tasks {
				if _, _, err := w.Lookup(task.Name); err != nil {
					t.Error(err)
				}
			}
		}
	})
}

// TestOwnTaskKeys: the first keys of a task are fields of Task itself, and the next is none:
// for a task with no others the options are not looked at.
func TestOwnTaskKeys(t *testing.T) {
	for i, name := range taskNames[:ownTaskKeys+1] {
		field := strings.ToUpper(name[:1]) + name[1:]
		if name == "cmd" {
			field = "Cmds"
		}
		f, ok := reflect.TypeFor[Task]().FieldByName(field)
		if own := ok && len(f.Index) == 1; own != (i < ownTaskKeys) {
			t.Errorf("key %d, %s: a field of Task itself: %t", i, name, own)
		}
	}
}

package schema

import (
	"fmt"
	"strings"
	"testing"

	"github.com/weftrun/weft/internal/limit"
	"github.com/weftrun/weft/schema/diag"
)

func workflow(t *testing.T, src string) *Workflow {
	t.Helper()
	doc, list := decodeFile(&diag.File{Path: "T", Source: src})
	if err := list.Err(); err != nil {
		t.Fatal(err)
	}
	w := doc.workflow("/w")
	return w
}

func TestCheck(t *testing.T) {
	for _, tt := range []struct{ src, want string }{
		{"tasks: {a: {deps: [b], cmds: [{task: c}, {task: '{{.X}}'}]}, b: {aliases: [c]}}", ``},
		{"tasks: {release: {deps: [biuld]}, build: }", `T:1:26: no task "biuld"; called by "release" (line 1); did you mean "build"?`},
		{"tasks: {a: {cmds: [{defer: {task: zzzz}}, {for: [1], task: qqqq}]}}", "T:1:35: no task \"zzzz\"; called by \"a\" (line 1)\n" + `T:1:60: no task "qqqq"; called by "a" (line 1)`},
		{"tasks: {a: {deps: [build-x]}, 'build-*': x}", ``},
		{"tasks: {a: {deps: [x]}, b: {aliases: [x]}, c: {aliases: [x]}}", "T:1:20: Found multiple tasks (b, c) that match \"x\"; called by \"a\" (line 1); call it by its name\n" +
			`warning: T:1:44: task "c": its alias "x" cannot be called; task "b" has the same alias; choose another alias`},
		{"tasks: {a: {deps: [b]}, b: {deps: [c]}, c: {deps: [d, b]}, d: }", `T:1:36: tasks need each other: b → c → b; "b" needs "c" (T:1:36), "c" needs "b" (T:1:55); remove one of these dependencies`},
		{"tasks: {a: {deps: [{task: a, vars: {N: 1}}]}}", `T:1:20: tasks need each other: a → a; "a" needs "a" (T:1:20); remove one of these dependencies`},
		{"tasks: {a: {deps: [b]}, b: {if: test, deps: [a]}}", `warning: T:1:20: tasks need each other: a → b → a; "a" needs "b" (T:1:20), "b" needs "a" (T:1:46); remove one of these dependencies`},
		{"tasks: {'x-*': {deps: [x-1]}}", `T:1:24: tasks need each other: x-* → x-*; "x-*" needs "x-*" (T:1:24); remove one of these dependencies`},
		{"tasks: {'*': x, 'a-*': x, 'a-*-b': x, a-lit: x}", "T:1:17: task \"a-*\" is never reached; \"*\" (T:1:9) matches every name that it does; define it before that one\n" +
			`T:1:27: task "a-*-b" is never reached; "*" (T:1:9) matches every name that it does; define it before that one`},
		{"tasks: {'a-*-b': x, 'a-*': x, 'b-*': y}", ``},
		{"tasks: {a: {sources: []}, b: {sources: [{exclude: x}]}, c: {sources: [x]}, d: {sources: }}", "T:1:9: task \"a\": sources list no file; so no file determines whether it is up to date; list the files it reads, or remove sources\n" +
			`T:1:27: task "b": sources list no file; so no file determines whether it is up to date; list the files it reads, or remove sources`},
		{"run: never\ntasks: {a: {run: sometimes, method: guess}, b: {run: '{{.R}}'}}\noutput: pretty", "T:1:6: invalid run \"never\"; use always, once or when_changed\n" +
			"T:3:9: output style \"pretty\" not recognized; use interleaved, group or prefixed\n" +
			"T:2:18: task \"a\": invalid run \"sometimes\"; use always, once or when_changed\n" +
			`T:2:37: task "a": invalid method "guess"; use checksum, timestamp or none`},
		{"tasks: {a: {cmds: ['echo {{.A}} |', 'if true'], status: ['(']}}", "T:1:37: task \"a\": command is not a valid shell script: 1:1: `if <cond>` must be followed by `then`; the numbers are line and column inside the script\n" +
			"T:1:58: task \"a\": status is not a valid shell script: 1:1: `(` must be followed by a statement list; the numbers are line and column inside the script"},
		{"tasks: {a: {cmds: [echo \"a, b\", x]}}", "T:1:20: task \"a\": command is not a valid shell script: 1:6: reached EOF without closing quote `\"`; in brackets a comma ends a text: put quotes around the whole text\n" +
			"T:1:29: task \"a\": command is not a valid shell script: 1:2: reached EOF without closing quote `\"`; in brackets a comma ends a text: put quotes around the whole text"},
		{"tasks: {a: {aliases: [b, a]}, b: }", `warning: T:1:9: task "a": its alias "b" is never used; it is the name of the task at T:1:31; choose another alias`},
		{"tasks: {a: x, b: y, a: z}", `warning: T:1:21: task "a" is defined again; the one in line 1 is never used; remove or rename one of them`},
		{"vars: {V: {sh: '('}}\ntasks: {a: {env: {E: {sh: 'if true'}}, stop: {cmd: '}'}, cmds: [{task: a, vars: {X: {sh: ')'}}}]}}", `T:1:8: variable "V": sh is not a valid shell script: 1:1: ` + "`(` must be followed by a statement list; the numbers are line and column inside the script\n" +
			`T:2:82: task "a": variable "X": sh is not a valid shell script: 1:1: ` + "`)` can only be used to close a subshell; the numbers are line and column inside the script\n" +
			`T:2:19: task "a": variable "E": sh is not a valid shell script: 1:1: ` + "`if <cond>` must be followed by `then`; the numbers are line and column inside the script\n" +
			`T:2:52: task "a": stop.cmd is not a valid shell script: 1:1: ` + "`}` can only be used to close a block; the numbers are line and column inside the script"},
		{"tasks: {a: {cmds: [{shell: zsh, parallel: ['for x (a b) echo']}, {parallel: [{cmd: 'for x (a b) echo', shell: zsh}]}]}}", ``},
		{"tasks: {a: {generates: [f]}, b: {generates: [f], stdin: {output: a}}}", ``},
		{"tasks: {a: {generates: [f]}, b: {generates: [f], cmds: [{parallel: [{stdin: {output: a}, cmd: x}]}]}}", ``},
	} {
		list := Check(workflow(t, tt.src))
		var got []string
		for _, d := range list.All() {
			s := d.Error()
			if d.Severity == diag.Warning {
				s = "warning: " + s
			}
			got = append(got, s)
		}
		if strings.Join(got, "\n") != tt.want {
			t.Errorf("%s\n got %s\nwant %s", tt.src, strings.Join(got, "\n"), tt.want)
		}
	}
}

func TestLookup(t *testing.T) {
	w := workflow(t, `
tasks:
  a: {aliases: [x, both, 'al-*']}
  b: {aliases: [both]}
  s-*: x
  s-*-*: x
  i.j*: x
  'a[*': x
  build: x
  bridle: {internal: true}
`)
	for _, tt := range []struct{ name, want, match string }{
		{"a", "a", ""},
		{"x", "a", ""},
		{"both", "Found multiple tasks (a, b) that match \"both\"", ""},
		{"al-1", "a", "1"},
		{"al-", "a", ""},
		{"s-*", "s-*", ""},
		{"s-1-2", "s-*", "1-2"},
		{"s-a:b", "s-*", "a:b"},
		{"i.jk", "i.j*", "k"},
		{"i-jk", "i.j*", "k"},
		{"a[q", "a[*", "q"},
		{"xs-1", "Task \"xs-1\" does not exist", ""},
		{"biuld", "Task \"biuld\" does not exist. Did you mean \"build\"?", ""},
		{"BUILD", "Task \"BUILD\" does not exist. Did you mean \"build\"?", ""},
		{"bridl", "Task \"bridl\" does not exist", ""},
		{"", "Task \"\" does not exist", ""},
	} {
		task, match, err := w.Lookup(tt.name)
		got := ""
		switch {
		case err != nil:
			got = err.Error()
		default:
			got = task.Name
		}
		if !strings.HasPrefix(got, tt.want) || strings.Join(match, "|") != tt.match {
			t.Errorf("%s: %s %q, want %s %q", tt.name, got, match, tt.want, tt.match)
		}
	}
}

// TestCheckManyMissing: the number of searches through all names is limited, however many problems
// there are.
func TestCheckManyMissing(t *testing.T) {
	var b strings.Builder
	b.WriteString("version: '3'\ntasks:\n")
	for i := range 500 {
		fmt.Fprintf(&b, "  task%d: [{task: tusk%d}]\n", i, i)
	}
	w := workflow(t, b.String())
	missing, suggested := 0, 0
	problems := Check(w)
	for _, d := range problems.All() {
		missing++
		if d.Fix != "" {
			suggested++
		}
	}
	if missing != 500 || suggested == 0 || suggested > maxSuggested {
		t.Errorf("%d problems, %d of them with a suggestion", missing, suggested)
	}
}

// TestCheckNested: a script that nests too deeply is not even parsed.
func TestCheckNested(t *testing.T) {
	w := workflow(t, "tasks: {a: '"+strings.Repeat("(", limit.Nested+1)+"', b: '"+strings.Repeat("(", limit.Nested/2)+"'}")
	list := Check(w)
	found := list.All()
	if len(found) != 2 || !strings.Contains(found[0].What, "the nesting of") || !strings.Contains(found[1].What, "not a valid shell script") {
		t.Errorf("got %v", found)
	}
}

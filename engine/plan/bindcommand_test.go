package plan

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/weftrun/weft/engine/vars"
	"github.com/weftrun/weft/schema"
)

// stepOf returns the step of the task t in a file, without its needs.
func stepOf(t *testing.T, file string) (*Expander, *Step) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "Taskfile.yml"), []byte("version: '3'\n"+file), 0o644); err != nil {
		t.Fatal(err)
	}
	w, list := schema.Load(t.Context(), schema.LoadOptions{Dir: dir})
	if err := list.Err(); err != nil {
		t.Fatal(err)
	}
	x := NewExpander(Options{Workflow: w, Resolver: vars.New(vars.Options{Workflow: w, UserDir: dir})})
	s, err := x.BindWithoutNeeds(t.Context(), Call{Name: "t"})
	if err != nil {
		t.Fatal(err)
	}
	return x, s
}

// TestLevels: the keys of the file, the task, a group and a command are merged into one value.
func TestLevels(t *testing.T) {
	const all = `
shell: sh
set: [a]
shopt: [b]
vars: {L: left, R: right}
tasks:
  t:
    set: [c]
    shopt: [d]
    stdin: {text: 'of the {{.TASK}}'}
    stdout: {file: '{{.TASK}}.out'}
    accept: [1]
    retry: 2
    idle_timeout: 1s
    leftover: kill
    stop: {cmd: 'stop {{.TASK}}'}
    ignore_error: true
    cmds: [CMD]
  u: {}
`
	for name, tt := range map[string]struct {
		cmd  string
		show func(*Command) any
		want string
	}{
		"options":          {"{cmd: x, set: [e]}", func(c *Command) any { return fmt.Sprint(c.Set, c.Shopt) }, "[a c e] [b d]"},
		"shell of file":    {"x", func(c *Command) any { return c.Interpreter.Name }, "sh"},
		"shell of command": {"{cmd: x, shell: [a, b]}", func(c *Command) any { return c.Interpreter.Argv }, "[a b]"},
		"builtin":          {"{cmd: x, shell: builtin}", func(c *Command) any { return c.Interpreter.Argv }, "[]"},
		"builtin and tty":  {"{cmd: x, shell: builtin, tty: true, stdout: log}", func(c *Command) any { return c.Interpreter.Argv }, "[sh -c]"},
		"stdin of task":    {"x", func(c *Command) any { return *c.Stdin }, "{2 of the t [] false}"},
		"own stdin":        {"{cmd: x, stdin: {text: '{{.L}}'}}", func(c *Command) any { return *c.Stdin }, "{2 left [] true}"},
		"stdout of task":   {"x", func(c *Command) any { return c.Stdout[0].File }, "t.out"},
		"own stdout":       {"{cmd: x, stdout: log}", func(c *Command) any { return c.Stdout[0].Kind == SinkLog }, "true"},
		"errors ignored":   {"x", func(c *Command) any { return c.IgnoreError }, "true"},
		"stop of task":     {"x", func(c *Command) any { return c.Stop.Command }, "stop t"},
		"own stop":         {"{cmd: x, stop: INT}", func(c *Command) any { return c.Stop }, "{interrupt 0s  false}"},
		"stop in a loop":   {"{for: [one], cmd: x, stop: {cmd: 'stop {{.ITEM}}'}}", func(c *Command) any { return c.Stop.Command }, "stop one"},
		"stop of members": {"{parallel: [{cmd: x, stop: {cmd: '{{.L}}'}}, {cmd: x, stop: {cmd: '{{.R}}'}}, x]}", func(c *Command) any {
			return c.Members[0].Stop.Command + " " + c.Members[1].Stop.Command + " " + c.Members[2].Stop.Command
		}, "left right stop t"},
		"streams of a group": {"{parallel: [x]}", func(c *Command) any {
			m := &c.Members[0]
			return fmt.Sprint(c.Stdin != nil, c.Stdout != nil, c.Accept, c.Retry.Max, c.IdleTimeout, m.Stdin, m.Stdout, m.Accept, m.Retry.Max, m.IdleTimeout)
		}, "true true [1] 2 1s <nil> [] [] 0 0s"},
		"policy of a group": {"{parallel: [{cmd: x, set: [f]}], leftover: wait, set: [e]}", func(c *Command) any { return fmt.Sprint(c.Members[0].Leftover, c.Members[0].Set) }, "wait [a c f]"},
		"errors of members": {"{parallel: [x, {cmd: x, ignore_error: true}]}", func(c *Command) any { return fmt.Sprint(c.Members[0].IgnoreError, c.Members[1].IgnoreError) }, "false true"},
		"empty members":     {"{parallel: [x, '{{.NONE}}']}", func(c *Command) any { return len(c.Members) }, "1"},
		"call":              {"{task: u, vars: {A: '{{.L}}'}}", func(c *Command) any { return fmt.Sprintf("%t %s %v", c.Kind == TaskCall, c.Text, c.Vars[0].Value) }, "true u left"},
		"deferred":          {"{defer: 'echo {{.EXIT_CODE}}{{.L}}'}", func(c *Command) any { return fmt.Sprintf("%t %s %s", c.Defer, c.Text, c.Stdout[0].File) }, "true echo {{.EXIT_CODE}}{{.L}} {{.TASK}}.out"},
	} {
		t.Run(name, func(t *testing.T) {
			_, s := stepOf(t, strings.Replace(all, "CMD", tt.cmd, 1))
			for _, c := range s.Commands() {
				if got := fmt.Sprint(tt.show(c)); got != tt.want {
					t.Errorf("%s, want %s", got, tt.want)
				}
			}
		})
	}
}

// TestBindDeferred: a deferred command is bound when it is reached, with all keys of its task;
// texts that cannot be bound then stay as they are written.
func TestBindDeferred(t *testing.T) {
	for name, tt := range map[string]struct{ task, code, want string }{
		"success": {"vars: {A: a}, cmds: [{defer: 'echo {{.A}} {{.EXIT_CODE}}'}]", "", "echo a  "},
		"failure": {"vars: {A: a}, cmds: [{defer: 'echo {{.A}} {{.EXIT_CODE}}'}]", "3", "echo a 3 "},
		"streams": {"stdout: {file: '{{.TASK}}'}, cmds: [{defer: x}]", "", "x t"},
		"broken":  {"cmds: [{defer: 'echo {{index .A 1}}'}]", "", "echo {{index .A 1}} "},
		"static":  {"cmds: [{defer: x}]", "3", "x "},
	} {
		t.Run(name, func(t *testing.T) {
			_, s := stepOf(t, "tasks:\n  t: {"+tt.task+"}\n")
			for _, c := range s.Commands() {
				c, err := s.BindDeferred(context.Background(), c, tt.code)
				if err != nil {
					t.Fatal(err)
				}
				got := c.Text + " "
				for _, sink := range c.Stdout {
					got += sink.File
				}
				if got != tt.want {
					t.Errorf("%q, want %q", got, tt.want)
				}
			}
		})
	}
}

// TestShared: a task without templates has its commands made once, and those without keys about
// their processes share one Process.
func TestShared(t *testing.T) {
	x, s := stepOf(t, "tasks:\n  t: {cmds: [a, {cmd: b}, {cmd: c, set: [e]}]}\n  u: {cmds: [x]}\n")
	again, err := x.BindWithoutNeeds(t.Context(), Call{Name: "t"})
	if err != nil {
		t.Fatal(err)
	}
	other, err := x.BindWithoutNeeds(t.Context(), Call{Name: "u"})
	if err != nil {
		t.Fatal(err)
	}
	list := func(s *Step) (all []*Command) {
		for _, c := range s.Commands() {
			all = append(all, c)
		}
		return all
	}
	first := list(s)
	if !slices.Equal(first, list(again)) {
		t.Error("another step of the task has other commands")
	}
	if first[0].Process != first[1].Process || first[0].Process != list(other)[0].Process || first[0].Process == first[2].Process {
		t.Error("commands share what they should not, or do not share what they should")
	}
}

package schema

import (
	"slices"
	"strings"
	"testing"

	"github.com/weftrun/weft/schema/diag"
)

// TestNames: the lists of names are those of the tables.
func TestNames(t *testing.T) {
	var commands, tasks []string
	for i := range commandKeys {
		commands = append(commands, commandKeys[i].name)
	}
	for i := range taskKeys {
		tasks = append(tasks, taskKeys[i].name)
	}
	if !slices.Equal(commands, commandNames) || !slices.Equal(tasks, taskNames) {
		t.Errorf("keys of commands: %q\nkeys of tasks: %q", commands, tasks)
	}
}

// problems decodes a file and returns all problems that --check would report.
func problems(src string) []*diag.Diagnostic {
	doc, list := decodeFile(&diag.File{Path: "T", Source: src})
	return append(list.All(), doc.shadowed...)
}

// TestMistakes: each mistake gets its own message, and the advised line has no problem.
func TestMistakes(t *testing.T) {
	const (
		item = "version: '3'\ntasks:\n  a:\n    desc: x\n    cmds:\n      - echo one\n      LINE\n      - echo two\n"
		key  = "version: '3'\ntasks:\n  a:\n    LINE\n    cmds: [echo]\n"
		vars = "version: '3'\nvars:\n  Y: 1\n  LINE\n  Z: 2\ntasks: {a: echo}\n"
	)
	for _, tt := range []struct{ file, line, what, fix string }{
		{item, "- ! grep x f", `the "!" before "grep x f" is dropped`, "- '! grep x f'"},
		{item, "- !grep x f", `the "!grep" before "x f" is dropped`, "- '!grep x f'"},
		{item, `- ! "test x"`, `the "!" before "test x" is dropped`, "- '! test x'"},
		{item, "- {cmd: ! 'test x', silent: true}", `the "!" before "test x" is dropped`, "- {cmd: '! test x', silent: true}"},
		{item, "- cmd: ! x", `the "!" before "x" is dropped`, "- cmd: '! x'"},
		{item, "- {{.X}} foo", `begins with "{{"`, "- '{{.X}} foo'"},
		{item, "- {{.X}}", `begins with "{{"`, "- '{{.X}}'"},
		{item, "- {{.X}} foo # why", `begins with "{{"`, "- '{{.X}} foo' # why"},
		{item, "- cmd: {{.X}} foo", `begins with "{{"`, "- cmd: '{{.X}} foo'"},
		{item, "- task: {{.X}}", `begins with "{{"`, "- task: '{{.X}}'"},
		{item, "- {cmd: {{.X}}, silent: true}", `begins with "{{"`, "- {cmd: '{{.X}}', silent: true}"},
		{item, "- **/*.go", `begins with "*"`, "- '**/*.go'"},
		{item, "- *.go", `begins with "*"`, "- '*.go'"},
		{item, "- *foo*", `begins with "*"`, "- '*foo*'"},
		{item, "- @foo", `begins with "@"`, "- '@foo'"},
		{item, "-echo two", "a dash without a space", "- echo two"},
		{item, "- echo 'x: y' # c: d", `contains ": "`, "- 'echo ''x: y''' # c: d"},
		{item, "- echo done:", `contains ": "`, "- 'echo done:'"},
		{item, "- echo: x", `unknown key "echo" in command, and nothing to run`, ""},
		{item, "- {comd: x}", `unknown key "comd" in command, and nothing to run`, ""},
		{key, `status: ["{{.X}}" y, 'z']`, "follows the closing quote", `status: ['"{{.X}}" y', 'z']`},
		{item, "- `x` y", "begins with \"`\"", "- '`x` y'"},
		{item, "- %x", `begins with "%"`, "- '%x'"},
		{item, "- && x", `begins with "&"`, "- '&& x'"},
		{item, "- [ -f x ] || echo", `begins with "["`, "- '[ -f x ] || echo'"},
		{item, "- { echo a; }", `begins with "{"`, "- '{ echo a; }'"},
		{item, "- | foo", `begins with "|"`, "- '| foo'"},
		{item, "- > out echo", `begins with ">"`, "- '> out echo'"},
		{item, `- "foo" bar`, "follows the closing quote", `- '"foo" bar'`},
		{item, "- 'it''s' x", "follows the closing quote", "- '''it''''s'' x'"},
		{item, "- echo a: b", `contains ": "`, "- 'echo a: b'"},
		{item, `- echo "a: b" c: d`, `contains ": "`, `- 'echo "a: b" c: d'`},
		{item, "- cmd: echo a: b", `contains ": "`, "- cmd: 'echo a: b'"},
		{item, "- echo {{.X}}: foo", `contains ": "`, "- 'echo {{.X}}: foo'"},
		{item, `- grep "\d" f`, "", ""},
		{item, `- "grep \d f"`, `is not a valid escape in double quotes`, `- 'grep \d f'`},
		{item, "- cmd:echo hi", `the text "cmd:echo hi" is a command`, "cmd: echo hi"},
		{item, "-\u00a0echo", "a non-breaking space (U+00A0)", "- echo"},
		{item, "- “echo a”", "the quotes of “echo a” are part of the text", "echo a"},
		{item, "- echo “a b” 'x: y'", `contains ": "`, "- 'echo “a b” ''x: y'''"},
		{item, "- curl http://x:80/*.go @y ! %z “a”", "", ""},
		{item, "-\techo", "a tab after the dash", ""},
		{key, "sources: {{.X}}", `begins with "{{"`, "sources: ['{{.X}}']"},
		{key, "sources: **/*.go", `begins with "*"`, "sources: ['**/*.go']"},
		{key, "sources: ['a', {{.X}}/b]", `begins with "{{"`, "sources: ['a', '{{.X}}/b']"},
		{key, "sources: [*.go, b]", `begins with "*"`, "sources: ['*.go', b]"},
		{key, "status: [test -f {{.X}}]", `"test -f {{.X}}" between brackets`, "status: ['test -f {{.X}}']"},
		{key, "status: [! test -f x]", `the "!" before "test -f x"`, "status: ['! test -f x']"},
		{key, "env: {A: {{.B}}, C: d}", `begins with "{{"`, "env: {A: '{{.B}}', C: d}"},
		{key, "dir: {{.X}}/y", `begins with "{{"`, "dir: '{{.X}}/y'"},
		{key, "desc: foo: bar", `contains ": "`, "desc: 'foo: bar'"},
		{key, "desc: “fancy”", "", ""},
		{key, "desc:foo", "a colon without a space", "desc: foo"},
		{key, "if: ! x", `the "!" before "x"`, "if: '! x'"},
		{key, "\u00a0 dir: x", "a non-breaking space (U+00A0)", ""},
		{key, "\tdir: x", "a tab", ""},
		{vars, "A: {{.B}}", `begins with "{{"`, "A: '{{.B}}'"},
		{vars, "A: {{.B}}/x", `begins with "{{"`, "A: '{{.B}}/x'"},
		{vars, "A: {sh: {{.B}}}", `begins with "{{"`, "A: {sh: '{{.B}}'}"},
		{vars, "A: ! x", `the "!" before "x"`, "A: '! x'"},
		{vars, "A: a: b", `contains ": "`, "A: 'a: b'"},
		{vars, "A:x", "a colon without a space", "A: x"},
		{vars, "A: “x”", "the quotes of “x”", "x"},
		{vars, "A: {map: {a: [b, {c: d}]}}", "", ""},
		{vars, "\u00a0A: 1", "a non-breaking space (U+00A0)", "A: 1"},
	} {
		found := problems(strings.Replace(tt.file, "LINE", tt.line, 1))
		if tt.what == "" {
			if len(found) != 0 {
				t.Errorf("%s\n\tgot %v", tt.line, found[0])
			}
			continue
		}
		if len(found) != 1 || !strings.Contains(found[0].What, tt.what) || tt.fix != "" && found[0].Fix != "write "+tt.fix {
			t.Errorf("%s\n\tgot  %v\n\twant %s; write %s", tt.line, found, tt.what, tt.fix)
			continue
		}
		if line := strings.Count(tt.file[:strings.Index(tt.file, "LINE")], "\n") + 1; int(found[0].Pos.Line) != line {
			t.Errorf("%s: line %d, want %d", tt.line, found[0].Pos.Line, line)
		}
		if tt.fix == "" {
			continue
		}
		fixed := tt.fix
		switch {
		case tt.file == item && !strings.HasPrefix(fixed, "- "):
			fixed = "- " + fixed
		case tt.file == vars && !strings.HasPrefix(fixed, "A: "):
			fixed = "A: " + fixed
		}
		if left := problems(strings.Replace(tt.file, "LINE", fixed, 1)); len(left) != 0 {
			t.Errorf("%s\n\tadvised %s\n\twhich has %v", tt.line, fixed, left)
		}
	}
	for src, want := range map[string]string{
		"version:'3'\ntasks:\n  a: echo\n":                              "T:1:8: a colon without a space after it; YAML parses it not as a key, but as part of the text; write version: '3'",
		"version: '3'\ntasks:\n  a:echo\n":                              "T:3:3: tasks: expected a map of tasks, found the text \"a:echo\"; write a: echo",
		"version: '3'\ntasks:\n  a:\n    cmds:[echo]\n":                 "T:4:5: task \"a\": the text \"cmds:[echo]\" is a command; a key needs a space after its colon; write cmds: [echo]",
		"version: '3'\ntasks:\n  a:\n  \u00a0 cmds: [echo]\n":           "T:4:3: a non-breaking space (U+00A0) instead of a space; YAML treats it as a letter; write cmds: [echo]",
		"version: '3'\ntasks:\n  a:\n    cmds:\n      - |\n      x\n":   "T:6:7: not valid YAML: could not find expected ':'; indent the text of the block more than the line above",
		"version: '3'\ntasks:\n  a:\n    cmds:\n      - x\n\t  - x\n":   "T:6:1: a tab in the indentation; indent with spaces; YAML allows no tabs there",
		"version: '3'\nx-a: &x {silent: true}\ntasks:\n  a: *y\n":       "T:4:6: not valid YAML: unknown anchor 'y' referenced; define the anchor with \"&\" before it is used, or quote the text that begins with \"*\"",
		"version: '3'\ntasks:\n  a:\n    - |\n      ! x: *.go {{.X}}\n": "",
	} {
		got := ""
		if found := problems(src); len(found) > 0 {
			got = found[0].Error()
		}
		if got != want {
			t.Errorf("%q\n\tgot  %s\n\twant %s", src, got, want)
		}
	}
}

package vars_test

import (
	"os"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
)

// TestReferenceErrors is TestReference for failures: the Taskfile, the content of a file "e" beside
// it, and the reference's error. Errors in dotenv files are worded differently: see
// TestParseDotenv.
func TestReferenceErrors(t *testing.T) {
	for _, c := range [...]struct{ name, taskfile, e, want string }{
		{"arg", "vars: {X: \"{{.A.b | fail}}\"}\ntasks: {default: [\"echo {{.X}}\"]}", "", `template: :1:9: executing "" at <fail>: invalid value; expected string`},
		{"callref", "tasks: {default: [{task: b, vars: {Y: {ref: \"fail `a`\"}}}], b: \"echo\"}", "", "template: resolver:1:2: executing \"resolver\" at <fail `a`>: error calling fail: a"},
		{"calltext", "tasks: {default: [{task: b, vars: {Y: \"{{fail `a`}}\"}}], b: \"echo\"}", "", "template: :1:2: executing \"\" at <fail `a`>: error calling fail: a"},
		{"chdir", `tasks: {default: {dir: nope, vars: {X: {sh: "/bin/pwd"}}, cmds: ["echo {{.X}}"]}}`, "", `Command "/bin/pwd" failed: chdir ROOT/nope: no such file or directory`},
		{"dir", "tasks: {default: {dir: \"{{fail `x`}}\", cmds: [echo]}}", "", "template: :1:2: executing \"\" at <fail `x`>: error calling fail: x"},
		{"dirparam", `tasks: {default: {dir: "a${HOME", cmds: [echo]}}`, "", "1:2: reached EOF without matching `${` with `}`"},
		{"dirsub", `tasks: {default: {dir: "a$(echo hi)", cmds: [echo]}}`, "", `unexpected command substitution at 1:2`},
		{"div", `tasks: {default: ["echo {{div 1 0}}"]}`, "", `template: :1:7: executing "" at <div 1 0>: error calling div: runtime error: integer divide by zero`},
		{"dotenvdir", `tasks: {default: {dotenv: ["{{.NO}}"], cmds: [echo]}}`, "", `read ROOT: is a directory`},
		{"dotenvtext", "tasks: {default: {dotenv: [\"{{fail `x`}}\"], cmds: [echo]}}", "", "template: :1:2: executing \"\" at <fail `x`>: error calling fail: x"},
		{"envsh", `tasks: {default: {env: {X: {sh: "exit 4"}}, cmds: [echo]}}`, "", `Command "exit 4" failed: exit status 4`},
		{"envtext", "tasks: {default: {env: {X: \"{{fail `e`}}\"}, cmds: [echo]}}", "", "template: :1:2: executing \"\" at <fail `e`>: error calling fail: e"},
		{"exit", "vars: {X: {sh: \"exit 3\"}}\ntasks: {default: [\"echo {{.X}}\"]}", "", `Command "exit 3" failed: exit status 3`},
		{"field", "vars: {X: s}\ntasks: {default: [\"echo {{.X.b}}\"]}", "", `template: :1:9: executing "" at <.X.b>: can't evaluate field b in type interface {}`},
		{"function", `tasks: {default: ["echo {{foo}}"]}`, "", `template: :1: function "foo" not defined`},
		{"index", `tasks: {default: ["echo {{index (list 1) 5}}"]}`, "", `template: :1:7: executing "" at <index (list 1) 5>: error calling index: index out of range: 5`},
		{"multiline", "tasks:\n  default:\n    - |\n      echo a\n      echo {{fail \"x\"}}", "", `template: :2:7: executing "" at <fail "x">: error calling fail: x`},
		{"nilfirst", `tasks: {default: ["echo {{first .X}}"]}`, "", `template: :1:7: executing "" at <first .X>: error calling first: runtime error: invalid memory address or nil pointer dereference`},
		{"nullfield", "vars: {X: null}\ntasks: {default: [\"echo {{.X.b}}\"]}", "", `template: :1:9: executing "" at <.X.b>: nil pointer evaluating interface {}.b`},
		{"panic", "tasks: {default: [\"echo {{repeat -1 `a`}}\"]}", "", "template: :1:7: executing \"\" at <repeat -1 `a`>: error calling repeat: strings: negative Repeat count"},
		{"quote", `tasks: {default: ["echo {{q 1}}"]}`, "", `template: :1:9: executing "" at <1>: expected string; found 1`},
		{"randint", `tasks: {default: ["echo {{randIntN 0}}"]}`, "", `template: :1:7: executing "" at <randIntN 0>: error calling randIntN: invalid argument to IntN`},
		{"ref", "vars: {X: {ref: \"index .A 0\"}}\ntasks: {default: [\"echo {{.X}}\"]}", "", `template: resolver:1:2: executing "resolver" at <index .A 0>: error calling index: index of untyped nil`},
		{"refnil", "vars: {X: {ref: \"nil\"}}\ntasks: {default: [\"echo {{.X}}\"]}", "", `template: resolver:1:2: executing "resolver" at <nil>: nil is not a command`},
		{"refnodes", "vars: {X: {ref: \"1}}x{{2\"}}\ntasks: {default: [\"echo {{.X}}\"]}", "", `template: resolver:1:0: executing "resolver" at <{{1}}x{{2}}>: template can only contain one action node when resolving a value`},
		{"refparse", "vars: {X: {ref: \".A (\"}}\ntasks: {default: [\"echo {{.X}}\"]}", "", `template: resolver:1: unclosed left paren`},
		{"rootdotenvsh", "dotenv: [\"{{.X}}\"]\nvars: {X: {sh: \"exit 3\"}}\ntasks: {default: {cmds: [echo]}}", "", `Command "exit 3" failed: exit status 3`},
		{"splitargs", "tasks: {default: [\"echo {{splitArgs `a|b`}}\"]}", "", "template: :1:7: executing \"\" at <splitArgs `a|b`>: error calling splitArgs: 1:2: `|` is not a valid word"},
		{"template", "tasks: {default: [\"echo {{template `x`}}\"]}", "", `template: :1:16: executing "" at <{{template "x"}}>: template "x" not defined`},
		{"unclosed", `tasks: {default: ["echo {{.X"]}`, "", `template: :1: unclosed action`},
		{"yaml", "tasks: {default: [\"echo {{mustFromYaml `a: [`}}\"]}", "", "template: :1:7: executing \"\" at <mustFromYaml `a: [`>: error calling mustFromYaml: yaml: line 1: did not find expected node content"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := unpack(t, &txtar.Archive{Files: []txtar.File{
				{Name: "Taskfile.yml", Data: []byte("version: '3'\n" + c.taskfile)}, {Name: "e", Data: []byte(c.e)}, {Name: "want", Data: []byte(c.want)},
			}})
			if got := r.run(t); got != r.want {
				t.Errorf("got\n%s\nwant\n%s", got, r.want)
			}
			if bin := os.Getenv("WEFT_REFERENCE"); bin != "" {
				if got := r.reference(bin); strings.TrimSpace(got) != r.want {
					t.Errorf("the reference says\n%s\nrecorded is\n%s", got, r.want)
				}
			}
		})
	}
}

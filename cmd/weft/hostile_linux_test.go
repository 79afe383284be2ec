package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/weftrun/weft/engine/event"
)

// atoms are the parts of hostile names: control sequences, marks of direction, line ends, and texts
// with a meaning for readers of an output.
var atoms = []string{
	"\x1b[2J", "\x1b]0;title\a", "\x1bP", "\b\b\b", "\r", "\f", "\v", "\x7f", "\u0085", "\u009b31m", "\u009d0;t\u009c",
	"\u202e", "\u202a", "\u2066", "\u2069", "\u200e", "\u200f", "\u061c", "\u2028", "\u2029", "\nFORGED", "\r\nFORGED",
	"a", "build", " ", "'", "\"", "\\", "$(touch forged)", "`touch forged`", "::error::", "%0A", "{", "]", "#", "%%{init}%%", "ä", "日本", "🙂", "\t",
}

// hostileNames are the texts of one try.
type hostileNames struct {
	name string // for one line
	text string // for places that allow several lines: without line breaks
	file string // of a file
}

func newHostileNames(r *rand.Rand) hostileNames {
	var b strings.Builder
	b.WriteString("n")
	for range 4 + r.IntN(8) {
		b.WriteString(atoms[r.IntN(len(atoms))])
	}
	b.WriteString("\x1b[7m\u009bz\u202e\nFORGED")
	name := b.String()
	return hostileNames{name, strings.NewReplacer("\n", "", "\r", "").Replace(name), strings.ReplaceAll(name, "/", "")}
}

// taskfile is one with the names in every place that has a text.
func (h hostileNames) taskfile() string {
	type m = map[string]any
	type l = []any
	after := func(cmd string) string { return cmd + "; : " + quote(h.text) } // a command that shows the text
	task := func(key string, value any, more ...any) m {
		t := m{"label": h.name, "prefix": h.name, "desc": h.text, key: value}
		for i := 0; i < len(more); i += 2 {
			t[more[i].(string)] = more[i+1]
		}
		if key != "cmds" && t["cmds"] == nil {
			t["cmds"] = l{"true"}
		}
		return t
	}
	tasks := m{
		h.name:         task("cmds", l{after(":"), m{"cmd": "true", "if": "false"}}, "aliases", l{h.name + "alias"}, "summary", h.text),
		"fail":         task("cmds", l{after("echo output; exit 3")}),
		"failing":      task("deps", l{"retried"}),
		"retried":      task("cmds", l{m{"cmd": after("exit 1"), "retry": m{"max": 2, "delay": "1ms"}}}),
		"precondition": task("preconditions", l{m{"sh": after("exit 1"), "msg": h.text}}),
		"status":       task("status", l{after("true")}),
		"unmet":        task("status", l{after("exit 1")}),
		"fresh":        task("sources", l{h.file}),
		"unmatched":    task("sources", l{h.name + "*", h.file}, "generates", l{h.name}),
		"prompt":       task("prompt", h.text),
		"requires":     task("requires", m{"vars": l{h.name + "unset"}}),
		"enum":         task("requires", m{"vars": l{m{"name": "W", "enum": l{h.name}}}}),
		"missing":      task("deps", l{h.name + "x"}),
		"called":       task("cmds", l{m{"task": h.name + "x"}}),
		"cycle":        task("deps", l{h.name + "2"}),
		h.name + "2":   task("deps", l{"cycle"}),
		"wrongdir":     task("dir", h.file),
		"loop":         task("cmds", l{m{"for": m{"var": "V", "split": h.name}, "cmd": after(": {{.ITEM}}")}}),
		"platform":     task("platforms", l{"windows"}),
		"if":           task("if", after("exit 1")),
		"deferred":     task("cmds", l{m{"defer": after("exit 1")}, "true"}),
		"ignored":      task("cmds", l{after("exit 1")}, "ignore_error", true),
		"template":     task("cmds", l{"{{fail " + strconv.Quote(h.text) + "}}"}),
		"variable":     task("cmds", l{": {{.X}}"}, "vars", m{"X": m{"sh": after("exit 1")}}),
		"program":      task("cmds", l{m{"exec": l{h.text}}}),
		"noexec":       task("cmds", l{m{"exec": l{"./" + h.file}, "accept": l{126}}, m{"exec": l{"./" + h.file + "exec"}, "accept": l{126}}, quote("./" + h.file)}),
		"timeout":      task("cmds", l{m{"cmd": after("sleep 60"), "timeout": "1ms"}}),
		"left":         task("cmds", l{"sh -c './$(printf \"\\033[7m\\342\\200\\256\") 60 >/dev/null 2>&1 & sleep 0.2'"}),
		"dotenv":       task("dotenv", l{"env\x1b"}),
		"twice":        task("deps", l{h.name, h.name}, "run", "once"),
	}
	return inASCII(m{"version": "3", "vars": m{"V": m{"sh": "echo v"}, h.name: h.text}, "env": m{"E": h.text}, "tasks": tasks})
}

// inASCII is v in JSON, and so in YAML, with nothing but ASCII.
func inASCII(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	var b strings.Builder
	for _, r := range string(text) {
		switch {
		case r > 0xffff:
			b.WriteRune(r)
		case r >= 0x7f:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// hostileOutputs are command lines that show names: NAME, or FILE that of a file, or TEXT
// where several lines are allowed.
const hostileOutputs = `
-l
-a
-a -s
-a --json --no-status
-a --json --nested --no-status
-l --sort NAME
--summary NAME fail enum requires missing
--status unmet
--status NAME
--graph NAME failing
--graph=dot NAME failing
--graph=mermaid NAME failing
--graph=json NAME failing
--graph=NAME
--why NAME unmet fresh unmatched
--why --json unmet fresh unmatched
--check
--events - NAME
NAME
-v NAME
-n NAME
-o group NAME
-o prefixed -v NAME
-o NAME
fail
-o group --output-group-begin TEXT --output-group-end TEXT -v fail
-o prefixed fail
-x failing
-v precondition
-v status
-v fresh
unmatched
prompt
-y prompt
requires
enum W=NAME
missing
called
cycle
wrongdir
-v loop
-v platform
-v if
-v deferred
-v ignored
template
-v variable
program
noexec
timeout
left
dotenv
-v twice
--record --events FILErun -v fail
NAMEx
fail A=NAME -- NAME
-t NAME
-d NAME
--NAME
-t broken.yml
-t broken.yml --check
-t unknown.yml a
-t unknown.yml --check
-t include.yml -a
-t included.yml -a
-t dotenv.yml a
--completion NAME
__complete
--stop NAME
--events NAME/x NAME
-i NAME/x
-i NAMEnew
--replay NAME
--replay FILErun
--replay FILErun -v -o group
--replay FILErun -v -o prefixed
--replay FILEcut -v
--replay FILEbad
`

// TestHostileNames: for any texts from outside, weft's own output contains no control character of
// them, and no line that begins with a name. WEFT_HOSTILE is the number of sets of names; one by
// default. A failure names its seed.
func TestHostileNames(t *testing.T) {
	n, _ := strconv.Atoi(os.Getenv("WEFT_HOSTILE"))
	for seed := range max(n, 1) {
		t.Run(strconv.Itoa(seed), func(t *testing.T) {
			t.Parallel()
			tryHostileNames(t, newHostileNames(rand.New(rand.NewPCG(uint64(seed), 1))))
		})
	}
}

func tryHostileNames(t *testing.T, h hostileNames) {
	dir := t.TempDir()
	put := func(name, text string, mode os.FileMode) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), mode); err != nil {
			t.Fatal(err)
		}
	}
	sleep, err := exec.LookPath("sleep")
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.ReadFile(sleep)
	if err != nil {
		t.Fatal(err)
	}
	type m = map[string]any
	put("\x1b[7m\u202e", string(program), 0o755)
	put("Taskfile.yml", h.taskfile(), 0o644)
	put(h.file, "", 0o644)
	put(h.file+"exec", "\x00\x01", 0o755)
	put(h.file+"\x9b", "", 0o644)
	put("env\x1b", "A=1\n\x1b[2J B\u202e C\n", 0o644)
	run := inASCII(m{"event": "run_started", "time": "2026-01-01T00:00:00Z", "version": event.Version}) + "\n" +
		inASCII(m{"event": "step_started", "time": "2026-01-01T00:00:00Z", "step": 1, "task": h.name}) + "\n" +
		inASCII(m{"event": "command_started", "time": "2026-01-01T00:00:00Z", "step": 1, "command": 0, "text": h.text}) + "\n"
	put(h.file+"cut", run, 0o644)
	put(h.file+"bad", run+inASCII(m{"event": "output", "time": "2026-01-01T00:00:00Z", "step": 1, "command": 0, "stream": h.name, "data": ""})+"\n", 0o644)
	put("broken.yml", "version: '3'\ntasks:\n  a: {cmds: [x], # \u202e\u009b\n  b: c\n", 0o644)
	put("unknown.yml", inASCII(m{"version": "3", h.text: 1, "tasks": m{"a": m{h.text: 2, "deps": []any{h.name}}}})+" # \u202e\u2028\n", 0o644)
	put("include.yml", inASCII(m{"version": "3", "includes": m{h.text: "./" + h.text + "/none.yml"}}), 0o644)
	put("included.yml", inASCII(m{"version": "3", "includes": m{h.name: "Taskfile.yml"}}), 0o644)
	put("dotenv.yml", inASCII(m{"version": "3", "dotenv": []any{"env\x1b"}, "tasks": m{"a": "true"}}), 0o644)
	for _, program := range [...]string{"weft", "task"} {
		for line := range strings.Lines(hostileOutputs) {
			args := strings.Fields(line)
			for i, arg := range args {
				args[i] = strings.NewReplacer("NAME", h.name, "FILE", h.file, "TEXT", h.text).Replace(arg)
			}
			tryHostileOutput(t, exec.Command(program, args...), dir)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "forged")); err == nil {
		t.Error("a name was run as a command")
	}
}

// ownColor are the sequences that weft writes before and after its messages; no name contains
// these.
var ownColor = regexp.MustCompile("\x1b\\[(0|[39][0-7])m")

// tryHostileOutput runs cmd as in a CI system, the drop-in in colour, and checks its output.
func tryHostileOutput(t *testing.T, cmd *exec.Cmd, dir string) {
	t.Helper()
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GITHUB_ACTIONS=true")
	if cmd.Args[0] == "task" {
		cmd.Env = append(cmd.Env, "FORCE_COLOR=1")
	}
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	for _, shown := range [...]string{out.String(), errs.String()} {
		shown = ownColor.ReplaceAllString(shown, "")
		if at := strings.IndexFunc(shown, obeyed); at >= 0 || !utf8.ValidString(shown) {
			t.Errorf("%q shows what a terminal obeys: %q", cmd.Args, shown)
		}
		if strings.Contains(shown, "\nFORGED") {
			t.Errorf("%q: a name begins a line: %q", cmd.Args, shown)
		}
	}
}

// obeyed reports whether r controls a terminal, or changes the order of shown text.
func obeyed(r rune) bool {
	return r < ' ' && r != '\n' && r != '\t' || r >= 0x7f && r <= 0x9f || r == 0x61c || r == 0x200e || r == 0x200f ||
		r >= 0x2028 && r <= 0x202e || r >= 0x2066 && r <= 0x2069
}

package executor

import (
	"bytes"
	"reflect"
	"testing"

	"github.com/weftrun/weft/engine/fingerprint/state"
	"github.com/weftrun/weft/engine/plan"
	"github.com/weftrun/weft/internal/statefile"
)

// TestSecretsInKeys: a secret is represented in a key by its name, not its value, in every text
// that names it; computed texts are searched for its value. The values are "hunter2" and "hunter3".
func TestSecretsInKeys(t *testing.T) {
	const twoVars = "vars: {V: {value: hunter2, secret: true}, W: {value: hunter2, secret: true}}, "
	for name, tt := range map[string]struct {
		a, b string // tasks
		same bool
		told bool // the value is in the messages
	}{
		"command":  {"cmds: ['echo {{.V}}'], vars: {V: {value: hunter2, secret: true}}", "cmds: ['echo {{.V}}'], vars: {V: {value: hunter3, secret: true}}", true, false},
		"exec":     {"exec: [echo, '{{.V}}'], vars: {V: {value: hunter2, secret: true}}", "exec: [echo, '{{.V}}'], vars: {V: {value: hunter3, secret: true}}", true, false},
		"member":   {"cmds: [{pipe: ['echo {{.V}}', cat]}], vars: {V: {value: hunter2, secret: true}}", "cmds: [{pipe: ['echo {{.V}}', cat]}], vars: {V: {value: hunter3, secret: true}}", true, false},
		"stdin":    {"cmds: [{cmd: cat, stdin: {text: '{{.V}}'}}], vars: {V: {value: hunter2, secret: true}}", "cmds: [{cmd: cat, stdin: {text: '{{.V}}'}}], vars: {V: {value: hunter3, secret: true}}", true, false},
		"deferred": {"cmds: [{defer: 'echo {{.V}}'}], vars: {V: {value: hunter2, secret: true}}", "cmds: [{defer: 'echo {{.V}}'}], vars: {V: {value: hunter3, secret: true}}", true, false},
		"loop":     {"cmds: [{cmd: 'echo {{.V}} {{.ITEM}}', for: [1, 2]}], vars: {V: {value: hunter2, secret: true}}", "cmds: [{cmd: 'echo {{.V}} {{.ITEM}}', for: [1, 2]}], vars: {V: {value: hunter3, secret: true}}", true, false},
		"env":      {"cmds: [x], env: {V: {value: hunter2, secret: true}}", "cmds: [x], env: {V: {value: hunter3, secret: true}}", true, false},
		"key":      {"cmds: [x], generates: [], cache: {key: ['{{.V}}']}, vars: {V: {value: hunter2, secret: true}}", "cmds: [x], generates: [], cache: {key: ['{{.V}}']}, vars: {V: {value: hunter3, secret: true}}", true, false},
		"which":    {twoVars + "cmds: ['echo {{.V}} {{.W}}']", twoVars + "cmds: ['echo {{.W}} {{.V}}']", false, false},
		"no name":  {"cmds: ['echo {{.V}}'], vars: {V: {value: hunter2, secret: true}}", "cmds: [echo], vars: {V: {value: hunter2, secret: true}}", false, false},
		"computed": {"cmds: ['echo {{.W}}'], vars: {V: {value: hunter2, secret: true}, W: 'x{{.V}}'}", "cmds: ['echo {{.W}}'], vars: {V: {value: hunter3, secret: true}, W: 'x{{.V}}'}", false, true},
		"output of a command": {"cmds: [x], generates: [], cache: {key: [{sh: 'echo {{.V}}'}]}, vars: {V: {value: hunter2, secret: true}}",
			"cmds: [x], generates: [], cache: {key: [{sh: 'echo {{.V}}'}]}, vars: {V: {value: hunter3, secret: true}}", false, true},
	} {
		t.Run(name, func(t *testing.T) {
			store := state.Open(statefile.Place{Base: t.TempDir(), Path: ".weft"}, state.Options{})
			defer store.Close()
			dir := t.TempDir()
			_, _, a := check(t, store, dir, taskfile("task.cmds", tt.a))
			_, _, b := check(t, store, dir, taskfile("task.cmds", tt.b))
			if same := a.Action == b.Action; same != tt.same {
				t.Errorf("the same key: %v", same)
			}
			if told := bytes.Contains(bytes.Join(a.Messages, nil), []byte("hunter2")); told != tt.told {
				t.Errorf("the value is in the messages: %v", told)
			}
		})
	}
}

// TestDeferredInKeys: the text of a deferred command is part of the key, although it is bound late.
func TestDeferredInKeys(t *testing.T) {
	store := state.Open(statefile.Place{Base: t.TempDir(), Path: ".weft"}, state.Options{})
	defer store.Close()
	dir := t.TempDir()
	_, _, a := check(t, store, dir, taskfile("task.cmds", "cmds: [{defer: 'echo {{.V}} {{.EXIT_CODE}}'}], vars: {V: 1}"))
	_, _, b := check(t, store, dir, taskfile("task.cmds", "cmds: [{defer: 'echo {{.V}} {{.EXIT_CODE}}'}], vars: {V: 2}"))
	if a.Action == b.Action {
		t.Error("another value of a variable makes the same key")
	}
}

func TestFromRoot(t *testing.T) {
	t.Setenv("WEFT_TEST_OUT", "out")
	l := fresh{root: "/w"}
	for _, tt := range []struct{ dir, pattern, want string }{
		{"", "out/*", "out/*"},
		{"sub", "out/**/*", "sub/out/**/*"},
		{"sub", "/w/out/*", "out/*"},
		{"sub", "/elsewhere/*", "/elsewhere/*"},
		{"sub", "../out", "sub/../out"},
		{"", "$WEFT_TEST_OUT/x", "out/x"},
	} {
		if got := l.fromRoot(tt.dir, tt.pattern); got != tt.want {
			t.Errorf("%s in %q: got %s, want %s", tt.pattern, tt.dir, got, tt.want)
		}
	}
}

func TestEmptyDirs(t *testing.T) {
	sources := func(patterns ...string) (gs []plan.Glob) {
		for _, p := range patterns {
			gs = append(gs, plan.Glob{Pattern: p})
		}
		return append(gs, plan.Glob{Pattern: "not/", Exclude: true})
	}
	for _, tt := range []struct {
		dir     string
		sources []plan.Glob
		want    []string
	}{
		{"", sources("a", "b/*"), nil},
		{"sub", sources("a/", "*/", "/abs/", "../up/", "../../out/", "./"), []string{"sub", "sub/a", "up", "sub"}},
		{"../x", sources("a/"), nil},
		{"", sources("./", "a//b/"), []string{"a/b"}},
	} {
		if got := emptyDirs(tt.dir, tt.sources); !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%q, %v: got %q, want %q", tt.dir, tt.sources, got, tt.want)
		}
	}
}

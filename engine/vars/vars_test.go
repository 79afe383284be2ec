package vars_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/weftrun/weft/engine/vars"
	"github.com/weftrun/weft/schema"
)

var noOptions = &schema.TaskOptions{}

var ctx = context.Background()

// fake is a Shell that records its commands and returns "<TEXT>".
type fake struct {
	mu   sync.Mutex
	ran  []string
	env  map[string][]string
	wait chan struct{} // if set, commands end when it is closed or ctx is done
	got  chan string   // if set, told of every command
	fail error
}

func (f *fake) Output(ctx context.Context, text, dir string, env []string) (string, error) {
	f.mu.Lock()
	f.ran = append(f.ran, text)
	if f.env == nil {
		f.env = map[string][]string{}
	}
	f.env[text] = env
	wait, fail := f.wait, f.fail
	f.mu.Unlock()
	if f.got != nil {
		f.got <- text
	}
	if wait != nil {
		select {
		case <-wait:
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
	return "<" + text + ">\n", fail
}

func (f *fake) commands() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.ran)
}

func str(name, value string) schema.Var { return schema.Var{Name: name, Value: value} }
func dyn(name, text string) schema.Var {
	return schema.Var{Name: name, Kind: schema.Dynamic, Text: text}
}
func ref(name, text string) schema.Var { return schema.Var{Name: name, Kind: schema.Ref, Text: text} }

// scope returns the scope of a task with the given variables.
func scope(o vars.Options, global, task schema.Vars, m vars.Mode) *vars.Scope {
	if o.Workflow == nil {
		o.Workflow = &schema.Workflow{Dir: "/root", Vars: global}
	}
	return vars.New(o).Scope(vars.Call{Task: &schema.Task{TaskOptions: noOptions, Name: "t", Vars: task}, Name: "t", Alias: "t"}, m)
}

func expand(t *testing.T, s *vars.Scope, text string) string {
	t.Helper()
	out, err := s.Expand(ctx, schema.Text{S: text})
	if err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return out
}

func TestOnlyWhatIsReferredToRuns(t *testing.T) {
	globals := schema.Vars{dyn("A", "a"), str("B", "b{{.A}}"), dyn("C", "c"), dyn("D", "d{{.B}}")}
	for _, c := range []struct{ text, want, ran string }{
		{"plain", "plain", ""},
		{"{{.NONE}}{{.OS}}", "", ""},
		{"{{.A}}", "<a>", "a"},
		{"{{.B}}", "b<a>", "a"},
		{"{{.B | upper}}", "B<A>", "a"},
		{`{{index . "A"}}`, "<a>", "a"},
		{`{{get $ "A"}}`, "<a>", "a"},
		{"{{range list 1}}{{.A}}{{end}}", "", ""}, // not a variable there
		{"{{with 1}}{{$.A}}{{end}}", "<a>", "a"},
		{"{{if false}}{{.A}}{{end}}", "", "a"},
		{"{{.C}}", "<c>", "a c"},        // it sees $A
		{"{{len .}}", "*", "a c db<a>"}, // all of them
		{"{{with $x := .}}{{$x.C}}{{end}}", "<c>", "a c db<a>"},
		{`{{define "x"}}{{.A}}{{end}}{{template "x" .}}`, "<a>", "a c db<a>"},
	} {
		sh := &fake{}
		s := scope(vars.Options{Shell: sh}, globals, nil, vars.Full)
		text := strings.ReplaceAll(c.text, "range list 1", "range (list (dict))")
		if got := expand(t, s, text); got != c.want && c.want != "*" {
			t.Errorf("%s = %q, want %q", text, got, c.want)
		}
		if got := strings.Join(sh.commands(), " "); got != c.ran {
			t.Errorf("%s ran %q, want %q", text, got, c.ran)
		}
	}
}

func TestCommandsRunOnce(t *testing.T) {
	sh := &fake{}
	w := &schema.Workflow{Dir: "/root", Vars: schema.Vars{dyn("A", "a"), dyn("T", "x $TASK"), str("N", "{{.TASK}}"), dyn("L", "late")}}
	r := vars.New(vars.Options{Workflow: w, Shell: sh})
	for i := range 3 {
		task := &schema.Task{TaskOptions: noOptions, Name: fmt.Sprint("t", i)}
		s := r.Scope(vars.Call{Task: task, Name: task.Name}, vars.Full)
		expand(t, s, "{{.A}}{{.A}}{{.T}}{{.T}}")
		expand(t, s, "{{.A}}")
	}
	if got := strings.Join(sh.commands(), "; "); got != "a; x $TASK; x $TASK; x $TASK" {
		t.Errorf("ran %s", got)
	}
	r.ClearCache()
	expand(t, r.Global(vars.Full), "{{.A}}")
	if got := len(sh.commands()); got != 5 {
		t.Errorf("%d commands ran, want one more after the cache was cleared", got)
	}
}

func TestEqualCommandsWaitForOne(t *testing.T) {
	sh := &fake{wait: make(chan struct{}), got: make(chan string, 9)}
	r := vars.New(vars.Options{Workflow: &schema.Workflow{Dir: "/root", Vars: schema.Vars{dyn("A", "a")}}, Shell: sh})
	cancelled, cancel := context.WithCancelCause(ctx)
	stop := errors.New("stop")
	out := make(chan string)
	get := func(ctx context.Context) {
		s, err := r.Global(vars.Full).Expand(ctx, schema.Text{S: "{{.A}}"})
		if err != nil {
			s = err.Error()
		}
		out <- s
	}
	go get(cancelled)
	<-sh.got
	for range 4 {
		go get(ctx)
	}
	cancel(stop)
	if got := <-out; got != "stop" {
		t.Errorf("the cancelled one got %q", got)
	}
	close(sh.wait)
	for range 4 {
		if got := <-out; got != "<a>" {
			t.Errorf("got %q", got)
		}
	}
	if n := len(sh.commands()); n != 2 {
		t.Errorf("the command ran %d times, want once more after the cancelled time", n)
	}
}

func TestFailedCommand(t *testing.T) {
	sh := &fake{fail: errors.New("exit status 3")}
	s := scope(vars.Options{Shell: sh}, schema.Vars{dyn("A", "a")}, nil, vars.Full)
	_, err := s.Expand(ctx, schema.Text{S: "{{.A}}"})
	var failed *vars.CommandError
	if !errors.As(err, &failed) || failed.Command != "a" || err.Error() != `Command "a" failed: exit status 3` {
		t.Fatalf("err = %v", err)
	}
	sh.fail = nil
	if got := expand(t, s, "{{.A}}"); got != "<a>" {
		t.Errorf("a failure was remembered: %q", got)
	}
}

// Commands with equal environments share a result; special variables that the text does not name
// make no difference.
func TestCommandEnvironment(t *testing.T) {
	sh := &fake{}
	o := vars.Options{Shell: sh, Environ: []string{"OS1=os", "A=os"}, Workflow: &schema.Workflow{Dir: "/root",
		Vars: schema.Vars{str("A", "a"), str("B", "b"), {Name: "I", Value: 3}, {Name: "L", Value: []any{1}}, {Name: "N"}, dyn("X", "x"), str("Z", "z")}}}
	s := scope(o, nil, schema.Vars{str("B", "b2"), dyn("Y", "y")}, vars.Full)
	expand(t, s, "{{.Y}}")
	for text, want := range map[string]string{"x": "A=os B=b I=3 OS1=os", "y": "A=os B=b2 I=3 OS1=os X=<x> Z=z"} {
		var got []string
		for _, kv := range sh.env[text] {
			name, _, _ := strings.Cut(kv, "=")
			if len(name) == 1 || name == "OS1" {
				got = append(got, kv)
			}
		}
		slices.Sort(got)
		if strings.Join(got, " ") != want {
			t.Errorf("%s sees %v, want %s", text, got, want)
		}
		if !slices.Contains(sh.env[text], "TASK=t") || !slices.Contains(sh.env[text], "CLI_FORCE=false") {
			t.Errorf("%s does not see the special variables: %v", text, sh.env[text])
		}
	}
}

func TestShow(t *testing.T) {
	secret := func(v schema.Var) schema.Var { v.Secret = true; return v }
	shown := ""
	s := scope(vars.Options{Shell: &fake{}, OnDynamic: func(cmd, result string) { shown += cmd + "=" + result + " " }},
		schema.Vars{secret(str("S", "hun")), str("D", "{{.S}}x"), secret(schema.Var{Name: "L", Value: []any{1}}), secret(dyn("Z", "z")), dyn("P", "p{{.S}}"), secret(str("O", "o"))},
		schema.Vars{str("O", "open")}, vars.Full)
	for _, c := range [][2]string{
		{"{{.S}} {{.S | upper}} {{.D}}", "***** ***** hunx"},
		{"{{.L}} {{.Z}} {{.P}} {{.O}}", "***** ***** <phun> open"},
		{"{{range .L}}{{.}}{{end}}", "{{range .L}}{{.}}{{end}}"}, // not possible with the mask
		{`{{if eq .S "hun"}}yes{{end}}`, ""},
		{"{{.ITEM}}", "{{.S}}"},
		{"{{$.S}}", "*****"},
		{"{{with .}}{{.S}}{{end}}", "*****"},
	} {
		got, err := s.With(vars.Binding{"ITEM", "{{.S}}"}).Show(ctx, schema.Text{S: c[0]})
		if err != nil || got != c[1] {
			t.Errorf("%s = %q, %v; want %q", c[0], got, err, c[1])
		}
	}
	if shown != "z=***** phun=<phun> " {
		t.Errorf("reported %s", shown)
	}
	if !s.Secret("S") || s.Secret("O") || s.Secret("NONE") || s.With(vars.Binding{"S", 1}).Secret("S") {
		t.Error("Secret is wrong")
	}
	vs, err := s.BindCall(ctx, schema.Vars{secret(str("Q", "{{.S}}"))})
	if err != nil || !vs[0].Secret || vs[0].Value != "hun" {
		t.Errorf("BindCall = %+v, %v", vs, err)
	}
}

func TestFast(t *testing.T) {
	sh := &fake{}
	o := vars.Options{Shell: sh, Environ: []string{"F=os"}}
	s := scope(o, schema.Vars{dyn("A", "a"), {Name: "N"}, ref("R", ".N"), str("B", "{{.A | fail}}"), str("C", "{{.B}}c"), dyn("F", "f"), ref("BAD", "fail `x`")}, nil, vars.Fast)
	for _, c := range [][2]string{
		{"[{{.A}}]", "[]"},
		{"{{.B}} {{.C}}", "{{.A | fail}} {{.A | fail}}c"},
		{`{{fail "x"}} {{.A}}`, `{{fail "x"}} {{.A}}`},
		{`{{.A | default "d"}} {{hasKey . "A"}} {{if .A}}y{{else}}n{{end}}`, "d false n"},
		{"{{hasKey . `N`}}{{hasKey . `R`}} {{eq .N ``}}{{eq .BAD ``}}", "truetrue truetrue"},
		{"[{{.F}}]", "[]"},
		{"{{nofunc}}", "{{nofunc}}"},
	} {
		if got := expand(t, s, c[0]); got != c[1] {
			t.Errorf("%s = %q, want %q", c[0], got, c[1])
		}
	}
	if len(sh.commands()) > 0 {
		t.Errorf("ran %v", sh.commands())
	}
}

func TestDefined(t *testing.T) {
	sh := &fake{}
	o := vars.Options{Shell: sh, Environ: []string{"HOME=/"}, CLI: schema.Vars{str("CLI", "")}}
	s := scope(o, schema.Vars{{Name: "NULL"}, dyn("DYN", "false"), ref("REF", ".NO")}, schema.Vars{str("OWN", "")}, vars.Full)
	s = s.With(vars.Binding{"BOUND", nil})
	for _, name := range []string{"NULL", "DYN", "REF", "OWN", "HOME", "CLI", "CLI_ARGS", "TASK", "MATCH", "BOUND"} {
		if !s.Defined(name) {
			t.Errorf("%s is not defined", name)
		}
	}
	if s.Defined("NO") || len(sh.commands()) > 0 {
		t.Errorf("NO defined: %v; ran %v", s.Defined("NO"), sh.commands())
	}
}

func TestWith(t *testing.T) {
	s := scope(vars.Options{}, schema.Vars{str("X", "{{.ITEM}}")}, schema.Vars{str("ITEM", "own")}, vars.Full)
	in := s.With(vars.Binding{"ITEM", "a"}, vars.Binding{"K", 1}).With(vars.Binding{"K", 2})
	if got := expand(t, in, "{{.ITEM}}{{.K}}[{{.X}}]"); got != "a2[]" {
		t.Errorf("inside: %s", got)
	}
	if v, err := in.Ref(ctx, ".ITEM"); err != nil || v != "own" {
		t.Errorf("a reference sees %v, %v", v, err)
	}
	if got := expand(t, s, "{{.ITEM}}{{.K}}"); got != "own" {
		t.Errorf("outside: %s", got)
	}
	in = s.WithVar(vars.Binding{"CHECKSUM", "sum"}).With(vars.Binding{"ITEM", "a"})
	if v, err := in.Ref(ctx, "print .CHECKSUM .ITEM"); err != nil || v != "sumown" {
		t.Errorf("a reference sees %v, %v", v, err)
	}
	if got := expand(t, s.WithCallVar("ITEM", "asked"), "{{.ITEM}}"); got != "own" {
		t.Errorf("a call's variable beats the task's: %s", got)
	}
}

func TestUses(t *testing.T) {
	s := scope(vars.Options{Shell: &fake{}, Environ: []string{"HOME=/h"}}, schema.Vars{dyn("A", "a"), str("B", "{{.A}}"), str("C", "c")}, nil, vars.Full)
	if s.Uses() != nil {
		t.Error("a new scope uses something")
	}
	in := s.With(vars.Binding{"ITEM", 1})
	for range 3 {
		expand(t, in, "{{.B}} {{.HOME}} {{.ITEM}} {{.TASK}} {{.NONE}}")
		expand(t, in, "{{if .C}}{{end}}")
	}
	if got, want := s.Uses(), []vars.Binding{{"B", "<a>"}, {"C", "c"}, {"HOME", "/h"}}; !reflect.DeepEqual(got, want) {
		t.Errorf("uses %v, want %v", got, want)
	}
}

func TestEnvironIsShared(t *testing.T) {
	same := func(a, b []string) bool { return &a[0] == &b[0] && len(a) == len(b) }
	environ := func(s *vars.Scope) []string {
		e, err := s.Environ(ctx)
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	sh := &fake{}
	w := &schema.Workflow{Dir: "/root", Env: schema.Vars{str("E", "{{.V}}"), dyn("D", "d")}, Vars: schema.Vars{str("V", "v")}}
	r := vars.New(vars.Options{Workflow: w, Environ: []string{"HOME=/"}, Shell: sh})
	plain := environ(r.Scope(vars.Call{Task: &schema.Task{TaskOptions: noOptions, Name: "a"}}, vars.Full))
	if want := []string{"HOME=/", "E=v", "D=<d>"}; !slices.Equal(plain, want) {
		t.Fatalf("environment %v, want %v", plain, want)
	}
	for name, c := range map[string]struct {
		task *schema.Task
		want bool
	}{
		"another":       {&schema.Task{TaskOptions: noOptions, Name: "b"}, true},
		"other vars":    {&schema.Task{TaskOptions: noOptions, Name: "b", Vars: schema.Vars{str("X", "x")}}, true},
		"same name":     {&schema.Task{TaskOptions: noOptions, Name: "b", Vars: schema.Vars{str("V", "own")}}, false},
		"env of itself": {&schema.Task{TaskOptions: noOptions, Name: "b", Env: schema.Vars{str("X", "x")}}, false},
	} {
		if got := environ(r.Scope(vars.Call{Task: c.task}, vars.Full)); same(got, plain) != c.want {
			t.Errorf("%s: shared is not %v: %v", name, c.want, got)
		}
	}
	if got := sh.commands(); len(got) != 1 {
		t.Errorf("ran %v", got)
	}
	w = &schema.Workflow{Dir: "/root", Env: schema.Vars{str("E", "{{.TASK}}")}}
	r = vars.New(vars.Options{Workflow: w})
	for _, name := range []string{"a", "b"} {
		if got := environ(r.Scope(vars.Call{Task: &schema.Task{TaskOptions: noOptions, Name: name}}, vars.Full)); !slices.Equal(got, []string{"E=" + name}) {
			t.Errorf("environment of %s: %v", name, got)
		}
	}
}

func TestDeclaredEnv(t *testing.T) {
	w := &schema.Workflow{Dir: "/root", Env: schema.Vars{str("B", "b"), str("HOME", "lost"), {Name: "L", Value: []any{}}, {Name: "F", Value: 1e6}}}
	task := &schema.Task{TaskOptions: noOptions, Name: "t", Env: schema.Vars{str("B", "b2"), str("A", "{{.TASK}}")}}
	got, err := vars.New(vars.Options{Workflow: w, Environ: []string{"HOME=/"}}).Scope(vars.Call{Task: task}, vars.Full).DeclaredEnv(ctx)
	if want := []vars.Binding{{"A", "t"}, {"B", "b2"}, {"F", "1e+06"}, {"HOME", "/"}}; err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("declared %v, %v; want %v", got, err, want)
	}
}

// Values that are the same for every task are computed once; others are not.
func TestValuesOfFilesAreKept(t *testing.T) {
	w := &schema.Workflow{Dir: "/root", Vars: schema.Vars{str("U", "{{uuid}}"), str("T", "{{.TASK}}"), str("TT", "{{.T}}"), {Name: "M", Value: map[string]any{"k": "{{.K}}"}}}}
	r := vars.New(vars.Options{Workflow: w, CLI: schema.Vars{str("K", "v")}})
	var got [2]string
	for i := range got {
		s := r.Scope(vars.Call{Task: &schema.Task{TaskOptions: noOptions, Name: fmt.Sprint("t", i)}}, vars.Full)
		got[i] = expand(t, s, "{{.U}}")
		if got[i] != expand(t, s, "{{.U}}") {
			t.Error("a value changed within one scope")
		}
		if x := expand(t, s, "{{.TT}}{{.M.k}}"); x != fmt.Sprint("t", i) {
			t.Errorf("TT and M.k: %s", x) // K is appended after M
		}
		expand(t, s, `{{$_ := set .M "k" .TASK}}`)
		if x := expand(t, s, "{{.M.k}}"); x != fmt.Sprint("t", i) {
			t.Errorf("a changed map is lost: %s", x)
		}
	}
	if got[0] == got[1] {
		t.Error("two tasks share a random value")
	}
}

func TestConcurrentScopes(t *testing.T) {
	w := &schema.Workflow{Dir: "/root", Env: schema.Vars{str("E", "{{.X}}")}, Vars: schema.Vars{dyn("A", "a"), str("X", "{{.A | upper}}"), {Name: "M", Value: map[string]any{"k": "{{.A}}"}}}}
	r := vars.New(vars.Options{Workflow: w, Shell: &fake{}})
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			s := r.Scope(vars.Call{Task: &schema.Task{TaskOptions: noOptions, Name: fmt.Sprint(i)}}, vars.Full)
			for j := range 20 {
				if got := expand(t, s, fmt.Sprintf(`{{.X}}{{.M.k}}{{$_ := set .M "k" "z"}}{{/* %d */}}`, j%5)); got != "<A><a>" && got != "<A>z" {
					t.Errorf("got %s", got)
				}
				if _, err := s.Environ(ctx); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

func TestDeepTemplates(t *testing.T) {
	s := scope(vars.Options{}, nil, nil, vars.Full)
	for _, text := range []string{
		"{{" + strings.Repeat("(", 1<<20) + "1" + strings.Repeat(")", 1<<20) + "}}",
		strings.Repeat("{{if 1}}", 1<<18),
		strings.Repeat("{{with 1}}", 90_000) + strings.Repeat("{{end}}", 90_000),
		`{{define "x"}}{{template "x" .}}{{end}}{{template "x" .}}`,
	} {
		if _, err := s.Expand(ctx, schema.Text{S: text}); err == nil {
			t.Errorf("%.20s… is not an error", text)
		}
	}
}

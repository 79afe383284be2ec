package vars_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/weftrun/weft/engine/vars"
	"github.com/weftrun/weft/schema"
)

func TestCanFail(t *testing.T) {
	r := vars.New(vars.Options{Workflow: &schema.Workflow{}})
	for text, want := range map[string]bool{
		`{{fail "x"}}`:                            true,
		`{{or .E (fail "x")}}`:                    true,
		`{{if .X}}{{else}}{{fail "x"}}{{end}}`:    true,
		`{{.X | mustFromJson}}`:                   true,
		`{{range .L}}{{mustToDate . "x"}}{{end}}`: true,
		`{{define "a"}}{{fail "x"}}{{end}}`:       true,
		`{{fail "x"`:                              true, // it can do nothing else
		`must {{.X}} fail`:                        false,
		`{{.must}} {{.X.fail}} {{"fail"}}`:        false,
		`fail`:                                    false,
		`{{.X | default "must"}}`:                 false,
	} {
		for form, v := range map[string]schema.Var{
			"text":    {Value: text},
			"list":    {Value: []any{1, []any{text}}},
			"map":     {Value: map[string]any{"a": map[string]any{"b": text}}},
			"command": {Kind: schema.Dynamic, Text: text},
		} {
			if got := r.CanFail(schema.Vars{{Name: "A", Value: "a"}, v}); got != want {
				t.Errorf("%s %s: got %t", form, text, got)
			}
		}
	}
	for expression, want := range map[string]bool{`fail "x"`: true, `.fail`: false, `list (mustFromJson .X)`: true} {
		if got := r.CanFail(schema.Vars{{Kind: schema.Ref, Text: expression}}); got != want {
			t.Errorf("ref %s: got %t", expression, got)
		}
	}
}

// recorder is a shell whose commands are noted; one that begins with "fail" fails.
type recorder struct{ ran []string }

func (r *recorder) Output(_ context.Context, text, _ string, _ []string) (string, error) {
	r.ran = append(r.ran, text)
	if strings.HasPrefix(text, "fail") {
		return "", errors.New("no")
	}
	return text, nil
}

func command(name, text string) schema.Var {
	return schema.Var{Name: name, Kind: schema.Dynamic, Text: text}
}

// TestStart: exactly the needed definitions are evaluated, in their order; the first failure stops
// the evaluation.
func TestStart(t *testing.T) {
	fails := schema.Var{Name: "F", Value: `{{fail "on purpose"}}`}
	for name, tt := range map[string]struct {
		globals, own schema.Vars
		text         string
		ran, err     string
	}{
		"referred":       {globals: schema.Vars{command("A", "a"), command("B", "b")}, text: "{{.A}}", ran: "a"},
		"all before":     {globals: schema.Vars{command("A", "a"), command("B", "b"), command("C", "c")}, text: "{{.B}}", ran: "a b"},
		"over others":    {globals: schema.Vars{command("A", "a"), {Name: "B", Value: "{{.A}}"}}, own: schema.Vars{{Name: "C", Kind: schema.Ref, Text: ".B"}}, text: "{{.C}}", ran: "a"},
		"in order":       {globals: schema.Vars{command("A", "a"), command("B", "b")}, text: "{{.B}}{{.A}}", ran: "a b"},
		"everything":     {globals: schema.Vars{command("A", "a")}, own: schema.Vars{command("B", "b")}, text: "{{.}}", ran: "a b"},
		"nothing":        {globals: schema.Vars{command("A", "a")}, text: "{{.X}}"},
		"fails":          {globals: schema.Vars{command("A", "fail a")}, own: schema.Vars{fails}, text: "{{.A}}", ran: "fail a", err: `Command "fail a" failed: no`},
		"on purpose":     {globals: schema.Vars{fails, command("A", "a")}, text: "{{.A}}", err: "on purpose"},
		"of one's own":   {globals: schema.Vars{command("A", "a")}, own: schema.Vars{fails}, text: "{{.A}}", ran: "a", err: "on purpose"},
		"of two":         {own: schema.Vars{{Name: "E", Value: `{{fail "first"}}`}, fails}, err: "first"},
		"text alone":     {own: schema.Vars{command("A", `{{mustToJson "x"}}`)}},
		"what it needs":  {globals: schema.Vars{command("A", "a")}, own: schema.Vars{{Name: "F", Value: `{{if .A}}{{fail .A}}{{end}}`}}, ran: "a", err: "calling fail: a"},
		"shadowed, too":  {globals: schema.Vars{fails}, own: schema.Vars{{Name: "F", Value: "f"}}, text: "{{.F}}", err: "on purpose"},
		"its own level":  {globals: schema.Vars{command("A", "a")}, own: schema.Vars{{Name: "A", Value: "{{.A}}!"}}, text: "{{.A}}", ran: "a"},
		"shadowed alone": {globals: schema.Vars{command("A", "a")}, own: schema.Vars{{Name: "A", Value: "x"}}, text: "{{.A}}"},
	} {
		t.Run(name, func(t *testing.T) {
			shell := new(recorder)
			r := vars.New(vars.Options{Workflow: &schema.Workflow{Vars: tt.globals}, Shell: shell})
			s := r.Scope(vars.Call{Task: &schema.Task{TaskOptions: noOptions, Name: "t", Vars: tt.own}, Name: "t"}, vars.Full)
			var refs vars.Refs
			r.AddRefs(&refs, tt.text)
			err := s.Start(t.Context(), refs)
			if got := strings.Join(shell.ran, " "); got != tt.ran {
				t.Errorf("ran %q, want %q", got, tt.ran)
			}
			if tt.err == "" && err != nil || tt.err != "" && (err == nil || !strings.HasSuffix(err.Error(), tt.err)) {
				t.Errorf("got error %v, want one that ends in %q", err, tt.err)
			}
		})
	}
}

// TestAhead: the dynamic variables of files that a call refers to are evaluated, except those that
// depend on its task or on the call itself.
func TestAhead(t *testing.T) {
	inc := &schema.Include{Vars: schema.Vars{command("I", "i")}, FileVars: schema.Vars{{Name: "S", Value: "s"}}}
	globals := schema.Vars{command("G", "g"), {Name: "D", Value: "{{.G}}"}, {Name: "N", Kind: schema.Dynamic, Text: "echo {{.TASK}}"}}
	for name, tt := range map[string]struct {
		call vars.Call
		from *schema.Include
		text string
		ran  string
	}{
		"global":           {text: "{{.G}}", ran: "g"},
		"over others":      {text: "{{.D}}", ran: "g"},
		"of the task":      {call: vars.Call{Task: &schema.Task{TaskOptions: noOptions, Vars: schema.Vars{command("O", "o")}}}, text: "{{.O}}", ran: "g"}, // $G
		"passed":           {call: vars.Call{Vars: schema.Vars{{Name: "G", Value: "x"}}}, text: "{{.G}}"},
		"by name":          {text: "{{.N}}", ran: "g"},
		"static":           {call: vars.Call{Task: &schema.Task{TaskOptions: noOptions, Vars: schema.Vars{{Name: "BAD", Value: "{{index .G 99}}"}}}}, text: "{{.BAD}}", ran: "g"},
		"include":          {call: vars.Call{Task: &schema.Task{TaskOptions: noOptions, Include: inc}}, text: "{{.I}}", ran: "g"},
		"the same include": {call: vars.Call{Task: &schema.Task{TaskOptions: noOptions, Include: inc}}, from: inc, text: "{{.I}}", ran: "g echo  i"},
	} {
		t.Run(name, func(t *testing.T) {
			shell := new(recorder)
			r := vars.New(vars.Options{Workflow: &schema.Workflow{Vars: globals}, Shell: shell})
			if tt.call.Task == nil {
				tt.call.Task = &schema.Task{TaskOptions: noOptions}
			}
			var refs vars.Refs
			r.AddRefs(&refs, tt.text)
			if err := r.Scope(tt.call, vars.Full).Precompute(t.Context(), refs, tt.from); err != nil {
				t.Error(err)
			}
			if got := strings.Join(shell.ran, " "); got != tt.ran {
				t.Errorf("ran %q, want %q", got, tt.ran)
			}
		})
	}
}

// TestWithoutShell: variables computed from a dynamic variable have no value, the others have.
func TestWithoutShell(t *testing.T) {
	w := &schema.Workflow{Vars: schema.Vars{command("G", "g"), {Name: "D", Value: "{{.G}}"}, {Name: "S", Value: "s"}},
		Env: schema.Vars{command("E", "e")}}
	r := vars.New(vars.Options{Workflow: w})
	s := r.Scope(vars.Call{Task: &schema.Task{TaskOptions: noOptions}}, vars.Full)
	for text, want := range map[string]error{"{{.G}}": vars.ErrNotRun, "{{.D}}": vars.ErrNotRun, "{{.S}}": nil, "text": nil} {
		if _, err := s.Expand(t.Context(), schema.Text{S: text}); !errors.Is(err, want) {
			t.Errorf("%s: got %v", text, err)
		}
	}
	if _, err := s.Environ(t.Context()); !errors.Is(err, vars.ErrNotRun) {
		t.Errorf("environment: got %v", err)
	}
	if got, err := r.Global(vars.Fast).Expand(t.Context(), schema.Text{S: "[{{.G}}]"}); got != "[]" || err != nil {
		t.Errorf("fast: got %q, %v", got, err)
	}
}

package vars_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/weftrun/weft/engine/vars"
	"github.com/weftrun/weft/schema"
)

// FuzzTemplate expands any text, alone and as the value of a variable: it never
// panics or takes all memory, and text without braces comes out as it is.
func FuzzTemplate(f *testing.F) {
	for _, s := range []string{"", "plain", "{{.X}}", "{{ .M.a }}-{{.L}}{{.NO.x}}", `{{.X | default "d" | upper}}`, "{{range $i, $x := .L}}{{$i}}{{end}}",
		"{{with .M}}{{.a}}{{else}}{{$.X}}{{end}}", `{{define "t"}}{{.}}{{end}}{{template "t" .}}`, "{{first .X}}", "{{index .L 9}}", "{{/* c */}}",
		"{{- .X -}}", "{{.X", "}}{{", "{{set .M `a` .}}{{.M}}", "{{dig `a` 1 .M}}", "{{regexReplaceAll `(` .X `b`}}", "{{slice .L 1}}", "{{toYaml .}}", "{{break}}"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if strings.Contains(text, "getHost") {
			t.Skip("asks the network")
		}
		w := &schema.Workflow{Dir: "/", Vars: schema.Vars{{Name: "X", Value: "x"}, {Name: "L", Value: []any{1, "a"}}, {Name: "M", Value: map[string]any{"a": 1.5}}, {Name: "V", Value: text}}}
		r := vars.New(vars.Options{Workflow: w})
		task := &schema.Task{TaskOptions: noOptions, Name: "t", Dir: schema.Text{S: text}, Env: schema.Vars{{Name: "E", Value: []any{text}}, {Name: "R", Kind: schema.Ref, Text: text}}}
		for _, m := range []vars.Mode{vars.Full, vars.Fast} {
			s := r.Scope(vars.Call{Task: task, Vars: schema.Vars{{Name: "W", Value: text}}}, m)
			out, err := s.Expand(ctx, schema.Text{S: text})
			if !strings.Contains(text, "{{") && (err != nil || out != text) {
				t.Errorf("%q = %q, %v", text, out, err)
			}
			if m == vars.Fast && err != nil {
				t.Errorf("%q fails in fast mode: %v", text, err)
			}
			s.Expand(ctx, schema.Text{S: "{{.V}}{{.W}}"})
			s.Show(ctx, schema.Text{S: text})
			s.Dir(ctx)
			s.Environ(ctx)
			s.Uses()
		}
		vars.Expand(context.Background(), text, map[string]any{"X": text})
	})
}

// FuzzQuick compares expansion without the template engine with the engine's result for the same
// text.
func FuzzQuick(f *testing.F) {
	for _, s := range []string{"{{.X}}", "a{{ .X }}b{{.M.a}}", "{{.N}}{{.B}}{{.F}}{{.NO}}{{.M.x}}", "{{.X.y}}", "{{.1}}", "{{.}}", "{{.X}}}", "{{{.X}}", "{{.X }}\n{{	.X}}", "<no {{.NO}}value>", "{{.M.n}}"} {
		f.Add(s)
	}
	w := &schema.Workflow{Dir: "/", Vars: schema.Vars{{Name: "X", Value: "x"}, {Name: "N"}, {Name: "B", Value: true}, {Name: "F", Value: 2.5},
		{Name: "M", Value: map[string]any{"a": 1, "n": nil, "m": map[string]any{"a": "deep"}}}}}
	f.Fuzz(func(t *testing.T, text string) {
		if strings.Count(text, "{{") != strings.Count(text, "{{.") || strings.ContainsAny(text, "()|") {
			t.Skip("calls functions")
		}
		s := vars.New(vars.Options{Workflow: w}).Global(vars.Full)
		quick, err := s.Expand(ctx, schema.Text{S: text})
		// The comment forces the use of the engine.
		engine, err2 := s.Expand(ctx, schema.Text{S: "{{/**/}}" + text})
		if strings.Contains(text, "{{") && (quick != engine || (err == nil) != (err2 == nil)) {
			t.Errorf("%q = %q, %v; the engine says %q, %v", text, quick, err, engine, err2)
		}
	})
}

// FuzzDotenv reads any file as dotenv: it never panics or hangs, and its names
// become variables.
func FuzzDotenv(f *testing.F) {
	for _, s := range []string{"A=1", "export A='x'\nB: y # c", "A=\"$B ${A}\\n\"", "=", "A", "A='", "\x00", "A=${", "A=$(x)", "é=1", "A\u2028=1", strings.Repeat("\n", 100), "A={{.B}}", "A=\"\\"} {
		f.Add([]byte(s))
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, content []byte) {
		path := filepath.Join(dir, "env")
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
		defer cancel()
		r := vars.New(vars.Options{Workflow: &schema.Workflow{Dir: dir, Dotenv: []schema.Text{{S: "env"}}}})
		if err := r.LoadDotenv(ctx); err != nil {
			return
		}
		task := &schema.Task{Name: "t", TaskOptions: &schema.TaskOptions{Dotenv: []schema.Text{{S: "env"}}}}
		s := r.Scope(vars.Call{Task: task}, vars.Fast)
		env, err := s.DeclaredEnv(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range env {
			if !s.Defined(b.Name) {
				t.Errorf("%q is in the environment and no variable", b.Name)
			}
		}
	})
}

package vars_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/weftrun/weft/engine/vars"
	"github.com/weftrun/weft/schema"
)

func TestBehind(t *testing.T) {
	static := func(name string, value any) schema.Var { return schema.Var{Name: name, Value: value} }
	w := &schema.Workflow{Dir: "/p", Vars: schema.Vars{
		static("A", "a"), static("B", "{{.A}}"), static("C", []any{"{{.B}}", 1}), static("D", "d"),
		{Name: "E", Kind: schema.Ref, Text: ".D"}, command("F", "date"), static("G", "{{.F}}"), static("SELF", "s"),
	}}
	task := &schema.Task{TaskOptions: noOptions, Name: "t", Vars: schema.Vars{static("SELF", "{{.SELF}}!"), static("OWN", "{{.D}}")},
		Include: &schema.Include{Vars: schema.Vars{static("D", "of the include")}}}
	r := vars.New(vars.Options{Workflow: w})
	for text, want := range map[string]string{
		"echo":                   "",
		"{{.A}}":                 "A=a",
		"{{.C}}":                 "A=a B={{.A}} C=[{{.B}} 1]",
		"{{.E}}":                 "D=d E=.D",
		"{{.OWN}}":               "D=of the include OWN={{.D}}",
		"{{.SELF}}":              "SELF=s SELF={{.SELF}}!",
		"{{.MATCH}}{{.UNKNOWN}}": "",
	} {
		var refs vars.Refs
		r.AddRefs(&refs, text)
		s := r.Scope(vars.Call{Task: task, Name: "t"}, vars.Full)
		if got := shownVars(s.Dependencies(refs)); got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
	var dynamic, all vars.Refs
	r.AddRefs(&dynamic, "{{.G}}")
	r.AddRefs(&all, "{{range $k, $v := .}}{{end}}")
	s := r.Scope(vars.Call{Task: task, Name: "t"}, vars.Full)
	names := func(vs []*schema.Var) (out []string) {
		for _, v := range vs {
			if !strings.HasPrefix(v.Name, "CLI_") {
				out = append(out, v.Name)
			}
		}
		return out
	}
	if got := names(s.Dependencies(dynamic)); !slices.Equal(got, []string{"A", "B", "C", "D", "E", "F", "G"}) {
		t.Errorf("a command sees %q", got)
	}
	if got := names(s.Dependencies(all)); !slices.Equal(got, []string{"A", "B", "C", "D", "E", "F", "G", "SELF", "D", "SELF", "OWN"}) {
		t.Errorf("everything is %q", got)
	}
}

func shownVars(vs []*schema.Var) string {
	var out []string
	for _, v := range vs {
		if v.Kind == schema.Static {
			out = append(out, v.Name+"="+fmt.Sprint(v.Value))
		} else {
			out = append(out, v.Name+"="+v.Text)
		}
	}
	return strings.Join(out, " ")
}

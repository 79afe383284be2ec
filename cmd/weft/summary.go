package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/weftrun/weft/cmd/weft/report"
	"github.com/weftrun/weft/engine"
	"github.com/weftrun/weft/engine/plan"
	"github.com/weftrun/weft/schema"
	"github.com/weftrun/weft/schema/diag"
)

// summary handles --summary: it describes each task.
func (r *runner) summary(ctx context.Context, calls []plan.Call) error {
	for _, c := range calls {
		t, _, err := r.workflow.Lookup(c.Name)
		switch {
		case err != nil:
			return err
		case t.Internal:
			return &plan.InternalError{Task: c.Name}
		}
	}
	var all []jsonSummary
	for i, c := range calls {
		s, err := r.engine.Summary(ctx, c)
		switch {
		case s == nil:
			return err
		case err != nil && r.dropIn():
			return nil // like the reference, without a message
		case err != nil:
			return err
		}
		if r.opts.json {
			all = append(all, r.summaryJSON(s))
			continue
		}
		w := &summaryWriter{app: r.app}
		if i > 0 {
			w.line("")
			w.line("")
		}
		w.all(s)
	}
	if r.opts.json {
		r.writeJSON(jsonSummaries{1, all})
	}
	return nil
}

// summaryWriter writes the parts of a summary.
type summaryWriter struct{ *app }

func (w *summaryWriter) put(c report.Color, text string) { w.paint(w.out, c, text) }

func (w *summaryWriter) line(text string) { w.put(report.Default, text+"\n") }

// section begins a section of the summary.
func (w *summaryWriter) section(title string) {
	w.line("")
	w.line(title + ":")
}

func (w *summaryWriter) all(s *engine.Summary) {
	w.put(report.Default, w.name+": ")
	w.put(report.Green, diag.Printable(s.Name)+"\n")
	w.line("")
	switch {
	case s.Text == "":
		w.line("(task does not have description or summary)")
	case s.Task.Summary.S == "":
		w.line(s.Text)
	default:
		for _, l := range strings.Split(strings.TrimSuffix(s.Text, "\n"), "\n") {
			w.line(l)
		}
	}
	declared := func(v schema.Var) bool { return s.Env.Index(v.Name) >= 0 }
	w.variables("vars", slices.DeleteFunc(slices.Clone(s.Vars), declared))
	w.variables("env", s.Env)
	w.requires(s.Task.Requires)
	w.items("dependencies", report.Default, s.Deps)
	w.items("aliases", report.Cyan, s.Aliases)
	w.commands(s.Commands)
}

// ofFiles returns the variables of the files: without those of the process environment and special
// variables.
func (a *app) ofFiles(vs schema.Vars) schema.Vars {
	return slices.DeleteFunc(slices.Clone(vs), func(v schema.Var) bool {
		return reserved(v.Name) || slices.ContainsFunc(a.environ, func(kv string) bool { return strings.HasPrefix(kv, v.Name+"=") })
	})
}

// variables shows the variables of the files.
func (w *summaryWriter) variables(title string, vs schema.Vars) {
	vs = w.ofFiles(vs)
	if len(vs) == 0 {
		return
	}
	w.section(title)
	for _, v := range vs {
		w.put(report.Yellow, "  "+diag.Printable(v.Name)+": "+shownValue(v)+"\n")
	}
}

// shownValue returns the value of a variable as a summary shows it.
func shownValue(v schema.Var) string {
	switch {
	case v.Secret:
		return fmt.Sprint(v.Value)
	case v.Kind == schema.Dynamic:
		return "sh: " + v.Text
	case v.Kind == schema.Ref:
		return "ref: " + v.Text
	case v.Value == nil:
		return `""`
	}
	if m, ok := v.Value.(map[string]any); ok {
		if len(m) == 0 {
			return "{}"
		}
		var b strings.Builder
		b.WriteByte('\n')
		for _, k := range slices.Sorted(maps.Keys(m)) {
			fmt.Fprintf(&b, "    %s: %v\n", diag.Printable(k), m[k])
		}
		return b.String()
	}
	return fmt.Sprintf("\"%v\"", v.Value)
}

func (w *summaryWriter) requires(rs []schema.Required) {
	if len(rs) == 0 {
		return
	}
	w.section("requires")
	w.line("  vars:")
	for _, r := range rs {
		if len(r.Enum) == 0 && r.Ref == "" {
			w.put(report.Yellow, "    - "+diag.Printable(r.Name)+"\n")
			continue
		}
		w.put(report.Yellow, "    - "+diag.Printable(r.Name)+":\n")
		w.put(report.Yellow, "        enum:\n")
		if r.Ref != "" {
			w.put(report.Yellow, "          ref: "+r.Ref+"\n")
		}
		for _, e := range r.Enum {
			w.put(report.Yellow, "          - "+diag.Printable(e)+"\n")
		}
	}
}

func (w *summaryWriter) items(title string, c report.Color, items []string) {
	if len(items) == 0 {
		return
	}
	w.section(title)
	for _, it := range items {
		it = diag.Printable(it)
		if c != report.Default {
			w.put(report.Default, " - ")
			w.put(c, it+"\n")
			continue
		}
		w.line(" - " + it)
	}
}

func (w *summaryWriter) commands(cs []engine.SummaryCommand) {
	if len(cs) == 0 {
		return
	}
	w.section("commands")
	for _, c := range cs {
		w.put(report.Default, " - ")
		if c.Call || c.Text == "" { // an empty command counts as a call, as in the reference
			w.put(report.Green, "Task: "+c.Text+"\n")
		} else {
			w.put(report.Yellow, c.Text+"\n")
		}
	}
}

// reserved reports whether name is the name of a special variable, or begins like one.
func reserved(name string) bool {
	special := []string{"TASK", "TASKFILE", "TASKFILE_DIR", "USER_WORKING_DIR", "ALIAS", "MATCH", "PATH_LIST_SEPARATOR", "FILE_PATH_SEPARATOR"}
	return slices.Contains(special, name) || strings.HasPrefix(name, "TASK_") || strings.HasPrefix(name, "CLI_") || strings.HasPrefix(name, "ROOT_")
}

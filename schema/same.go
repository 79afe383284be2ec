package schema

import (
	"math"
	"reflect"
	"slices"
	"strings"

	"github.com/weftrun/weft/schema/diag"
)

// Difference returns the key in which the tasks a and b differ, and "" if they are equal. Positions
// make no difference, nor do texts for people only: descriptions and aliases. Settings of includes
// count only as far as they are joined into the task; see [SameVars] for the variables.
func Difference(a, b *Task) string {
	return difference(reflect.ValueOf(*a), reflect.ValueOf(*b), "Name", "LocalName", "Namespace", "Index", "Aliases", "Desc", "Summary", "Include")
}

// SharedDifference is Difference for the settings of a workflow for all tasks.
func SharedDifference(a, b *Workflow) string {
	shared := func(w *Workflow) Workflow {
		return Workflow{Method: w.Method, Fingerprint: w.Fingerprint, Set: w.Set, Shopt: w.Shopt, Shell: w.Shell, Dotenv: w.Dotenv, Env: w.Env, UseGitignore: w.UseGitignore, Jobserver: w.Jobserver}
	}
	return difference(reflect.ValueOf(shared(a)), reflect.ValueOf(shared(b)))
}

// Same reports whether two workflows and a task in each are equal except for positions.
func Same(v *Workflow, a *Task, w *Workflow, b *Task) bool {
	shared := func(w *Workflow) reflect.Value {
		return reflect.ValueOf([]any{w.Vars, w.Env, w.Dotenv, w.Set, w.Shopt, w.Shell, w.Method.S, w.Run.S})
	}
	return difference(reflect.ValueOf(*a), reflect.ValueOf(*b), "Index") == "" && sameValue(shared(v), shared(w))
}

// SameVars reports whether two lists hold the same definitions in the same order; if not, name
// is the first one that differs.
func SameVars(a, b []*Var) (name string, same bool) {
	for i := range min(len(a), len(b)) {
		if !sameValue(reflect.ValueOf(a[i]), reflect.ValueOf(b[i])) {
			if !slices.ContainsFunc(a, func(v *Var) bool { return v.Name == b[i].Name }) {
				return b[i].Name, false
			}
			return a[i].Name, false
		}
	}
	switch {
	case len(a) < len(b):
		return b[len(a)].Name, false
	case len(a) > len(b):
		return a[len(b)].Name, false
	}
	return "", true
}

// difference returns the first key, among the fields of two structs, that differs. Fields that hold
// several keys are named by their subject.
func difference(a, b reflect.Value, except ...string) string {
	for i := range a.NumField() {
		field := a.Type().Field(i)
		if slices.Contains(except, field.Name) || sameValue(a.Field(i), b.Field(i)) {
			continue
		}
		if field.Anonymous {
			return difference(reflect.Indirect(a.Field(i)), reflect.Indirect(b.Field(i)), except...)
		}
		switch field.Name {
		case "Processes":
			return "the options of its processes"
		case "Running":
			return "the options of its execution"
		case "UseGitignore":
			return "use_gitignore"
		}
		return strings.ToLower(field.Name)
	}
	return ""
}

// sameValue reports whether a and b, of one type, are the same but for positions.
func sameValue(a, b reflect.Value) bool {
	switch a.Type() {
	case reflect.TypeFor[diag.Pos](), reflect.TypeFor[*diag.File]():
		return true
	}
	switch a.Kind() {
	case reflect.Struct:
		for i := range a.NumField() {
			if !sameValue(a.Field(i), b.Field(i)) {
				return false
			}
		}
		return true
	case reflect.Pointer, reflect.Interface:
		if a.IsNil() || b.IsNil() {
			return a.IsNil() == b.IsNil()
		}
		a, b = a.Elem(), b.Elem()
		return a.Type() == b.Type() && sameValue(a, b)
	case reflect.Slice:
		if a.Len() != b.Len() || a.IsNil() != b.IsNil() {
			return false
		}
		for i := range a.Len() {
			if !sameValue(a.Index(i), b.Index(i)) {
				return false
			}
		}
		return true
	case reflect.Map:
		if a.Len() != b.Len() {
			return false
		}
		for _, k := range a.MapKeys() {
			other := b.MapIndex(k)
			if !other.IsValid() || !sameValue(a.MapIndex(k), other) {
				return false
			}
		}
		return true
	case reflect.Float32, reflect.Float64:
		return math.Float64bits(a.Float()) == math.Float64bits(b.Float())
	}
	return a.Equal(b)
}

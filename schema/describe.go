package schema

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/weftrun/weft/schema/diag"
)

// Files returns the paths of all files of this machine that the workflow was read from.
func (w *Workflow) Files() []string {
	var all []string
	seen := map[*diag.File]bool{}
	add := func(f *diag.File) {
		if f != nil && !f.Remote && !seen[f] {
			seen[f] = true
			all = append(all, f.Path)
		}
	}
	add(w.File)
	for _, t := range w.Tasks {
		add(t.File)
	}
	return all
}

// Names returns the names of the tasks that t needs, calls or reads.
func Names(t *Task) (names []string) {
	EachText(t, func(p Place, name Text) {
		if p.Kind() == TextTask {
			names = append(names, name.S)
		}
	})
	return names
}

// Describe returns everything that a task says, and that the workflow says for it, as a
// text without positions: equal texts mean equal tasks.
func Describe(w *Workflow, t *Task) string {
	var b strings.Builder
	describeValue(&b, reflect.ValueOf(*t))
	for _, v := range []any{w.Vars, w.Env, w.Dotenv, w.Set, w.Shopt, w.Shell, w.Method.S, w.Run.S} {
		describeValue(&b, reflect.ValueOf(v))
	}
	return b.String()
}

var placeTypes = map[reflect.Type]bool{reflect.TypeFor[diag.Pos](): true, reflect.TypeFor[*diag.File](): true}

func describeValue(b *strings.Builder, v reflect.Value) {
	if !v.IsValid() {
		b.WriteString("nil;")
		return
	}
	if placeTypes[v.Type()] {
		return
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			b.WriteString("nil;")
			return
		}
		if s, ok := v.Interface().(fmt.Stringer); ok { // a regular expression
			b.WriteString(s.String() + ";")
			return
		}
		describeValue(b, v.Elem())
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).Name != "Index" && v.Type().Field(i).IsExported() {
				describeValue(b, v.Field(i))
			}
		}
	case reflect.Slice, reflect.Array:
		fmt.Fprintf(b, "[%d ", v.Len())
		for i := range v.Len() {
			describeValue(b, v.Index(i))
		}
	default: // maps are printed in order of their keys
		fmt.Fprintf(b, "%#v;", v.Interface())
	}
}

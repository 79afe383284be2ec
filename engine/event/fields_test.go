package event

import (
	"reflect"
	"strings"
	"testing"

	"github.com/weftrun/weft/schema/diag"
)

// TestMasked: every text of any event is masked, except the identity of the run; the original is
// unchanged.
func TestMasked(t *testing.T) {
	for kind, typ := range kinds() {
		if kind == "output" {
			continue
		}
		ev := reflect.New(typ).Interface().(Event)
		if d, ok := ev.(*DiagnosticFound); ok {
			d.Diagnostic = new(diag.Diagnostic)
		}
		fill(reflect.ValueOf(ev).Elem())
		masked := Masked(ev, func(s string) string { return strings.ReplaceAll(s, "secret", "*") })
		name := reflect.TypeOf(ev).Elem().Name()
		if left := unmasked(reflect.ValueOf(masked).Elem(), ""); len(left) > 0 {
			t.Errorf("%s: not masked: %q", name, left)
		}
		before, after := reflect.New(reflect.TypeOf(ev).Elem()), reflect.ValueOf(ev)
		if d, ok := ev.(*DiagnosticFound); ok {
			before.Interface().(*DiagnosticFound).Diagnostic = &diag.Diagnostic{Kind: d.Diagnostic.Kind}
		}
		fill(before.Elem())
		if !reflect.DeepEqual(before.Interface(), after.Interface()) {
			t.Errorf("%s: changed to %+v", name, after.Interface())
		}
	}
}

// fill puts "secret" into every text of v.
func fill(v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		v.SetString("secret")
	case reflect.Slice:
		if v.Type().Elem().Kind() != reflect.Uint8 {
			v.Set(reflect.MakeSlice(v.Type(), 2, 2))
			fill(v.Index(0))
			fill(v.Index(1))
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Field(i); f.CanSet() && v.Type().Field(i).Name != "Pos" {
				fill(f)
			}
		}
	case reflect.Pointer:
		if !v.IsNil() {
			fill(v.Elem())
		}
	}
}

// unmasked returns the places of "secret" in v.
func unmasked(v reflect.Value, at string) (all []string) {
	switch v.Kind() {
	case reflect.String:
		if strings.Contains(v.String(), "secret") && at != ".Run" && v.Type() == reflect.TypeFor[string]() { // other types contain only our own words
			all = append(all, at)
		}
	case reflect.Slice:
		for i := range v.Len() {
			all = append(all, unmasked(v.Index(i), at)...)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				all = append(all, unmasked(v.Field(i), at+"."+v.Type().Field(i).Name)...)
			}
		}
	case reflect.Pointer:
		if !v.IsNil() {
			all = unmasked(v.Elem(), at)
		}
	}
	return all
}

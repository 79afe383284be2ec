package event

import (
	"fmt"
	"os"
	"reflect"
	"strconv"
	"time"

	"github.com/weftrun/weft/schema/diag"
)

// tagged appends ev, except for its end, as the tags of its fields specify. It uses reflection, which
// takes several times as long as the methods encode of the events that every step has.
func (e *Encoder) tagged(ev Event) {
	v := reflect.ValueOf(ev).Elem()
	e.begin(shapeOf(v.Type()).kind, *v.Field(1).Addr().Interface().(*time.Time))
	e.fields(v)
}

// part appends a field that is a list or a struct, as tags specify; p points to it.
func (e *Encoder) part(name string, p any) {
	e.key(name)
	e.value(reflect.ValueOf(p).Elem(), p)
}

// fields appends the fields of a struct.
func (e *Encoder) fields(v reflect.Value) {
	all := shapeOf(v.Type()).fields
	whole := v.Addr().Interface()
	for i := range all {
		f := &all[i]
		if f.omitted(v) {
			continue
		}
		v := v.Field(f.index)
		to := v.Addr().Interface()
		switch p := to.(type) {
		case *[]byte:
			if out, ok := whole.(*Output); !ok || out.Length == 0 {
				e.data(*p)
			}
		case *error:
			e.failure(*p)
		case *Usage:
			e.fields(v)
		case **diag.Diagnostic:
			e.fields(reflect.ValueOf((*diagnostic)(*p)).Elem())
		default:
			e.key(f.name)
			e.value(v, to)
		}
	}
}

// value appends v, to which to points.
func (e *Encoder) value(v reflect.Value, to any) {
	switch p := to.(type) {
	case *string:
		e.b = appendText(e.b, *p)
		return
	case *time.Duration:
		e.b = appendSeconds(e.b, *p)
		return
	case *float64:
		e.b = strconv.AppendFloat(e.b, *p, 'f', -1, 64)
		return
	case *os.Signal:
		name := ""
		if *p != nil {
			name = (*p).String()
		}
		e.b = appendText(e.b, name)
		return
	case *map[string]any:
		e.outputs(*p)
		return
	case *Need:
		p.encode(e)
		return
	case *[Cancelled + 1]int:
		e.b = append(e.b, '{')
		for o := Succeeded; o <= Cancelled; o++ {
			e.number(o.String(), int64(p[o]))
		}
		e.b = append(e.b, '}')
		return
	case fmt.Stringer: // a position, or a value of an enumeration
		e.b = appendText(e.b, p.String())
		return
	}
	switch v.Kind() {
	case reflect.String:
		e.b = appendText(e.b, v.String())
	case reflect.Bool:
		e.b = strconv.AppendBool(e.b, v.Bool())
	case reflect.Slice:
		e.b = append(e.b, '[')
		for i := range v.Len() {
			if i > 0 {
				e.b = append(e.b, ',')
			}
			e.value(v.Index(i), v.Index(i).Addr().Interface())
		}
		e.b = append(e.b, ']')
	case reflect.Struct:
		e.b = append(e.b, '{')
		e.fields(v)
		e.b = append(e.b, '}')
	default:
		e.b = strconv.AppendInt(e.b, v.Int(), 10)
	}
}

// omitted reports whether the field of v is omitted.
func (f *field) omitted(v reflect.Value) bool {
	switch f.omit {
	case "omitzero":
		return isZero(v.Field(f.index))
	case "same":
		return v.Field(f.index).String() == v.Field(f.other).String()
	case "one":
		return v.Field(f.index).Int() == 1 && v.Field(f.other).Int() == 1
	}
	return false
}

// isZero reports whether v is zero for event files.
func isZero(v reflect.Value) bool {
	if v.IsZero() {
		return true
	}
	switch p := v.Addr().Interface().(type) {
	case *time.Duration:
		return p.Microseconds() == 0
	case *diag.Pos:
		return !p.IsValid()
	}
	return false
}

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
func (e *Encoder) tagged(b []byte, ev Event) []byte {
	started, ok := ev.(*RunStarted)
	if ok {
		e.runs(started.Run)
	}
	v := reflect.ValueOf(ev).Elem()
	b = e.begin(b, `{"event":"`+shapeOf(v.Type()).kind+`","time":"`, *v.Field(1).Addr().Interface().(*time.Time))
	if ok {
		b = number(b, `,"version":`, Version)
	}
	return e.fields(b, v)
}

// part appends a field as tags specify; p points to it.
func (e *Encoder) part(b []byte, name string, p any) []byte {
	return e.value(appendKey(b, name), reflect.ValueOf(p).Elem(), p)
}

func appendKey(b []byte, name string) []byte {
	if b[len(b)-1] != '{' {
		b = append(b, ',')
	}
	b = append(append(b, '"'), name...)
	return append(b, '"', ':')
}

// fields appends the fields of a struct.
func (e *Encoder) fields(b []byte, v reflect.Value) []byte {
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
				b = appendData(b, *p)
			}
		case *error:
			b = e.failure(b, *p)
		case *Usage:
			b = e.fields(b, v)
		case **diag.Diagnostic:
			b = e.fields(b, reflect.ValueOf((*diagnostic)(*p)).Elem())
		default:
			b = e.value(appendKey(b, f.name), v, to)
		}
	}
	return b
}

// value appends v, to which to points.
func (e *Encoder) value(b []byte, v reflect.Value, to any) []byte {
	switch p := to.(type) {
	case *time.Duration:
		return appendSeconds(b, *p)
	case *float64:
		return strconv.AppendFloat(b, *p, 'f', -1, 64)
	case *os.Signal:
		name := ""
		if *p != nil {
			name = (*p).String()
		}
		return appendText(b, name)
	case *map[string]any:
		return appendOutputs(b, *p)
	case *Need:
		return p.encode(b)
	case *[Cancelled + 1]int:
		b = append(b, '{')
		for o := Succeeded; o <= Cancelled; o++ {
			b = strconv.AppendInt(appendKey(b, o.String()), int64(p[o]), 10)
		}
		return append(b, '}')
	case fmt.Stringer: // a position, or a value of an enumeration
		return appendText(b, p.String())
	}
	switch v.Kind() {
	case reflect.String:
		return appendText(b, v.String())
	case reflect.Bool:
		return strconv.AppendBool(b, v.Bool())
	case reflect.Slice:
		b = append(b, '[')
		for i := range v.Len() {
			if i > 0 {
				b = append(b, ',')
			}
			b = e.value(b, v.Index(i), v.Index(i).Addr().Interface())
		}
		return append(b, ']')
	case reflect.Struct:
		return append(e.fields(append(b, '{'), v), '}')
	}
	return strconv.AppendInt(b, v.Int(), 10)
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

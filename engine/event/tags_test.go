package event

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"strconv"
	"testing"
	"time"

	"github.com/weftrun/weft/schema/diag"
)

// TestTags: each event is encoded as the tags of its fields specify, which decoding uses. A field
// missing in its method encode, or with another name or position, fails.
func TestTags(t *testing.T) {
	var enc Encoder
	var by byTags
	for _, ev := range everyEvent() {
		sameAsByTags(t, &enc, &by, ev)
		sameAsByTags(t, &enc, &by, emptied(ev))
	}
}

// emptied returns a zero event of the type of ev.
func emptied(ev Event) Event {
	empty := reflect.New(reflect.TypeOf(ev).Elem()).Interface().(Event)
	switch ev := empty.(type) {
	case *Output:
		ev.Data = []byte{}
	case *DiagnosticFound:
		ev.Diagnostic = &diag.Diagnostic{}
	case *SignalReceived:
		ev.Signal = foreignSignal("")
	}
	return empty
}

func sameAsByTags(t *testing.T, enc *Encoder, by *byTags, ev Event) {
	t.Helper()
	got, want := enc.Encode(nil, ev), by.Encode(nil, ev)
	if !bytes.Equal(got, want) {
		t.Errorf("%T: it is encoded as\n%swhat its tags say is\n%s", ev, got, want)
	}
}

// byTags encodes events by the tags of their fields, using reflection.
type byTags struct {
	Encoder
	id string // identity of the run
}

func (e *byTags) Encode(b []byte, ev Event) []byte {
	v := reflect.ValueOf(ev).Elem()
	e.b = append(b, `{"event":"`...)
	e.b = append(e.b, shapeOf(v.Type()).kind...)
	e.b = append(e.b, `","time":"`...)
	at := v.Field(1).Addr().Interface().(*time.Time)
	e.b = at.Truncate(time.Microsecond).UTC().AppendFormat(e.b, time.RFC3339Nano)
	e.b = append(e.b, '"')
	started, ok := ev.(*RunStarted)
	if ok {
		e.id = started.Run
	}
	if e.id != "" {
		e.text("run", e.id)
	}
	if ok {
		e.key("version")
		e.b = strconv.AppendInt(e.b, Version, 10)
	}
	e.fields(v)
	b, e.b = append(e.b, '}', '\n'), nil
	return b
}

// fields appends the fields of a struct.
func (e *byTags) fields(v reflect.Value) {
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
func (e *byTags) value(v reflect.Value, to any) {
	switch p := to.(type) {
	case *string:
		e.b = appendText(e.b, *p)
		return
	case *StepID:
		e.b = strconv.AppendInt(e.b, int64(*p), 10)
		return
	case *int:
		e.b = strconv.AppendInt(e.b, int64(*p), 10)
		return
	case *time.Duration:
		e.duration(*p)
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
		var text bytes.Buffer
		enc := json.NewEncoder(&text)
		enc.SetEscapeHTML(false)
		enc.Encode(writable(*p))
		e.b = append(e.b, bytes.TrimSuffix(text.Bytes(), []byte{'\n'})...)
		return
	case *Need:
		e.b = append(e.b, '[')
		e.b = strconv.AppendInt(e.b, int64(p.Step), 10)
		e.b = append(e.b, ',')
		e.b = appendText(e.b, string(p.Until))
		e.b = append(e.b, ']')
		return
	case *[Cancelled + 1]int:
		e.b = append(e.b, '{')
		for o := Succeeded; o <= Cancelled; o++ {
			e.key(o.String())
			e.b = strconv.AppendInt(e.b, int64(p[o]), 10)
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

func (e *byTags) duration(d time.Duration) {
	us := d.Microseconds()
	if us < 0 {
		e.b, us = append(e.b, '-'), -us
	}
	e.b = strconv.AppendInt(e.b, us/1e6, 10)
	if us %= 1e6; us != 0 {
		e.b = append(e.b, '.')
		for ; us != 0; us = us * 10 % 1e6 {
			e.b = append(e.b, '0'+byte(us/1e5))
		}
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

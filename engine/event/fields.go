package event

import (
	"reflect"
	"strings"
	"sync"
	"time"

	"github.com/weftrun/weft/schema/diag"
)

// fact makes a struct an event: it is the first field, and Time the second. Its tag says
// what event files call the event. A field with a tag stands in event files under the name
// in it; without a name, the fields of its struct stand in its place. Behind the name the
// tag says when the field is left out:
//
//	omitzero   it is zero
//	same=NAME  it is the same as the field NAME, which stands before it
//	one=NAME   it and the field NAME are 1
type fact struct{}

func (*fact) event() {}

// kinds are the types of the events, by what event files call them.
var kinds = sync.OnceValue(func() map[string]reflect.Type {
	byName := map[string]reflect.Type{}
	for _, ev := range [...]Event{
		new(RunStarted), new(Planned), new(VarComputed), new(StepStarted), new(TaskSkipped), new(PreconditionFailed),
		new(PromptAssumed), new(StatusChecked), new(Waiting), new(CommandStarted), new(GroupLines), new(Output),
		new(CommandEnded), new(CommandSkipped), new(AttemptFailed), new(StopFailed), new(ErrorIgnored), new(BodyEnded),
		new(DeferFailed), new(Suspended), new(Resumed), new(StepSettled), new(WatchStarted), new(WatchTriggered),
		new(WatchEnded), new(WatchFailed), new(DiagnosticFound), new(SignalReceived), new(Snapshot), new(StillRunning),
		new(Leftover), new(RunFinished),
	} {
		t := reflect.TypeOf(ev).Elem()
		byName[shapeOf(t).kind] = t
	}
	return byName
})

// shape is how an event, or a part of one, stands in event files.
type shape struct {
	kind   string // what the event is called; "" for a part
	fields []field
}

// field is a field that stands in event files.
type field struct {
	name  string
	index int    // in its struct
	omit  string // when it is left out: "omitzero", "same", "one", or "" for never
	other int    // index of the field that same and one name
}

var shapes sync.Map // the shape of each reflect.Type that was needed

func shapeOf(t reflect.Type) *shape {
	if s, ok := shapes.Load(t); ok {
		return s.(*shape)
	}
	s := new(shape)
	for f := range t.Fields() {
		tag, ok := f.Tag.Lookup("event")
		if !ok {
			continue
		}
		if f.Type == reflect.TypeFor[fact]() {
			s.kind = tag
			continue
		}
		name, omit, _ := strings.Cut(tag, ",")
		omit, otherName, _ := strings.Cut(omit, "=")
		one := field{name: name, index: f.Index[0], omit: omit}
		if other, ok := t.FieldByName(otherName); ok {
			one.other = other.Index[0]
		}
		s.fields = append(s.fields, one)
	}
	shapes.Store(t, s)
	return s
}

// omitted reports whether the field of v is left out.
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

// isZero reports whether v is zero as event files have it.
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

// restore gives the field of v, which was left out, its value.
func (f *field) restore(v reflect.Value) {
	switch f.omit {
	case "same":
		v.Field(f.index).SetString(v.Field(f.other).String())
	case "one":
		v.Field(f.index).SetInt(1)
	}
}

// diagnostic is a [diag.Diagnostic] as it stands in event files.
type diagnostic struct {
	Pos      diag.Pos      `event:"position,omitzero"`
	Severity diag.Severity `event:"severity"`
	Kind     diag.Kind     `event:"kind"`
	What     string        `event:"what"`
	Why      string        `event:"why,omitzero"`
	Fix      string        `event:"fix,omitzero"`
}

// Masked returns ev with mask applied to every text in it but those of errors and what
// steps put out, which are masked where they are shown and where they are read. ev is
// not changed.
func Masked(ev Event, mask func(string) string) Event {
	if _, ok := ev.(*Output); ok {
		return ev
	}
	masked := reflect.New(reflect.TypeOf(ev).Elem())
	masked.Elem().Set(reflect.ValueOf(ev).Elem())
	maskFields(masked.Elem(), mask)
	return masked.Interface().(Event)
}

func maskFields(v reflect.Value, mask func(string) string) {
	for _, f := range shapeOf(v.Type()).fields {
		maskValue(v.Field(f.index), mask)
	}
}

func maskValue(v reflect.Value, mask func(string) string) {
	switch p := v.Addr().Interface().(type) {
	case *string:
		*p = mask(*p)
		return
	case **diag.Diagnostic:
		d := diagnostic(**p)
		maskFields(reflect.ValueOf(&d).Elem(), mask)
		*p = (*diag.Diagnostic)(&d)
		return
	}
	switch {
	case v.Kind() == reflect.Struct:
		maskFields(v, mask)
	case v.Kind() == reflect.Slice && !v.IsNil():
		list := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
		reflect.Copy(list, v)
		v.Set(list)
		for i := range v.Len() {
			maskValue(v.Index(i), mask)
		}
	}
}

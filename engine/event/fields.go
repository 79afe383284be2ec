package event

import (
	"reflect"
	"strings"
	"sync"

	"github.com/weftrun/weft/schema/diag"
)

// fact makes a struct an event: it is the first field, and Time the second. Its tag is the kind of
// event in event files. A field with a tag is written to event files under the name in it; if the
// name is empty, the fields of its struct are written in its place. After the name the tag
// specifies when the field is omitted:
//
//	omitzero   it is zero
//	same=NAME  it equals the field NAME, which precedes it
//	one=NAME   it and the field NAME are 1
type fact struct{}

func (*fact) event() {}

// kinds maps the kinds of event files to the types of events.
var kinds = sync.OnceValue(func() map[string]reflect.Type {
	byName := map[string]reflect.Type{}
	for _, ev := range [...]Event{
		new(RunStarted), new(Planned), new(VarComputed), new(StepStarted), new(TaskSkipped), new(PreconditionFailed),
		new(PromptAssumed), new(StatusChecked), new(StepChecked), new(Waiting), new(CommandStarted), new(GroupLines), new(Output),
		new(CommandEnded), new(BackgroundEnded), new(CommandSkipped), new(AttemptFailed), new(StopFailed), new(ErrorIgnored), new(BodyEnded),
		new(DeferFailed), new(Suspended), new(Resumed), new(Ready), new(Restarted), new(Stopping), new(Stopped),
		new(Message), new(Progress),
		new(StepSettled), new(WatchStarted), new(WatchTriggered), new(WatchEnded), new(WatchFailed), new(DiagnosticFound), new(SignalReceived), new(Snapshot), new(StillRunning),
		new(Leftover), new(RunFinished),
	} {
		t := reflect.TypeOf(ev).Elem()
		byName[shapeOf(t).kind] = t
	}
	return byName
})

// shape describes the encoding of an event, or of a part of one.
type shape struct {
	kind   string // kind of event; "" for a part
	fields []field
}

// field is an encoded field.
type field struct {
	name  string
	index int    // index in its struct
	omit  string // when it is omitted: "omitzero", "same", "one", or "" for never
	other int    // index of the field named by same and one
	plain bool   // it is encoded as a single field
}

var shapes sync.Map // cache of shapes by reflect.Type

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
		one := field{name: name, index: f.Index[0], omit: omit, plain: true}
		switch reflect.New(f.Type).Interface().(type) {
		case *[]byte, *error, *Usage, **diag.Diagnostic:
			one.plain = false
		}
		if other, ok := t.FieldByName(otherName); ok {
			one.other = other.Index[0]
		}
		s.fields = append(s.fields, one)
	}
	shapes.Store(t, s)
	return s
}

// restore sets the field of v, which was omitted.
func (f *field) restore(v reflect.Value) {
	switch f.omit {
	case "same":
		v.Field(f.index).SetString(v.Field(f.other).String())
	case "one":
		v.Field(f.index).SetInt(1)
	}
}

// diagnostic is the encoded form of a [diag.Diagnostic].
type diagnostic struct {
	Pos      diag.Pos      `event:"position,omitzero"`
	Severity diag.Severity `event:"severity"`
	Kind     diag.Kind     `event:"kind"`
	What     string        `event:"what"`
	Why      string        `event:"why,omitzero"`
	Fix      string        `event:"fix,omitzero"`
}

// Masked returns a copy of ev with mask applied to every text except errors and command output,
// which are masked where they are shown and read.
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

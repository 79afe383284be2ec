package event

import (
	"bytes"
	"reflect"
	"testing"

	"github.com/weftrun/weft/schema/diag"
)

// TestTags: each event is encoded as the tags of its fields specify, which decoding uses. A field
// missing in its method encode, or with another name or position, fails.
func TestTags(t *testing.T) {
	var enc, by Encoder
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

func sameAsByTags(t *testing.T, enc, by *Encoder, ev Event) {
	t.Helper()
	got, want := enc.Encode(nil, ev), encodeByTags(by, ev)
	if !bytes.Equal(got, want) {
		t.Errorf("%T: it is encoded as\n%swhat its tags say is\n%s", ev, got, want)
	}
}

// encodeByTags is Encode by the tags alone.
func encodeByTags(e *Encoder, ev Event) []byte { return append(e.tagged(nil, ev), '}', '\n') }

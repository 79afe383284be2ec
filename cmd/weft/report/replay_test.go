package report

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/weftrun/weft/engine/event"
)

// FuzzReplay: no recorded run, however corrupted, makes a reporter panic or pass control characters
// to the terminal, except in command output.
func FuzzReplay(f *testing.F) {
	var enc event.Encoder
	var all []byte
	for _, ev := range hostileEvents() {
		line := enc.Encode(nil, ev)
		f.Add(line)
		all = append(all, line...)
	}
	f.Add(all)
	f.Fuzz(func(t *testing.T, file []byte) {
		var evs []event.Event
		for line := range bytes.Lines(file) {
			if ev, err := event.Decode(line); err == nil && ev != nil {
				evs = append(evs, ev)
			}
		}
		for _, style := range []string{"interleaved", "group", "prefixed"} {
			var out bytes.Buffer
			o := Options{Stdout: NewOut(&out), Stderr: NewOut(&out), Name: "weft", Verbose: true, Terminal: true}
			r := Multi(New(style, o), NewSummary(o, nil), NewNDJSON(&bytes.Buffer{}, nil, nil))
			for _, ev := range evs {
				if written, ok := ev.(*event.Output); ok {
					written.Data = bytes.Repeat([]byte{'x'}, len(written.Data)) // output is passed on unchanged
				}
				r.Handle(ev)
			}
			r.Close()
			shown := out.String()
			if at := strings.IndexFunc(shown, obeyed); at >= 0 || !utf8.ValidString(shown) {
				t.Errorf("%s: %q holds what a terminal obeys", style, shown)
			}
		}
	})
}

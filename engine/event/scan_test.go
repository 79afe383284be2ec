package event

import (
	"bytes"
	"encoding/json"
	"testing"
	"unicode/utf8"
)

// FuzzScan compares decoded lines with encoding/json.
func FuzzScan(f *testing.F) {
	for _, text := range []string{
		`{}`, `[]`, `null`, ` {"a" : 1 , "b":[true,false,null,{"c":-1.5e+3}],"a":"2"} `, `{"a":01}`, `{"a":1.}`, `{"a":.5}`, `{"a":1e}`, `{"a":-}`, `{"a":1,}`,
		`{"a"}`, `{"a":}`, `{,}`, `[,]`, `[1,]`, `[1 2]`, `{"a":1}x`, `{"\u0061\n\"\\\/\b\f\r\t":1}`, `["\ud83d\ude00\ud83d\u0041\ude00\ud83d"]`, `["\u12g4"]`, `["\x"]`,
		"[\"\t\"]", `["`, `["\`, `["\u`, `[tru]`, `[nulll]`, `{"a":{"b":{"c":[[[["d"]]]]}}`, `{"event":"resumed","time":"2026-01-01T00:00:00Z","step":1}`, `["\ufffd\ud83d\ufffd"]`, `[0,-0,10,1E5,1e-7]`, ``, ` `,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if !utf8.Valid(b) || bytes.Count(b, []byte{'['})+bytes.Count(b, []byte{'{'}) >= deepest {
			t.Skip()
		}
		var members map[string]json.RawMessage
		o, err := readObject(b, nil)
		wantErr := json.Unmarshal(b, &members)
		if (err == nil) != (wantErr == nil) {
			t.Fatalf("%q: error %v, want %v", b, err, wantErr)
		}
		for name, want := range members {
			if got := o.get(name); string(got) != string(want) {
				t.Errorf("%q: %q is %q, want %q", b, name, got, want)
			}
		}
		var elements []json.RawMessage
		list, err := readList(b)
		wantErr = json.Unmarshal(b, &elements)
		if (err == nil) != (wantErr == nil) || err == nil && len(list) != len(elements) {
			t.Fatalf("%q: list %q, error %v, want %q, %v", b, list, err, elements, wantErr)
		}
		for i, want := range elements {
			var text string
			if string(list[i]) != string(want) {
				t.Errorf("%q: element %d is %q, want %q", b, i, list[i], want)
			} else if want[0] == '"' && json.Unmarshal(want, &text) == nil && json.Valid(want) {
				if got := string(unquote(list[i])); got != text {
					t.Errorf("%q is %q, want %q", want, got, text)
				}
			}
		}
	})
}

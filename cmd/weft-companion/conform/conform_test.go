package conform

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/weftrun/weft/engine/channel"
)

func TestConform(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	good := file("result schema.json", `{"type": "object", "required": ["result"], "properties": {"result": {"type": "integer"}, "more": {"$ref": "other.json"}}}`)
	file("other.json", `{"type": "array", "items": {"type": "string"}}`)
	var r Room
	for _, test := range []struct{ name, schema, message, want string }{
		{"good", good, `{"result": 13, "more": ["a"]}`, ""},
		{"large number", good, `{"result": 123456789012345678901234567890}`, ""},
		{"wrong type", good, `{"result": "13"}`, "/result: got string, want integer"},
		{"missing", good, `{}`, "/: missing property 'result'"},
		{"elsewhere", good, `{"result": 1, "more": [1, "a", 2]}`, "/more/0: got number, want string; /more/2: got number, want string"},
		{"much", good, `{"result": 1, "more": [1,2,3,4,5,6,7]}`, "and 2 more"},
		{"no schema", file("no.json", `{"type": 7}`), "", "error: "},
		{"no JSON", file("text.json", `{`), "", "error: "},
		{"none", filepath.Join(dir, "none.json"), "", "error: "},
		{"from elsewhere", file("remote.json", `{"$ref": "https://example.com/s.json"}`), "", errRemote.Error()},
		{"draft 7", file("old.json", `{"$schema": "http://json-schema.org/draft-07/schema#", "const": 1}`), "2", "/: value must be 1"},
	} {
		q := &channel.ConformRequest{Schema: test.schema}
		if test.message != "" {
			q.Message = []byte(test.message)
		}
		v, err := r.Conform(t.Context(), q)
		got := ""
		if err != nil {
			var of *channel.Error
			if got = "error: " + err.Error(); !errors.As(err, &of) || of.Kind != channel.Invalid {
				t.Errorf("%s: the error is %#v", test.name, err)
			}
		} else {
			got = v.Problem
		}
		if (got == "") != (test.want == "") || !strings.Contains(got, test.want) {
			t.Errorf("%s: %s, want %s", test.name, got, test.want)
		}
	}
	// What was read stays until it is to be read again.
	file("result schema.json", `false`)
	if v, err := r.Conform(t.Context(), &channel.ConformRequest{Schema: good, Message: []byte(`{"result": 1}`)}); err != nil || v.Problem != "" {
		t.Error(v, err)
	}
	r.Conform(t.Context(), &channel.ConformRequest{Schema: good})
	if v, err := r.Conform(t.Context(), &channel.ConformRequest{Schema: good, Message: []byte(`{"result": 1}`)}); err != nil || v.Problem == "" {
		t.Error(v, err)
	}
}

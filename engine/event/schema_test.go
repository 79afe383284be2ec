package event

import (
	"encoding/json"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

const schemaFile = "../../schema/events.schema.json"

func eventSchema(t *testing.T) *jsonschema.Schema {
	c := jsonschema.NewCompiler()
	s, err := c.Compile(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestSchemaTakes: encoded events are valid under the schema, and others are not.
func TestSchemaTakes(t *testing.T) {
	schema := eventSchema(t)
	valid := func(line string) error {
		v, err := jsonschema.UnmarshalJSON(strings.NewReader(line))
		if err != nil {
			return err
		}
		return schema.Validate(v)
	}
	var enc Encoder
	for _, ev := range append(everyEvent(), &PreconditionFailed{Step: 1, Message: "\xff"}, &Progress{Step: 1, Stage: Queued}, &Progress{Step: 1, Stage: Executing}, &Snapshot{Steps: []Running{{"\xff", nil}}}) {
		line := string(enc.Encode(nil, ev))
		if err := valid(line); err != nil {
			t.Errorf("%s: %v", line, err)
		}
	}
	for _, wrong := range []string{
		`{}`, `{"event":"odd","time":"2026-01-01T00:00:00Z"}`,
		`{"event":"output","time":"2026-01-01T00:00:00Z","step":1,"command":0,"stream":"stdout"}`,
		`{"event":"suspended","time":"2026-01-01T00:00:00Z","step":1,"odd":1}`,
		`{"event":"suspended","time":"2026-01-01T00:00:00Z"}`,
		`{"event":"prompt_assumed","time":"2026-01-01T00:00:00Z","step":1,"text":{"base64":7}}`,
	} {
		if valid(wrong) == nil {
			t.Errorf("the schema accepts %s", wrong)
		}
	}
}

// TestSchemaAgrees: for each kind of event the schema contains the encoded fields, each with a
// description, and requires those that Decode requires.
func TestSchemaAgrees(t *testing.T) {
	src, err := os.ReadFile(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	type object struct {
		Description string
		Properties  map[string]struct {
			Description string
			Const       any
			Ref         string `json:"$ref"`
		}
		Required []string
		OneOf    []struct{ Required []string }
	}
	var doc struct{ OneOf []object }
	if err := json.Unmarshal(src, &doc); err != nil {
		t.Fatal(err)
	}
	kinds := map[string]object{}
	for _, o := range doc.OneOf {
		kinds[o.Properties["event"].Const.(string)] = o
	}
	fields := map[string]map[string]bool{} // by kind: whether Decode requires it
	var enc Encoder
	for _, ev := range everyEvent() {
		line := map[string]json.RawMessage{}
		if err := json.Unmarshal(enc.Encode(nil, ev), &line); err != nil {
			t.Fatal(err)
		}
		var kind string
		json.Unmarshal(line["event"], &kind)
		if fields[kind] == nil {
			fields[kind] = map[string]bool{}
		}
		for name := range line {
			without := maps.Clone(line)
			delete(without, name)
			b, _ := json.Marshal(without)
			_, err := Decode(b)
			fields[kind][name] = err != nil
		}
	}
	for kind, o := range kinds {
		if o.Description == "" {
			t.Errorf("%s has no description", kind)
		}
		got, want := slices.Sorted(maps.Keys(o.Properties)), slices.Sorted(maps.Keys(fields[kind]))
		if !slices.Equal(got, want) {
			t.Errorf("%s: the schema has %v, an event %v", kind, got, want)
		}
		for name, p := range o.Properties {
			required := slices.Contains(o.Required, name)
			for _, one := range o.OneOf {
				required = required || slices.Contains(one.Required, name)
			}
			if demanded := fields[kind][name]; demanded != required && name != "event" {
				t.Errorf("%s.%s: required by the schema: %v, by Decode: %v", kind, name, required, demanded)
			}
			if p.Description == "" && p.Ref == "" {
				t.Errorf("%s.%s has no description", kind, name)
			}
		}
		delete(fields, kind)
	}
	if len(fields) > 0 {
		t.Errorf("the schema does not know %v", slices.Sorted(maps.Keys(fields)))
	}
}

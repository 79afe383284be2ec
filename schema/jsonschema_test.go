package schema

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"gopkg.in/yaml.v3"
)

var update = flag.Bool("update", false, "write taskfile.schema.json")

const schemaFile = "taskfile.schema.json"

type object map[string]any

// objectOf is the JSON Schema of a map with the keys of a table.
func objectOf[T any](keys []key[T], required ...string) object {
	props := object{}
	for _, k := range keys {
		var form object
		texts := keyTexts()[keyLengths{k.name, k.form, k.doc}]
		if texts.form == "false" {
			props[k.name] = false
			continue
		}
		if err := json.Unmarshal([]byte(texts.form), &form); err != nil {
			panic(k.name + ": " + err.Error())
		}
		form["description"] = texts.doc
		props[k.name] = form
	}
	o := object{"type": "object", "properties": props, "patternProperties": object{"^(x-.*|<<)$": true}, "additionalProperties": false}
	if len(required) > 0 {
		o["required"] = required
	}
	return o
}

func anyOf(forms ...any) object { return object{"anyOf": forms} }

func mapOf(def string) object {
	return object{"type": []string{"object", "null"}, "additionalProperties": ref(def)}
}

// without drops keys from the JSON Schema of a map.
func without(o object, names ...string) object {
	for _, name := range names {
		delete(o["properties"].(object), name)
	}
	return o
}

func ref(def string) object { return object{"$ref": "#/$defs/" + def} }

// jsonSchema is the published description of the format, made from the tables
// that drive decoding.
func jsonSchema(t *testing.T) []byte {
	text := object{"type": []string{"string", "number", "boolean", "null"}}
	root := objectOf(rootKeys, "version")
	root["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	root["title"] = "Taskfile"
	oneOf := func(o object, names ...string) object {
		var alternatives []any
		for _, n := range names {
			alternatives = append(alternatives, object{"required": []string{n}})
		}
		o["anyOf"] = alternatives
		return o
	}
	task := objectOf(taskKeys)
	task["dependentRequired"] = object{"ready": []string{"service"}, "alive": []string{"service"}, "restart": []string{"service"}, "listen": []string{"service"}}
	root["$defs"] = object{
		"tasks":         mapOf("task"),
		"task":          anyOf(text, ref("commands"), task),
		"commands":      object{"type": "array", "items": ref("command")},
		"command":       anyOf(text, oneOf(objectOf(commandKeys), "cmd", "task", "defer", "exec", "pipe", "parallel", "tee", "merge")),
		"defer":         anyOf(text, objectOf(deferKeys, "task")),
		"dep":           anyOf(text, objectOf(depKeys, "task")),
		"for":           anyOf(object{"type": []string{"string", "array"}}, oneOf(objectOf(forKeys), "var", "matrix")),
		"matrix":        object{"type": "object", "additionalProperties": anyOf(object{"type": "array"}, objectOf(matrixRowKeys, "ref"))},
		"onChange":      objectOf(onChangeKeys, "signal"),
		"stdin":         anyOf(object{"enum": []any{"inherit", "null", "route", nil}}, oneOf(objectOf(stdinKeys), "text", "file", "from", "output")),
		"taskRef":       objectOf(taskRefKeys, "task"),
		"ready":         oneOf(without(objectOf(probeKeys), "failures"), probeNames[:]...),
		"alive":         oneOf(without(objectOf(probeKeys), "log", "fd"), "http", "tcp", "exec", "file", "ipc"),
		"port":          objectOf(portKeys),
		"pool":          objectOf(poolKeys, "name"),
		"limits":        objectOf(limitsKeys),
		"ipc":           objectOf(ipcKeys),
		"rotate":        objectOf(rotateKeys, "size"),
		"sink":          anyOf(object{"enum": []any{"log", "inherit", "null", nil, "capture", "stdout"}}, oneOf(objectOf(sinkKeys), "capture", "file")),
		"capture":       objectOf(captureKeys),
		"retry":         objectOf(retryKeys, "max"),
		"namedOutput":   objectOf(outputsKeys),
		"stop":          anyOf(text, objectOf(stopKeys)),
		"cache":         objectOf(cacheKeys),
		"cacheText":     anyOf(text, objectOf(cacheTextKeys, "sh")),
		"rootCache":     objectOf(rootCacheKeys),
		"connection":    objectOf(connectionKeys, "url"),
		"connectionTLS": objectOf(connectionTLSKeys),
		"remote":        objectOf(remoteKeys),
		"profile":       objectOf(profileKeys),
		"runner":        oneOf(objectOf(runnerKeys), "file", "installed"),
		"taskRemote":    objectOf(taskRemoteKeys),
		"glob":          anyOf(text, objectOf(globKeys, "exclude")),
		"precondition":  anyOf(text, objectOf(preconditionKeys, "sh")),
		"requires":      objectOf(requiresKeys),
		"required":      anyOf(text, objectOf(requiredKeys, "name")),
		"enumRef":       objectOf(enumKeys, "ref"),
		"vars":          mapOf("var"),
		"var":           anyOf(object{"type": []string{"string", "number", "boolean", "null", "array"}}, oneOf(objectOf(varKeys), "sh", "ref", "map", "value")),
		"includes":      mapOf("include"),
		"include":       anyOf(object{"type": "string"}, oneOf(objectOf(includeKeys), "taskfile", "dir")),
		"output":        anyOf(object{"enum": []string{"interleaved", "group", "prefixed"}}, objectOf(outputKeys, "group")),
		"outputGroup":   objectOf(outputGroupKeys),
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(root); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestJSONSchema fails when the published file differs from the tables; run it with -update to
// write it.
func TestJSONSchema(t *testing.T) {
	want := jsonSchema(t)
	if *update {
		if err := os.WriteFile(schemaFile, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(schemaFile)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%s is stale (%v): go test ./schema -run JSONSchema -update", schemaFile, err)
	}
}

// validator returns a function that reports violations of the schema.
func validator(t *testing.T) func(src []byte) error {
	var doc any
	if err := json.Unmarshal(jsonSchema(t), &doc); err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("taskfile.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("taskfile.json")
	if err != nil {
		t.Fatal(err)
	}
	return func(src []byte) error {
		var v any
		if err := yaml.Unmarshal(src, &v); err != nil {
			return err
		}
		// Through JSON, as an editor reads it.
		b, err := json.Marshal(v)
		if err != nil {
			return err
		}
		if v, err = jsonschema.UnmarshalJSON(bytes.NewReader(b)); err != nil {
			return err
		}
		return s.Validate(v)
	}
}

func TestExamplesAreValid(t *testing.T) {
	validate := validator(t)
	for _, pattern := range []string{"../Taskfile.yml", "../examples/*/Taskfile.yml", "../examples/*/*/Taskfile.yml"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			src, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			if err := validate(src); err != nil {
				t.Errorf("%s: %v", f, err)
			}
		}
	}
}

func TestJSONSchemaRefuses(t *testing.T) {
	validate := validator(t)
	for _, tt := range []struct {
		src string
		ok  bool
	}{
		{"version: '3'\ntasks: {a: echo, b: [x, {cmd: y}], c: , d: {deps: [a, {task: b, for: [1]}], silent: yes}}", true},
		{"version: 3\nincludes: {a: b.yml, c: {taskfile: d.yml, vars: {A: {sh: x}}}}", true},
		{"version: 3\ntasks: {a: {cmds: [{for: {matrix: {A: [1], B: {ref: .X}}}, cmd: x}, {defer: x}, {defer: {task: b}}]}}", true},
		{"tasks: {}", false},
		{"version: 3\nfoo: 1", false},
		{"version: 3\ntasks: {a: {depends: [x]}}", false},
		{"version: 3\ntasks: {a: {cmds: x}}", false},
		{"version: 3\ntasks: {a: {cmds: [{silent: true}]}}", false},
		{"version: 3\nvars: {A: {foo: x}}", false},
		{"version: 3\nincludes: {a: {optional: true}}", false},
		{"version: 3\nsilent: maybe", false},
	} {
		if err := validate([]byte(tt.src)); (err == nil) != tt.ok {
			t.Errorf("%s\nvalid: %v, want %v (%v)", tt.src, err == nil, tt.ok, err)
		}
	}
}

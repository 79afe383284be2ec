//go:build linux

package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/weftrun/weft/engine/control"
)

// controlSchema returns the schema of the lines.
func controlSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	c := jsonschema.NewCompiler()
	const base = "https://github.com/weftrun/weft/schema/"
	for _, name := range []string{"control", "events"} {
		text, err := os.ReadFile("../../schema/" + name + ".schema.json")
		if err != nil {
			t.Fatal(err)
		}
		document, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		if err := c.AddResource(base+name+".schema.json", document); err != nil {
			t.Fatal(err)
		}
	}
	s, err := c.Compile(base + "control.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// checkPs checks the output of --ps for a run against its schema.
func checkPs(t *testing.T, env []string, run string) {
	t.Helper()
	schema, err := jsonschema.NewCompiler().Compile("../../schema/ps.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("weft", "--ps", "--json")
	cmd.Env = env
	text, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err == nil {
		err = schema.Validate(document)
	}
	if err != nil || !bytes.Contains(text, []byte(run)) || !bytes.Contains(text, []byte(`"state": "ready"`)) {
		t.Errorf("%v\n%s", err, text)
	}
	if spoiled, _ := jsonschema.UnmarshalJSON(bytes.NewReader(bytes.ReplaceAll(text, []byte(`"state"`), []byte(`"stat"`)))); schema.Validate(spoiled) == nil {
		t.Error("the schema takes a step without its state")
	}
}

// TestControlSchema: lines on the socket follow the schema, which rejects other lines.
func TestControlSchema(t *testing.T) {
	dir := t.TempDir()
	runtime, err := os.MkdirTemp("/tmp", "weft-test-") // a short path
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		endDetached(runtime)
		os.RemoveAll(runtime)
	})
	taskfile := "version: '3'\ntasks:\n  api: {service: true, ready: {log: up}, cmd: 'echo up; exec sleep 100'}\n  show: 'test {{.A}}{{.CLI_ARGS}} = 1x'\n"
	if err := os.WriteFile(filepath.Join(dir, "Taskfile.yml"), []byte(taskfile), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("weft", "--detach", "api")
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "XDG_RUNTIME_DIR="+runtime)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	all := control.List(func(string) string { return runtime })
	if len(all) != 1 || "run "+all[0].Run != strings.TrimSpace(string(out)) {
		t.Fatalf("found %v, told %q", all, out)
	}
	checkPs(t, cmd.Env, all[0].Run)
	c, err := control.Dial(all[0].Path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	schema := controlSchema(t)
	check := func(line []byte) {
		t.Helper()
		document, err := jsonschema.UnmarshalJSON(bytes.NewReader(line))
		if err == nil {
			err = schema.Validate(document)
		}
		if err != nil {
			t.Errorf("%v\n%s", err, line)
		}
	}
	hello, _ := json.Marshal(c.Hello)
	check(hello)
	first := int64(0)
	answered := map[int64]bool{}
	for _, q := range []control.Request{
		{Since: &first}, {Request: "state"}, {Request: "log", Task: "api"}, {Request: "wait", For: "ready"}, {Request: "wait", For: "long"},
		{Request: "restart", Task: "api"}, {Request: "restart", Task: "none"}, {Request: "start", Task: "show", Vars: map[string]string{"A": "1"}, Args: []string{"x"}}, {Request: "stop", Task: "1"},
	} {
		if line, err := json.Marshal(q); q.For != "long" && err == nil {
			q := bytes.Replace(line, []byte(`{`), []byte(`{"id":1,`), 1)
			check(q)
		}
		id, err := c.Send(q)
		if err != nil {
			t.Fatal(err)
		}
		for !answered[id] {
			a, err := c.Next()
			if err != nil {
				t.Fatal(err)
			}
			check(a.Line)
			answered[a.ID] = true
			if wrong := q.For == "long" || q.Task == "none"; a.Event == "" && wrong != (a.Error != "") {
				t.Errorf("%+v: answered %s", q, a.Line)
			}
		}
	}
	for _, wrong := range []string{
		`{}`, `{"id":1}`, `{"id":1,"ok":true,"error":"x"}`, `{"id":1,"ok":false}`, `{"id":[1],"request":"state"}`, `{"id":1,"request":"restart"}`, `{"id":1,"request":"reboot"}`, `{"request":"start","task":"x","vars":{"A":1}}`, `{"request":"start","task":"x","args":"y"}`,
		`{"since":-1}`, `{"control":2,"run":"x"}`, `{"event":"nonesuch"}`,
	} {
		document, _ := jsonschema.UnmarshalJSON(strings.NewReader(wrong))
		if schema.Validate(document) == nil {
			t.Errorf("the schema takes %s", wrong)
		}
	}
}

// TestTalkTo finds the run that a name means, or lists the runs.
func TestTalkTo(t *testing.T) {
	runtime, err := os.MkdirTemp("/tmp", "weft-test-") // a short path
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(runtime)
	a := &app{name: "weft", environ: []string{"XDG_RUNTIME_DIR=" + runtime, "WEFT_RUN_ID=outer:dead5555"}}
	for i, run := range []string{"abcd1111", "abcd2222", "7777", "dead5555"} {
		var s control.Server
		if err := s.Listen(a.env, control.Hello{Run: run, Pid: 5000 + i}, nil); err != nil {
			t.Fatal(err)
		}
		defer s.Close()
	}
	for _, tt := range []struct{ name, run, want string }{
		{"abcd1", "abcd1111", ""},
		{"abcd", "", "2 runs are active; name one: abcd1111, abcd2222"},
		{"", "", "3 runs are active; name one: "}, // not that which this program belongs to
		{"777", "7777", ""},
		{"5001", "abcd2222", ""},
		{"dead", "dead5555", ""}, // if it is named
		{"9\x1b[2J", "", `no run "9\x1b[2J"; weft --detach TASK`},
		{"../abcd", "", `no run "../abcd"`},
	} {
		c, err := a.connectTo(tt.name)
		switch {
		case err == nil && (c.Hello.Run != tt.run || tt.want != ""):
			t.Errorf("%q is run %s", tt.name, c.Hello.Run)
		case err != nil && (tt.want == "" || !strings.HasPrefix(err.Error(), tt.want)):
			t.Errorf("%q: %v, want %q", tt.name, err, tt.want)
		}
		if err == nil {
			c.Close()
		}
	}
}

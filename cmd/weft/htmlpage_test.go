package main

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"io"
	"strings"
	"testing"

	"github.com/weftrun/weft/cmd/weft/report/model"
	"github.com/weftrun/weft/engine/event"
)

// TestPlanPage checks that the page of a plan contains labels and needs, and no secrets.
func TestPlanPage(t *testing.T) {
	p := &event.Planned{Graph: []event.PlannedStep{{Step: 1, Name: "db", Label: "db hunter2"}, {Step: 2, Name: "all", Label: "all", Needs: []event.Need{{Step: 1, Until: event.UntilReady}}}}}
	var b bytes.Buffer
	if err := planPage(&b, p, []string{"all"}, func(s string) string { return strings.ReplaceAll(s, "hunter2", "*****") }); err != nil {
		t.Fatal(err)
	}
	_, data, _ := strings.Cut(b.String(), `id="data">`)
	data, _, _ = strings.Cut(data, "<")
	packed, err := gzip.NewReader(base64.NewDecoder(base64.StdEncoding, strings.NewReader(data)))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(packed)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"db *****"`, `"plan":1`, `"needs":[[0,1],[5]]`, `"kinds":[[0,1],[1]]`} {
		if !bytes.Contains(text, []byte(want)) {
			t.Errorf("the page lacks %s:\n%s", want, text)
		}
	}
	if bytes.Contains(text, []byte("hunter2")) || strings.Contains(b.String(), "hunter2") {
		t.Error("the page has a secret")
	}
}

// TestAround checks that a recorded command line is parsed like a typed one.
func TestAround(t *testing.T) {
	for _, test := range []struct {
		argv string
		want [2]string
	}{
		{"", [2]string{}},
		{"ci", [2]string{}},
		{"--report html=x.html -C 4 ci MODE=strict", [2]string{"", " MODE=strict"}},
		{"-dsub --taskfile=a.yml -g ci X=1 X=2 -- a=b -t *", [2]string{" -d sub -t a.yml -g", " X=2 -- a=b -t '*'"}},
		{"--no-such-flag ci X=1", [2]string{}},
	} {
		o, err := new(app).pageOptions(&model.Run{Argv: strings.Fields(test.argv)})
		if err != nil || o.Again != test.want {
			t.Errorf("%s: %q, %v; want %q", test.argv, o.Again, err, test.want)
		}
	}
}

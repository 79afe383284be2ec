package report

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/weftrun/weft/engine/event"
)

// readJUnit is a Python program that prints a report as parsed by junitparser.
const readJUnit = `
import json, sys
from junitparser import JUnitXml
def result(r):
    return [r._tag, r.type or '', r.message or '', (r.text or '').strip()]
xml = JUnitXml.fromfile(sys.argv[1])
print(json.dumps([{
    'suite': s.name, 'tests': s.tests, 'failures': s.failures, 'errors': s.errors, 'skipped': s.skipped, 'time': s.time,
    'properties': {p.name: p.value for p in s.properties()},
    'cases': [{'name': c.name, 'class': c.classname, 'time': c.time, 'results': [result(r) for r in c.result], 'out': c.system_out or ''} for c in s],
} for s in xml]))
`

// parsedSuite is a suite as junitparser has it.
type parsedSuite struct {
	Suite                            string
	Tests, Failures, Errors, Skipped int
	Time                             float64
	Properties                       map[string]string
	Cases                            []parsedCase
}

type parsedCase struct {
	Name, Class string
	Time        float64
	Results     [][4]string // tag, type, message, text
	Out         string
}

// python returns a Python that has junitparser; without one the test is skipped.
func python(t *testing.T) string {
	t.Helper()
	for _, path := range []string{"/usr/bin/python3", "python3"} {
		if exec.Command(path, "-c", "import junitparser").Run() == nil {
			return path
		}
	}
	t.Skip("without junitparser (apt-get install python3-junitparser) no other program reads the reports")
	return ""
}

// parseJUnit returns what junitparser reads in the report of a run.
func parseJUnit(t *testing.T, run Finished) parsedSuite {
	t.Helper()
	program := python(t)
	file := filepath.Join(t.TempDir(), "junit.xml")
	if err := os.WriteFile(file, []byte(junitOf(t, run)), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "-c", readJUnit, file)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	text, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, &stderr)
	}
	var suites []parsedSuite
	if err := json.Unmarshal(text, &suites); err != nil || len(suites) != 1 {
		t.Fatalf("%v: %s", err, text)
	}
	return suites[0]
}

// TestJUnitParser: junitparser reads the values that weft has written to a report.
func TestJUnitParser(t *testing.T) {
	got := parseJUnit(t, finished(sample()...))
	want := parsedSuite{Suite: "ci", Tests: 3, Failures: 1, Skipped: 1, Time: 72.31, Properties: map[string]string{"run": "d4a46ecb", "commit": "c0ffee", "weft": "v1.0.0"}, Cases: []parsedCase{
		{Name: "lint", Class: "weft", Time: 3.1, Results: [][4]string{}, Out: "a.js: no ;\na.js\n"},
		{Name: "unit", Class: "weft", Time: 12.3, Results: [][4]string{{"failure", "exit", "exit status 2", "--- FAIL\nFAIL"}}, Out: "--- FAIL\nFAIL\n--- FAIL again\n"},
		{Name: "e2e", Class: "api", Results: [][4]string{{"skipped", "", `cancelled: "unit" failed`, ""}}},
	}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

// TestJUnitParserHostile: the same of names and output that are not text, or would be XML, and of a
// long log.
func TestJUnitParserHostile(t *testing.T) {
	const name = "a:\x1b[31m\"<&>\xff\u202e\ufffe]]>"
	err := failed("<b>&]]>", event.ByTemplate)
	long := strings.Repeat("]]><testcase name=\"x\"/>\x00\x1b[2J\xff\n", 2<<20/30)
	run := finished(
		&event.RunStarted{Time: noon, Run: "r", Tasks: []string{name}},
		&event.StepStarted{Time: at(0), Step: 1, Name: name, Task: name},
		&event.CommandStarted{Time: at(0), Step: 1, Attempt: 1, Attempts: 1},
		&event.Output{Step: 1, Stream: event.Merged, Data: []byte(long)},
		&event.CommandEnded{Time: at(10), Step: 1, Err: err},
		&event.StepSettled{Time: at(10), Step: 1, Name: name, Task: name, Outcome: event.Failed, Err: err},
		&event.RunFinished{Time: at(20), Err: err})
	got := parseJUnit(t, run)
	if got.Tests != 1 || got.Errors != 1 || len(got.Cases) != 1 {
		t.Fatalf("%d tests, %d errors, %d cases", got.Tests, got.Errors, len(got.Cases))
	}
	c := got.Cases[0]
	if c.Class != "a" || len(c.Results) != 1 || c.Results[0][0] != "error" || c.Results[0][1] != "template" || c.Results[0][2] != "<b>&]]>" {
		t.Errorf("%q %q: %q", c.Class, c.Name, c.Results)
	}
	if !strings.HasPrefix(c.Out, `]]><testcase name="x"/>`) || len(c.Out) < 512<<10 || len(c.Out) > 2<<20 {
		t.Errorf("%d bytes of output: %.100q", len(c.Out), c.Out)
	}
}

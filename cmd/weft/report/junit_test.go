package report

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/weftrun/weft/cmd/weft/report/model"
	"github.com/weftrun/weft/engine/event"
)

// finished folds events, with the errors' own texts.
func finished(events ...event.Event) Finished {
	var f model.Folder
	logs := new(Logs)
	for _, ev := range events {
		f.Handle(ev)
		if out, ok := ev.(*event.Output); ok {
			logs.Handle(out)
		}
	}
	return Finished{Run: f.Run(), Logs: logs}
}

var noon = time.Date(2026, 11, 28, 10, 35, 57, 0, time.UTC)

// at returns noon plus some milliseconds.
func at(ms int) time.Time { return noon.Add(time.Duration(ms) * time.Millisecond) }

// failed returns an error as in a recorded run.
func failed(reason string, kind event.Kind) error {
	return &event.Failure{Text: reason, Shown: "weft: " + reason, Reason: reason, Kind: kind}
}

// try returns the events of one attempt of command 0 of a step with output text.
func try(step event.StepID, from, ms, number, of int, text string, err error) []event.Event {
	all := []event.Event{
		&event.CommandStarted{Time: at(from), Step: step, Attempt: number, Attempts: of},
		&event.Output{Step: step, Stream: event.Merged, Data: []byte(text)},
		&event.CommandEnded{Time: at(from + ms), Step: step, Err: err},
	}
	if err != nil && number < of {
		all = append(all, &event.AttemptFailed{Time: at(from + ms), Step: step, Attempt: number, Attempts: of, Err: err})
	}
	return all
}

// sample is a run with a failure, a flaky success and a cancelled step.
func sample() []event.Event {
	one, two := failed("exit status 1", ""), failed("exit status 2", "")
	all := []event.Event{
		&event.RunStarted{Time: noon, Run: "d4a46ecb", Tasks: []string{"ci"}, Host: "h", Commit: "c0ffee", Weft: "v1.0.0"},
		&event.StepStarted{Time: at(0), Step: 1, Name: "lint", Task: "lint"},
		&event.StepStarted{Time: at(0), Step: 2, Name: "unit", Task: "unit"},
	}
	all = append(all, try(1, 0, 1000, 1, 3, "a.js: no ;\n", one)...)
	all = append(all, try(2, 0, 6000, 1, 2, "--- FAIL\nFAIL\n", two)...)
	all = append(all, try(1, 1000, 2100, 2, 3, "a.js\n", nil)...)
	all = append(all, &event.StepSettled{Time: at(3100), Step: 1, Name: "lint", Task: "lint", Outcome: event.Succeeded, Duration: 3100 * time.Millisecond})
	all = append(all, try(2, 6000, 6300, 2, 2, "--- \x1b[31mFAIL\x1b[0m again\n", two)...)
	return append(all,
		&event.StepSettled{Time: at(12300), Step: 2, Name: "unit", Task: "unit", Outcome: event.Failed, Err: two, Duration: 12300 * time.Millisecond},
		&event.StepSettled{Time: at(12300), Step: 3, Name: "api:e2e", Task: "api:e2e", Outcome: event.Cancelled, Cause: 2, Err: two},
		&event.RunFinished{Time: at(72310), Err: two})
}

// junitOf returns the report and checks that it is valid XML and follows the schema.
func junitOf(t *testing.T, run Finished) string {
	t.Helper()
	var b bytes.Buffer
	if err := WriteJUnit(&b, run); err != nil {
		t.Fatal(err)
	}
	dec := xml.NewDecoder(bytes.NewReader(b.Bytes()))
	for {
		if _, err := dec.Token(); err == io.EOF {
			break
		} else if err != nil {
			t.Fatalf("%v\n%.2000s", err, b.String())
		}
	}
	validate(t, b.Bytes())
	return b.String()
}

// validate checks a report against our schema and that of Jenkins, if xmllint is installed.
func validate(t *testing.T, doc []byte) {
	t.Helper()
	lint, err := exec.LookPath("xmllint")
	if err != nil {
		return // TestSample reports this
	}
	file := filepath.Join(t.TempDir(), "junit.xml")
	if err := os.WriteFile(file, doc, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, schema := range []string{"../../../schema/junit.xsd", "testdata/junit-10.xsd"} {
		if out, err := exec.Command(lint, "--noout", "--huge", "--schema", schema, file).CombinedOutput(); err != nil {
			t.Errorf("%s: %v: %s\n%.3000s", schema, err, out, doc)
		}
	}
}

func TestSample(t *testing.T) {
	want, err := os.ReadFile("testdata/junit.xml")
	if err != nil {
		t.Fatal(err)
	}
	if got := junitOf(t, finished(sample()...)); got != string(want) {
		t.Errorf("got %s\nwant %s", got, want)
	}
	if _, err := exec.LookPath("xmllint"); err != nil {
		t.Skip("without xmllint (of libxml2-utils) the reports are not held against their schemas")
	}
	for _, wrong := range []string{
		strings.Replace(string(want), `name="lint"`, `named="lint"`, 1),
		strings.Replace(string(want), `time="3.100"`, `time="3.1"`, 1),
		strings.Replace(string(want), `type="exit"`, `type="odd"`, 1),
		strings.Replace(string(want), "<system-out>", "<system-err>x</system-err><system-out>", 1),
	} {
		cmd := exec.Command("xmllint", "--noout", "--schema", "../../../schema/junit.xsd", "-")
		cmd.Stdin = strings.NewReader(wrong)
		if wrong == string(want) || cmd.Run() == nil {
			t.Errorf("the schema accepts %s", wrong)
		}
	}
}

// TestJUnitCases: the case for each outcome of a step.
func TestJUnitCases(t *testing.T) {
	settled := func(o event.Outcome, cause event.StepID, err error) *event.StepSettled {
		return &event.StepSettled{Time: at(1), Step: 2, Name: "a", Task: "a", Outcome: o, Cause: cause, Err: err}
	}
	first := &event.StepSettled{Time: at(1), Step: 1, Name: "first", Task: "the \"first\"", Outcome: event.Failed, Err: failed("exit status 1", "")}
	for name, tt := range map[string]struct {
		events []event.Event
		want   string
	}{
		"succeeded":    {[]event.Event{settled(event.Succeeded, 0, nil)}, ``},
		"fresh":        {[]event.Event{settled(event.Fresh, 0, nil)}, `<system-out>up to date</system-out>`},
		"restored":     {[]event.Event{&event.Output{Step: 2, Data: []byte("as before")}, settled(event.Restored, 0, nil)}, `<system-out>as before</system-out>`},
		"exit":         {[]event.Event{settled(event.Failed, 0, failed("exit status 3", ""))}, `<failure type="exit" message="exit status 3"></failure>`},
		"signal":       {[]event.Event{settled(event.Failed, 0, failed("killed by SIGKILL", event.BySignal))}, `<failure type="signal" message="killed by SIGKILL"></failure>`},
		"time-out":     {[]event.Event{settled(event.Failed, 0, failed("timed out after 2m", event.ByTimeout))}, `<failure type="timeout" message="timed out after 2m"></failure>`},
		"idle":         {[]event.Event{settled(event.Failed, 0, failed("no output for 1m", event.ByIdle))}, `<failure type="idle" message="no output for 1m"></failure>`},
		"precondition": {[]event.Event{&event.PreconditionFailed{Time: at(1), Step: 2, Message: "start <docker>"}, settled(event.Failed, 0, failed("not met", event.ByPrecondition))}, `<failure type="precondition" message="precondition: start &lt;docker&gt;"></failure>`},
		"output":       {[]event.Event{settled(event.Failed, 0, failed("disk full", event.ByOutput))}, `<failure type="output" message="disk full"></failure>`},
		"variable":     {[]event.Event{settled(event.Failed, 0, failed("X", event.ByVariable))}, `<error type="variable" message="X"></error>`},
		"template":     {[]event.Event{settled(event.Failed, 0, failed("X", event.ByTemplate))}, `<error type="template" message="X"></error>`},
		"program":      {[]event.Event{settled(event.Failed, 0, failed("X", event.ByProgram))}, `<error type="program" message="X"></error>`},
		"weft":         {[]event.Event{settled(event.Failed, 0, failed("X", event.ByWeft))}, `<error type="weft" message="X"></error>`},
		"of another":   {[]event.Event{first, settled(event.Failed, 1, failed("X", ""))}, `<skipped message="&quot;the \&quot;first\&quot;&quot; failed"/>`},
		"skipped":      {[]event.Event{first, settled(event.Skipped, 1, nil)}, `<skipped message="&quot;the \&quot;first\&quot;&quot; failed"/>`},
		"if":           {[]event.Event{&event.TaskSkipped{Time: at(1), Step: 2, Reason: event.ByIf}, settled(event.Skipped, 0, nil)}, `<skipped message="its condition (if) is not met"/>`},
		"platform":     {[]event.Event{&event.TaskSkipped{Time: at(1), Step: 2, Reason: event.ByPlatform}, settled(event.Skipped, 0, nil)}, `<skipped message="it is not for this platform"/>`},
		"cancelled":    {[]event.Event{settled(event.Cancelled, 0, failed("stopped by signal: interrupt", event.ByWeft))}, `<skipped message="cancelled: stopped by signal: interrupt"/>`},
		"because of":   {[]event.Event{first, settled(event.Cancelled, 1, failed("X", ""))}, `<skipped message="cancelled: &quot;the \&quot;first\&quot;&quot; failed"/>`},
	} {
		all := append([]event.Event{&event.RunStarted{Time: noon}}, tt.events...)
		got := junitOf(t, finished(append(all, &event.RunFinished{Time: at(2)})...))
		if want := `<testcase classname="weft" name="a" time="0.000">` + tt.want + `</testcase>`; !strings.Contains(got, want) {
			t.Errorf("%s: no %s in %s", name, want, got)
		}
	}
}

// TestJUnitOfNoStep: a run that fails or does not end has a failing case, even without steps.
func TestJUnitOfNoStep(t *testing.T) {
	start := &event.RunStarted{Time: noon, Tasks: []string{"a", "b"}}
	for want, run := range map[string]Finished{
		`<testcase classname="weft" name="a b" time="0.000"><error type="weft" message="cycle"></error></testcase>`: finished(start, &event.RunFinished{Time: at(1), Err: failed("cycle", event.ByWeft)}),
		`<error type="weft" message="the run did not end"></error>`:                                                 finished(start),
	} {
		if got := junitOf(t, run); !strings.Contains(got, want) || !strings.Contains(got, `tests="1" failures="0" errors="1"`) {
			t.Errorf("no %s in %s", want, got)
		}
	}
	if got := junitOf(t, finished(start, &event.RunFinished{Time: at(1)})); !strings.Contains(got, `tests="0" failures="0" errors="0"`) {
		t.Errorf("%s", got)
	}
}

// TestJUnitNames: case names are unique, whatever the tasks' names.
func TestJUnitNames(t *testing.T) {
	all := []event.Event{&event.RunStarted{Time: noon}}
	for i, name := range []string{"a", "a", "a (2)", "api:web:build", "api:web:build", ":x", "\x1b[31m\"<&>\xff\u202e\ufffe\n\t"} {
		all = append(all, &event.StepSettled{Time: at(1), Step: event.StepID(i + 1), Name: name, Task: name, Outcome: event.Succeeded})
	}
	got := junitOf(t, finished(append(all, &event.RunFinished{Time: at(2)})...))
	for _, want := range []string{`"weft" name="a" `, `"weft" name="a (2)" `, `"weft" name="a (2) (2)" `, `"api.web" name="build" `, `"api.web" name="build (2)" `, `"weft" name=":x" `, `"weft" name="�[31m&quot;&lt;&amp;&gt;�\u202e�\n&#9;" `} {
		if !strings.Contains(got, "classname="+want) {
			t.Errorf("no %s in %s", want, got)
		}
	}
}

// TestJUnitLogs: logs are cut if too large, those of passed steps first.
func TestJUnitLogs(t *testing.T) {
	all := []event.Event{&event.RunStarted{Time: noon}}
	line := strings.Repeat("<", 1023) + "\n"
	for step := range event.StepID(9) {
		outcome := event.Succeeded
		if step%3 == 0 {
			outcome = event.Failed
		}
		for i := range 1200 {
			all = append(all, &event.Output{Step: step + 1, Data: []byte(fmt.Sprintf("%d.%d.", step, i) + line)})
		}
		all = append(all, &event.StepSettled{Time: at(1), Step: step + 1, Name: "s", Task: "s", Outcome: outcome, Err: failed("exit status 1", "")})
	}
	var b bytes.Buffer
	if err := WriteJUnit(&b, finished(append(all, &event.RunFinished{Time: at(2), Err: failed("x", "")})...)); err != nil {
		t.Fatal(err)
	}
	doc := b.String()
	if len(doc) > junitLogs+100_000 || len(doc) < junitLogs/2 {
		t.Errorf("%d bytes", len(doc))
	}
	if n := strings.Count(doc, " are omitted"); n != 9 {
		t.Errorf("%d logs are cut", n)
	}
	for step, want := range map[int]bool{0: true, 3: true, 1: true, 8: false} {
		begin, end := fmt.Sprintf("%d.0.&lt;", step), fmt.Sprintf("%d.1199.&lt;", step)
		if strings.Contains(doc, ">"+begin) != want || strings.Contains(doc, "\n"+end) != want {
			t.Errorf("the log of step %d is there: %v, want %v", step, !want, want)
		}
	}
}

// TestJUnitOfMany: a report of 10,000 steps is written quickly and with little memory.
func TestJUnitOfMany(t *testing.T) {
	all := []event.Event{&event.RunStarted{Time: noon}}
	for i := range 10_000 {
		id := event.StepID(i + 1)
		all = append(all, try(id, i, 1, 1, 1, "some text\n", nil)...)
		all = append(all, &event.StepSettled{Time: at(i), Step: id, Name: "s", Task: fmt.Sprint("s", i), Outcome: event.Succeeded})
	}
	run := finished(append(all, &event.RunFinished{Time: at(20_000)})...)
	if n := testing.AllocsPerRun(1, func() { WriteJUnit(io.Discard, run) }); n > 500_000 {
		t.Errorf("%v allocations", n)
	}
	junitOf(t, run)
}

func BenchmarkJUnit(b *testing.B) {
	all := []event.Event{&event.RunStarted{Time: noon}}
	for i := range 10_000 {
		id := event.StepID(i + 1)
		all = append(all, try(id, i, 1, 1, 1, strings.Repeat("some text\n", 20), nil)...)
		all = append(all, &event.StepSettled{Time: at(i), Step: id, Name: "s", Task: fmt.Sprint("s", i), Outcome: event.Succeeded})
	}
	run := finished(append(all, &event.RunFinished{Time: at(20_000)})...)
	b.ReportAllocs()
	for b.Loop() {
		WriteJUnit(io.Discard, run)
	}
}

// FuzzJUnitLog: for any output in any pieces, the report is valid XML.
func FuzzJUnitLog(f *testing.F) {
	f.Add([]byte("a\x1b[31mb\r\n]]>\xff\xfe\x00\ufffe\u202e"), 3)
	f.Add([]byte(strings.Repeat("\u20ac", 30_000)), 1<<16)
	f.Fuzz(func(t *testing.T, p []byte, n int) {
		all := []event.Event{&event.RunStarted{Time: noon, Tasks: []string{string(p)}}}
		for len(p) > 0 {
			k := min(len(p), max(1, n&0xffff))
			all = append(all, &event.Output{Step: 1, Data: p[:k]})
			p = p[k:]
		}
		all = append(all, &event.StepSettled{Time: at(1), Step: 1, Name: "a", Task: "a", Outcome: event.Succeeded}, &event.RunFinished{Time: at(1)})
		var b bytes.Buffer
		if err := WriteJUnit(&b, finished(all...)); err != nil {
			t.Fatal(err)
		}
		if err := xml.Unmarshal(b.Bytes(), new(struct{})); err != nil {
			t.Errorf("%v in %q", err, b.Bytes())
		}
	})
}

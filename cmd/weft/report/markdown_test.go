package report

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/weftrun/weft/cmd/weft/report/model"
	"github.com/weftrun/weft/engine/event"
)

// markdownOf returns the summary of a run.
func markdownOf(t *testing.T, evs ...event.Event) string {
	t.Helper()
	var folder model.Folder
	var logs Logs
	for _, ev := range evs {
		folder.Handle(ev)
		if out, ok := ev.(*event.Output); ok {
			logs.Handle(out)
		}
	}
	var b bytes.Buffer
	if err := WriteMarkdown(&b, Finished{Run: folder.Run(), Logs: &logs}); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestMarkdown(t *testing.T) {
	want := "### weft ci: failed\n\n" +
		"14s · 2 failed · 1 cancelled · 2 succeeded · 1 up to date\n\n" +
		"| step | result | time | cached | attempts |\n|---|---|--:|---|--:|\n" +
		"| unit | **failed**: exit status 2 | 12.3s |  |  |\n" +
		"| e2e | **failed**: exit status 2 | 13s |  |  |\n" +
		"| lint | succeeded | 3.1s |  |  |\n" +
		"| cleanup | succeeded | 1s |  |  |\n" +
		"| gen | up to date | 0s | yes |  |\n" +
		"\nCritical path: "
	details := "\n<details><summary>unit: exit status 2</summary>\n\n```text\n=== RUN TestParse\n--- FAIL: TestParse\n```\n\n</details>\n" +
		"\n<details><summary>e2e: exit status 2</summary>\n\n```text\ne2e\n```\n\n</details>\n"
	got := markdownOf(t, ciEvents()...)
	if !strings.HasPrefix(got, want) || !strings.HasSuffix(got, details) {
		t.Errorf("got:\n%s\nwant:\n%s…%s", got, want, details)
	}
}

// TestMarkdownHostile: names, reasons and output appear as text, not as Markdown or HTML, and stay
// in their cell.
func TestMarkdownHostile(t *testing.T) {
	name := "a|b`c<img src=x>\n# [x](http://y) ![z](w) *b* &lt; @you"
	err := &event.Failure{Text: name, Reason: name}
	got := markdownOf(t,
		&event.RunStarted{Time: ciStart, Tasks: []string{name}},
		&event.StepStarted{Time: ciStart, Step: 1, Task: name, Name: name},
		&event.Output{Time: ciStart, Step: 1, Data: []byte("a\n```\n</details><script>\n````\x1b[31mred\x1b[0m\n")},
		&event.StepSettled{Time: ciStart, Step: 1, Task: name, Name: name, Outcome: event.Failed, Err: err},
		&event.RunFinished{Time: ciStart, Err: err, Counts: [event.Cancelled + 1]int{event.Failed: 1}})
	for line := range strings.Lines(got) {
		if strings.HasPrefix(line, "| a") && strings.Count(strings.ReplaceAll(line, `\|`, ""), "|") != 6 {
			t.Errorf("a name leaves its cell: %q", line)
		}
		if strings.HasPrefix(line, "#") && !strings.HasPrefix(line, "### weft") {
			t.Errorf("a heading: %q", line)
		}
	}
	before, log, _ := strings.Cut(got, "`````text\n")
	if strings.Contains(before, "<img") || strings.Contains(before, "[x](") && !strings.Contains(before, `\[x\](`) || !strings.Contains(log, "````red\n`````\n") {
		t.Errorf("%s", got)
	}
}

// TestMarkdownSize: a run of many failures with long logs stays within the limits of CI systems.
func TestMarkdownSize(t *testing.T) {
	evs := []event.Event{&event.RunStarted{Time: ciStart}}
	for i := range 300 {
		id, name := event.StepID(i+1), strings.Repeat(fmt.Sprint("<", i), 500)
		err := &event.Failure{Text: name, Reason: name}
		evs = append(evs, &event.StepStarted{Time: ciStart, Step: id, Task: name, Name: name}, &event.Output{Time: ciStart, Step: id, Data: bytes.Repeat([]byte("x\u202e"), 100<<10)},
			&event.StepSettled{Time: ciStart.Add(time.Second), Step: id, Task: name, Name: name, Outcome: event.Failed, Err: err})
	}
	got := markdownOf(t, append(evs, &event.RunFinished{Time: ciTime(2), Err: errStatus1})...)
	if len(got) > markdownSize || !strings.Contains(got, "290 more failed") {
		t.Errorf("%d bytes", len(got))
	}
}

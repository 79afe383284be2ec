package report

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/weftrun/weft/engine/event"
)

func TestTimings(t *testing.T) {
	var b bytes.Buffer
	r := NewTimings(Options{Stdout: NewOut(&b), Stderr: NewOut(&b), Name: "weft"})
	for _, ev := range traced() {
		r.Handle(ev)
	}
	if r.Close() != nil || !r.Wants().Graph {
		t.Error("it does not want what it needs")
	}
	const want = `weft: "ci" took 31ms
    took   waited  slowest tasks
     8ms      4ms  gen
     4ms           unit "<\x1b\
     2ms      5ms  ci
    took    share  critical path
     1ms      3 %  weft itself
     1ms      3 %  gen waits for a slot
     3ms     10 %  gen waits for another weft
     5ms     16 %  gen
     5ms     16 %  ci waits for a slot
     1ms      3 %  ci
     4ms     13 %  unit "<\x1b\
     1ms      3 %  ci
    10ms     32 %  weft itself
`
	if got := b.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// TestTimingsOfMany: of many tasks the slowest are listed, and the short ones combined.
func TestTimingsOfMany(t *testing.T) {
	var b bytes.Buffer
	r := NewTimings(Options{Stdout: NewOut(&b), Stderr: NewOut(&b), Name: "weft"})
	r.Handle(&event.RunStarted{Time: noon})
	p := &event.Planned{Time: noon}
	for i := range 300 {
		s := event.PlannedStep{Step: event.StepID(i + 1), Name: fmt.Sprint(i), Label: fmt.Sprint(i)}
		if i > 0 {
			s.Needs = []event.Need{{Step: event.StepID(i), Until: event.UntilSucceeded}}
		}
		p.Graph = append(p.Graph, s)
	}
	r.Handle(p)
	now := noon
	for i := range 300 {
		id := event.StepID(i + 1)
		r.Handle(&event.StepStarted{Time: now, Step: id, Name: fmt.Sprint(i), Task: fmt.Sprint(i)})
		now = now.Add(time.Duration(i+1) * time.Second)
		r.Handle(&event.StepSettled{Time: now, Step: id, Name: fmt.Sprint(i), Task: fmt.Sprint(i), Outcome: event.Succeeded})
	}
	r.Handle(&event.RunFinished{Time: now})
	got := b.String()
	if n := strings.Count(got, "\n"); n != 3+mostTimings+1 || !strings.Contains(got, "    5m           299\n") || !strings.Contains(got, "12h32m30s    100 %  300 shorter ones\n") {
		t.Errorf("%d lines: %s", n, got)
	}
}

package tui

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"

	"github.com/weftrun/weft/engine/control"
	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/schema/diag"
)

var began = time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)

// sample is a screen of a run with a service, a failure, and a step that runs.
func sample(width, height int) (s *screen, asked *[]string) {
	s = &screen{run: run{title: "weft dev", byID: map[event.StepID]*step{}}, width: width, height: height, now: began.Add(72 * time.Second)}
	asked = new([]string)
	s.request = func(q control.Request) { *asked = append(*asked, q.Request+" "+q.Task) }
	at := func(seconds int) time.Time { return began.Add(time.Duration(seconds) * time.Second) }
	for _, ev := range []event.Event{
		&event.StepStarted{Time: at(0), Step: 1, Name: "db", Task: "db"},
		&event.CommandStarted{Time: at(0), Step: 1, Text: "postgres -D data", Pos: diag.Pos{File: &diag.File{Path: "Taskfile.yml"}, Line: 3, Column: 5}, Service: true},
		&event.Ready{Time: at(2), Step: 1, Restarts: 1},
		&event.Output{Time: at(2), Step: 1, Data: []byte("listening on :5432\n")},
		&event.StepStarted{Time: at(2), Step: 2, Name: "lint", Task: "lint", Reasons: []string{"a source has changed"}},
		&event.CommandStarted{Time: at(2), Step: 2, Text: "golangci-lint"},
		&event.Output{Time: at(3), Step: 2, Data: []byte("\x1b[31mred\x1b[m \x1b[2J\x1b]0;title\a日本\x1b[1G>\nlast")},
		&event.CommandEnded{Time: at(5), Step: 2, Code: 1},
		&event.StepSettled{Time: at(5), Step: 2, Outcome: event.Failed, Code: 1, Duration: 3 * time.Second},
		&event.StepStarted{Time: at(60), Step: 3, Name: "unit", Task: "unit \u202eevil\x1b[2J"},
	} {
		s.handle(ev)
	}
	return s, asked
}

func (s *screen) lines() []string {
	all := strings.Split(ansi.Strip(s.view()), "\n")
	for i := range all {
		all[i] = strings.TrimRight(all[i], " ")
	}
	return all
}

// TestView shows the same run on screens of several sizes.
func TestView(t *testing.T) {
	for _, tt := range []struct {
		width int
		want  []string
	}{
		{80, []string{" weft dev                     │ db · ready 1m10s · restarts 1", " ● db             ready  1m10s│ listening on :5432", " ✗ lint          exit 1     3s│"}},
		{200, []string{" weft dev                     │ db · ready 1m10s · restarts 1", " ● db             ready  1m10s│ listening on :5432", " ✗ lint          exit 1     3s│"}},
		{40, []string{" weft dev", " ● db                       ready  1m10s", " ✗ lint                    exit 1     3s"}},
	} {
		s, _ := sample(tt.width, 10)
		got := s.lines()
		if len(got) != 10 || !slices.Equal(got[:3], tt.want) {
			t.Errorf("%d columns:\n%s", tt.width, strings.Join(got, "\n"))
		}
		if want := " 2/3 · 1 failed  ? keys"; got[9] != want {
			t.Errorf("%d columns: last line %q", tt.width, got[9])
		}
		for _, key := range []string{"tab", "enter", "w", "z", "?"} {
			s.key(key)
			for _, line := range strings.Split(s.view(), "\n") {
				if n := ansi.StringWidth(line); n > tt.width {
					t.Errorf("%d columns, %s: %d in %q", tt.width, key, n, line)
				}
			}
		}
	}
	s, _ := sample(39, 10)
	if got := s.view(); got != "at least 40 columns, 10 lines" {
		t.Errorf("%q", got)
	}
}

// TestHostile: what a step writes and is called moves nothing on the screen.
func TestHostile(t *testing.T) {
	s, _ := sample(80, 12)
	s.key("j")
	for range 2 { // the step that runs has an odd name, and a message tells it
		s.key("j")
	}
	s.key("r")
	if view := s.view(); strings.Contains(view, "evil\x1b") || !strings.Contains(view, "is running; s stops it") {
		t.Errorf("the message is %q", view)
	}
	s.key("k")
	view := s.view()
	if !strings.Contains(view, ">\x1b[0;31med\x1b[0m 日本") {
		t.Errorf("no colours, or not what is left of the line: %q", view)
	}
	for _, bad := range []string{"\x1b[2J", "\x1b]0;", "\a", "\u202e", "\x1b[1G"} {
		if strings.Contains(view, bad) {
			t.Errorf("%q is in %q", bad, view)
		}
	}
}

// TestAgain runs a step again: by its number, where its name would not give it its variables.
func TestAgain(t *testing.T) {
	s, asked := sample(80, 12)
	for i, ev := range []event.StepStarted{{Name: "named"}, {Name: "given", GivenVars: true}, {Name: "inner", Internal: true}} {
		ev.Step, ev.Task = event.StepID(10+i), ev.Name
		s.handle(&ev)
		s.handle(&event.StepSettled{Step: ev.Step, Outcome: event.Succeeded})
		s.selected = s.byID[ev.Step]
		s.key("r")
	}
	if want := []string{"start named", "start 11", "start 12"}; !slices.Equal(*asked, want) {
		t.Errorf("asked for %q", *asked)
	}
}

// TestKeys asks the run, and looks around.
func TestKeys(t *testing.T) {
	s, asked := sample(80, 12)
	for _, key := range []string{"r", "s", "j", "r", "s", "j", "s", "r", "R"} {
		s.key(key)
	}
	if want := []string{"restart 1", "stop 1", "start lint", "stop 3"}; !slices.Equal(*asked, want) {
		t.Errorf("asked for %q", *asked)
	}
	s.watched = []string{"a", "b"}
	s.key("R")
	if want := []string{"start a", "start b"}; !slices.Equal((*asked)[4:], want) {
		t.Errorf("asked for %q", *asked)
	}
	s.key("x")
	if all := s.listed(); len(all) != 1 || all[0].label != "lint" {
		t.Errorf("failed: %v", all)
	}
	for _, key := range []string{"a", "f", "u", "x", "backspace", "n", "enter"} {
		s.key(key)
	}
	if all := s.listed(); len(all) != 1 || all[0].rerunArg != "unit" || s.quit {
		t.Errorf("filtered by %q: %v", s.filter, all)
	}
	for _, key := range []string{"a", "k", "k", "k"} {
		s.key(key)
	}
	if c, _ := s.selectedStep(); c.label != "db" {
		t.Errorf("at the top is %q", c.label)
	}
	s.key("enter")
	if text := strings.Join(s.lines(), "\n"); !strings.Contains(text, "command: postgres -D data") || !strings.Contains(text, "at: Taskfile.yml:3:5") {
		t.Errorf("detail:\n%s", text)
	}
	if s.key("q"); !s.quit || s.signal {
		t.Error("q does not leave")
	}
	if s.key("ctrl+c"); !s.signal {
		t.Error("Ctrl-C does not interrupt")
	}
}

// TestScroll goes through a long log, of which the oldest lines are dropped.
func TestScroll(t *testing.T) {
	s, _ := sample(80, 12)
	write := func(from, to int) {
		var b strings.Builder
		for i := from; i < to; i++ {
			fmt.Fprintf(&b, "line %d\n", i)
		}
		s.handle(&event.Output{Step: 1, Data: []byte(b.String())})
	}
	write(0, 20_000)
	l := &s.byID[1].log
	if len(l.lines) != maxLines || l.dropped != 10_001 {
		t.Errorf("%d lines, %d dropped", len(l.lines), l.dropped)
	}
	first := func() string { _, text, _ := strings.Cut(s.lines()[1], "│ "); return text }
	if first() != "line 19990" {
		t.Errorf("it does not follow: %q", first())
	}
	s.key("pgup")
	if first() != "line 19980" {
		t.Errorf("a page up: %q", first())
	}
	write(20_000, 20_100)
	if first() != "line 19980" {
		t.Errorf("it moves by itself: %q", first())
	}
	s.key("G")
	if first() != "line 20090" {
		t.Errorf("it does not follow again: %q", first())
	}
	for _, key := range strings.Split("/ 1 5 0 0 0 enter", " ") {
		s.key(key)
	}
	if first() != "line 15000" {
		t.Errorf("found %q", first())
	}
	s.key("g")
	if first() != "line 10100" {
		t.Errorf("the top: %q", first())
	}
	write(20_100, 40_000) // what is shown is dropped
	if first() != "line 30000" {
		t.Errorf("after that: %q", first())
	}
}

package report

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/weftrun/weft/engine/event"
)

// liveRun is a run that is shown on a terminal.
type liveRun struct {
	*Live
	term *fakeTerminal
	area *Area
}

// newLiveRun returns a run of planned steps that began a minute and twelve seconds ago.
func newLiveRun(style string, columns, lines, planned int) *liveRun {
	term, area := newFakeTerminal(columns, lines)
	o := Options{Stdout: NewOut(nil), Stderr: NewOut(nil), Name: "weft"}
	area.Attach(o.Stdout, o.Stderr)
	r := &liveRun{NewLive(o, LiveOptions{Area: area, Style: style}), term, area}
	r.Handle(&event.RunStarted{Time: term.now.Add(-72 * time.Second)})
	r.Handle(&event.Planned{Steps: planned})
	return r
}

// begin adds a step whose command has been running for some seconds.
func (r *liveRun) begin(id event.StepID, name string, seconds int) {
	r.Handle(&event.StepStarted{Time: r.term.now.Add(-time.Duration(seconds) * time.Second), Step: id, Task: name, Name: name, Prefix: name})
	r.Handle(&event.CommandStarted{Time: r.term.now, Step: id, Silent: true, Relayed: true})
}

func (r *liveRun) end(id event.StepID, name string, err error) {
	for _, ev := range stepEvents(id, name, "", err)[2:] {
		if s, ok := ev.(*event.StepSettled); ok && err != nil {
			s.Outcome = event.Failed
		}
		r.Handle(ev)
	}
}

// check compares the screen after a tick.
func (r *liveRun) check(t *testing.T, want string) {
	t.Helper()
	r.term.now = r.term.now.Add(progressInterval)
	r.Tick(r.term.now)
	if got := shownBy(r.term.Emulator); got != strings.TrimPrefix(want, "\n") {
		t.Errorf("the terminal shows\n%s\ninstead of\n%s", got, want)
	}
}

// fill makes a run do several things at once.
func (r *liveRun) fill() {
	r.begin(1, "unit", 42)
	r.begin(2, "encode", 9)
	r.begin(3, "e2e\x1b[2J", 12)
	r.begin(4, "db", 71)
	r.begin(5, "lint:js", 1)
	r.Handle(&event.Ready{Time: r.term.now.Add(-70 * time.Second), Step: 4, Task: "db"})
	r.Handle(&event.Restarted{Time: r.term.now, Step: 4, Task: "db"})
	r.Handle(&event.Ready{Time: r.term.now.Add(-70 * time.Second), Step: 4, Task: "db"})
	r.Handle(outputEvent(1, "ok  \texample/plan\nok  \t日本"))
	r.Handle(&event.Progress{Time: r.term.now.Add(-time.Second), Step: 2, Bytes: 1 << 30})
	r.Handle(&event.Progress{Time: r.term.now, Step: 2, Bytes: 1<<30 + 310<<20})
	r.Handle(&event.Progress{Time: r.term.now, Step: 3, Text: "3 of 40", Value: 3. / 40})
	r.end(5, "lint:js", errStatus1)
}

// TestLiveWritten: a row tells what is written past weft, until the command ends, unless the step
// says itself how much it has done.
func TestLiveWritten(t *testing.T) {
	r := newLiveRun("interleaved", 80, 24, 3)
	r.begin(1, "save", 1)
	r.begin(2, "test", 1)
	r.begin(3, "says", 1)
	r.Handle(&event.Progress{Time: r.term.now, Step: 3, Bytes: 5})
	r.Handle(outputEvent(2, "ok\n"))
	written := map[event.StepID]int64{1: 3 << 20, 2: 1 << 10, 3: 7}
	asked := 0
	r.lo.DirectOutput = func(f func(event.StepID, int64)) {
		asked++
		for step, n := range written {
			f(step, n)
		}
	}
	rows := func(save, test string) string {
		return "ok\n0/3 · 3 running · 1m12s\n save     1s  " + save + "\n test     1s  " + test + "\n says     1s  5 B"
	}
	r.check(t, rows("3.0 MiB", "1.0 KiB"))
	written[1], written[2] = 5<<20, 1<<10
	r.check(t, rows("3.0 MiB", "1.0 KiB"))
	if asked != 1 {
		t.Errorf("asked %d times in a moment", asked)
	}
	r.term.now = r.term.now.Add(800 * time.Millisecond)
	delete(written, 2)
	r.check(t, strings.NewReplacer("1m12s", "1m13s", "     1s", "     2s").Replace(rows("5.0 MiB  2.0 MiB/s", "ok")))
}

func TestLiveRows(t *testing.T) {
	for _, c := range []struct {
		columns, lines int
		want           string
	}{
		{200, 50, `
ok      example/plan
1/120 · 3 running · 1m12s · 1 failed: lint:js
 unit       42s  ok   日本
 encode      9s  1.3 GiB  310 MiB/s
 e2e�[2J    12s  3 of 40
 db       ready 1m10s, 1 restart`},
		{60, 24, `
ok      example/plan
1/120 · 3 running · 1m12s · 1 failed: lint:js
 unit       42s  ok   日本
 encode      9s  1.3 GiB  310 MiB/s
 e2e�[2J    12s  3 of 40
 db       ready 1m10s, 1 restart`},
		{40, 50, "\nok      example/plan\n1/120 1m12s 1 failed unit +3"},
		{80, 23, "\nok      example/plan\n1/120 1m12s 1 failed unit +3"},
		{20, 24, "\nok      example/plan\n1/120 1m12s 1 faile"},
		{19, 24, "\nok      example/pla\nn"},
	} {
		t.Run(fmt.Sprintf("%dx%d", c.columns, c.lines), func(t *testing.T) {
			r := newLiveRun("interleaved", c.columns, c.lines, 120)
			r.fill()
			r.term.now = r.term.now.Add(progressInterval)
			r.Tick(r.term.now)
			got := shownBy(r.term.Emulator)
			if _, after, ok := strings.Cut(got, "is ready\n"); ok {
				_, got, _ = strings.Cut(after, "is ready\n")
			}
			if got != strings.TrimPrefix(c.want, "\n") {
				t.Errorf("the terminal shows\n%s\ninstead of\n%s", got, c.want)
			}
		})
	}
}

// TestLiveManySteps: rows use at most a third of the terminal, and names leave room for the text
// after them.
func TestLiveManySteps(t *testing.T) {
	r := newLiveRun("interleaved", 80, 24, 30)
	for i := range 20 {
		r.begin(event.StepID(i+1), fmt.Sprintf("%d-%s", i, strings.Repeat("long", 20)), i)
	}
	r.term.now = r.term.now.Add(progressInterval)
	r.Tick(r.term.now)
	lines := strings.Split(shownBy(r.term.Emulator), "\n")
	if len(lines) != 9 || lines[8] != " and 13 more" || !strings.HasPrefix(lines[1], " 0-longlonglon…") || !strings.HasSuffix(lines[1], "0s") {
		t.Errorf("%d lines:\n%s", len(lines), strings.Join(lines, "\n"))
	}
	for _, l := range lines {
		if n := len([]rune(l)); n > 79 {
			t.Errorf("%d columns: %q", n, l)
		}
	}
}

// TestLiveCommandsInARow: a command with the terminal to itself never sees a row.
func TestLiveCommandsInARow(t *testing.T) {
	r := newLiveRun("interleaved", 80, 24, 2)
	for id := range event.StepID(2) {
		r.Handle(&event.StepStarted{Time: r.term.now, Step: id + 1, Task: "t", Name: "t"})
		r.check(t, strings.Repeat("own", int(id)))
		r.Handle(&event.CommandStarted{Step: id + 1, Silent: true})
		r.term.Write([]byte("own"))
		r.check(t, strings.Repeat("own", int(id)+1))
		r.Handle(&event.CommandEnded{Step: id + 1})
		r.Handle(&event.StepSettled{Step: id + 1, Outcome: event.Succeeded})
	}
	r.Close()
	r.check(t, "ownown")
}

// TestLiveQuestion: a question hides the rows until its line is complete; a progress bar does not.
func TestLiveQuestion(t *testing.T) {
	r := newLiveRun("interleaved", 80, 24, 3)
	r.begin(1, "ask", 1)
	r.begin(2, "say", 1)
	r.Handle(outputEvent(1, "name? "))
	r.check(t, "0/3 · 2 running · 1m12s\n ask     1s  name?\n say     1s")
	partial := &event.Output{Step: 1, Partial: true}
	r.Handle(partial)
	r.check(t, "name?")
	r.Handle(outputEvent(1, "bob\n"))
	r.check(t, "name? bob\n0/3 · 2 running · 1m12s\n ask     1s  name? bob\n say     1s")
	r.Handle(outputEvent(1, "10%\r20%\r"))
	r.Handle(partial)
	r.check(t, "name? bob\n0/3 · 2 running · 1m12s\n ask     1s  20%\n say     1s")
	r.Handle(outputEvent(1, "30%\nagain? "))
	r.Handle(partial)
	r.Handle(outputEvent(2, "said\n"))
	r.end(1, "ask", nil)
	r.end(2, "say", nil)
	r.Close()
	r.check(t, "name? bob\n30%\nagain?\nsaid")
}

// TestLiveBlock: progress bars move in the rows of their step, and are printed when it ends.
func TestLiveBlock(t *testing.T) {
	r := newLiveRun("interleaved", 80, 24, 3)
	r.begin(1, "pull", 1)
	r.begin(2, "say", 1)
	r.Handle(outputEvent(1, "a: 0%\nb: 0%\n\x1b[2A\x1b[2Ka: \x1b[32m50%\x1b[m\n\x1b[2Kb: 10%\n"))
	head := "a: 0%\nb: 0%\n"
	r.check(t, head+"0/3 · 2 running · 1m12s\n pull     1s  b: 10%\n   a: 50%\n   b: 10%\n say      1s")
	r.Handle(outputEvent(2, "said\n"))
	r.Handle(outputEvent(1, "\x1b[1A\x1b[2Kb: 90%\n"))
	r.check(t, head+"said\n0/3 · 2 running · 1m12s\n pull     1s  b: 90%\n   a: 50%\n   b: 90%\n say      1s  said")
	r.end(1, "pull", nil)
	r.end(2, "say", nil)
	r.Handle(&event.RunFinished{})
	r.check(t, head+"said\na: 50%\nb: 90%")
}

// FuzzLive: for any output in any pieces, the terminal finally shows each line of the steps once,
// in order, and no row.
func FuzzLive(f *testing.F) {
	f.Add(uint64(1), uint8(40), uint8(30), false)
	f.Add(uint64(2), uint8(0), uint8(0), true)
	f.Fuzz(func(t *testing.T, seed uint64, columns, lines uint8, ordered bool) {
		random := rand.New(rand.NewPCG(seed, 1))
		style := "interleaved"
		if ordered {
			style = "keep-order"
		}
		r := newLiveRun(style, 30+int(columns)%100, 10+int(lines)%30, 5)
		const steps = 4
		var want [steps + 1][]string
		var rest [steps + 1]string
		for id := 1; id <= steps; id++ {
			r.begin(event.StepID(id), fmt.Sprint("step", id), id)
			for n := range random.IntN(12) {
				line := fmt.Sprintf("<%d.%d>", id, n)
				want[id] = append(want[id], line)
				if random.IntN(3) == 0 {
					line = "0%\r\x1b[K" + line
				}
				rest[id] += "\x1b[32m" + line + "\x1b[m\n"
			}
		}
		for left := true; left; {
			left = false
			for id := 1; id <= steps; id++ {
				if rest[id] == "" {
					continue
				}
				left = true
				n := 1 + random.IntN(len(rest[id]))
				r.Handle(outputEvent(event.StepID(id), rest[id][:n]))
				if rest[id] = rest[id][n:]; random.IntN(4) == 0 { // a pause before the rest of the line
					r.Handle(&event.Output{Step: event.StepID(id), Partial: true})
					line, after, _ := strings.Cut(rest[id], "\n")
					r.Handle(outputEvent(event.StepID(id), line+"\n"))
					rest[id] = after
				}
			}
			r.term.now = r.term.now.Add(time.Duration(random.IntN(150)) * time.Millisecond)
			r.Tick(r.term.now)
			if random.IntN(5) == 0 { // only wider: this terminal does not rewrap
				r.term.resize(r.term.columns+random.IntN(5), r.term.lines)
			}
		}
		for _, id := range random.Perm(steps) {
			r.end(event.StepID(id+1), fmt.Sprint("step", id+1), nil)
		}
		r.Handle(&event.RunFinished{})
		r.Close()
		got := strings.Split(shownBy(r.term.Emulator), "\n")
		var seen [steps + 1][]string
		for _, line := range got {
			var id, n int
			if _, err := fmt.Sscanf(line, "<%d.%d>", &id, &n); err != nil {
				if line != "" {
					t.Errorf("the line %q is left in\n%s", line, strings.Join(got, "\n"))
				}
				continue
			}
			if line != fmt.Sprintf("<%d.%d>", id, n) {
				t.Errorf("the line %q is mixed", line)
			}
			seen[id] = append(seen[id], line)
		}
		for id := range want {
			if strings.Join(seen[id], " ") != strings.Join(want[id], " ") {
				t.Errorf("step %d shows %v instead of %v", id, seen[id], want[id])
			}
		}
	})
}

// TestWaitingRows: a step that waits for called tasks has no row, but one that waits for a server has.
func TestWaitingRows(t *testing.T) {
	began := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	b := newBoard(nil)
	b.note(&event.RunStarted{Time: began})
	b.note(&event.Planned{Steps: 3})
	for id, name := range []string{1: "one", 2: "two", 3: "three"} {
		if name != "" {
			b.note(&event.StepStarted{Time: began, Step: event.StepID(id), Task: name})
		}
	}
	b.note(&event.Suspended{Step: 1})
	b.note(&event.Progress{Step: 2, Stage: event.Lookup})
	b.note(&event.Suspended{Step: 2})
	var text strings.Builder
	for _, r := range b.rows(new(Palette), frame{now: began.Add(time.Minute), columns: 80, lines: 40}) {
		text.WriteString(r.text + "\n")
	}
	if got := text.String(); strings.Contains(got, " one ") || !strings.Contains(got, " two ") || !strings.Contains(got, " three ") {
		t.Errorf("the rows are\n%s", got)
	}
}

// TestThere: the status line tells how many steps a server has, and how many of them wait for a worker.
func TestThere(t *testing.T) {
	b := newBoard(nil)
	stage := func(id event.StepID, s event.Stage) { b.note(&event.Progress{Step: id, Stage: s}) }
	for id := event.StepID(1); id <= 4; id++ {
		b.note(&event.StepStarted{Step: id, Task: "t"})
		stage(id, event.Upload)
	}
	check := func(want string) {
		t.Helper()
		if got := b.there(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	check("")
	for id := event.StepID(1); id <= 3; id++ {
		stage(id, event.Queued)
	}
	stage(1, event.Executing)
	check(" · there 3 (2 waiting)")
	stage(2, event.Executing)
	b.note(&event.CommandStarted{Step: 3}) // it runs here
	check(" · there 2")
	b.note(&event.StepSettled{Step: 1})
	stage(2, event.Download)
	check("")
}

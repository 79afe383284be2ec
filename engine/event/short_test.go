package event

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/weftrun/weft/schema/diag"
)

// TestShort: what a Decoder reads from short lines is what Decode reads from full ones.
func TestShort(t *testing.T) {
	for seed := range uint64(300) {
		events := randomRun(rand.New(rand.NewPCG(seed, 7)))
		if seed == 0 {
			events = append(events, everyEvent()...)
		}
		whole, short := Encoder{RunOnce: true}, Encoder{RunOnce: true}
		dec := Decoder{}
		for i, ev := range events {
			short.Short = i > 5 || seed%2 == 0 // in the middle of a file, too
			line := short.Encode(nil, ev)
			full := whole.Encode(nil, ev)
			want, err := Decode(full)
			if err != nil {
				t.Fatalf("%s: %v", full, err)
			}
			got, err := dec.Decode(line)
			if err != nil || !reflect.DeepEqual(got, want) {
				t.Fatalf("seed %d, event %d:\n%s%s%+v, %v, want\n%+v", seed, i, full, line, got, err, want)
			}
		}
	}
}

// randomRun returns the events of a run, some of whose fields are those that a reader expects.
func randomRun(r *rand.Rand) []Event {
	now := time.Date(2026, 1, 2, 3, 4, 5, 678901000, time.UTC)
	file := &diag.File{Name: "Taskfile.yml"}
	at := func() time.Time {
		now = now.Add(time.Duration(r.IntN(3000)-500) * time.Nanosecond * 700)
		return now
	}
	text := func(usual string) string {
		return []string{usual, usual, usual, "", "other", fmt.Sprint(r.IntN(3))}[r.IntN(6)]
	}
	flag := func() bool { return r.IntN(4) == 0 }
	usage := func() Usage {
		return Usage{User: time.Duration(r.IntN(3)) * 1700 * time.Nanosecond, System: time.Duration(r.IntN(2)) * 900 * time.Microsecond, MaxRSS: int64(r.IntN(2)) * 4096}
	}
	events := []Event{&RunStarted{Time: at(), Run: "r1", Tasks: []string{"all"}}}
	n := 1 + r.IntN(20)
	first := StepID(1 + r.IntN(3))
	plan := &Planned{Time: at(), Steps: n}
	for i := range n {
		plan.Graph = append(plan.Graph, PlannedStep{Step: first + StepID(i), Name: fmt.Sprint("t", i), Label: fmt.Sprint("t", i), Key: "60207c4ed8fa7c2c", Pos: diag.Pos{File: file, Line: int32(i + 1), Column: 3}})
	}
	if r.IntN(4) > 0 {
		events = append(events, plan)
	}
	used := map[StepID]Usage{}
	for i := range n {
		step, name := first+StepID(i), fmt.Sprint("t", i)
		parent := StepID(r.IntN(3))
		pos := diag.Pos{File: file, Line: int32(i + 1 + r.IntN(8)/7), Column: 3}
		if r.IntN(8) == 0 {
			pos = diag.Pos{}
		}
		started := &StepStarted{Time: at(), Step: step, Parent: parent, Name: name, Task: text(name), Prefix: text(name), Pos: pos, Silent: flag(), Internal: flag(), Reasons: [][]string{nil, {}, {"first"}, {"first", "second"}}[r.IntN(4)]}
		if r.IntN(8) > 0 {
			events = append(events, started)
		}
		for c := range r.IntN(3) {
			u := usage()
			sum := used[step]
			sum.Add(u)
			used[step] = sum
			events = append(events,
				&CommandStarted{Time: at(), Step: step, Command: c, Text: text("make"), Dir: text("/src"), Pos: pos, Silent: flag(), Attempt: 1 + r.IntN(2), Attempts: 2},
				&CommandEnded{Time: at(), Step: step, Command: c, Code: r.IntN(2), Duration: time.Duration(r.IntN(2)) * time.Second, Usage: u, Programs: r.IntN(2)})
		}
		settled := &StepSettled{Time: at(), Step: step, Parent: started.Parent, Name: text(name), Task: text(started.Task), Prefix: text(started.Prefix), Silent: started.Silent != flag(), Internal: started.Internal, Outcome: Succeeded, Code: r.IntN(2), Duration: time.Duration(r.IntN(2)) * time.Millisecond, Usage: used[step], Place: Place(text("here"))}
		if r.IntN(3) == 0 {
			settled.Usage = usage()
		}
		events = append(events, settled, &Waiting{Time: at(), Step: step, For: Slot})
	}
	return append(events, &RunFinished{Time: at(), Duration: time.Second})
}

// TestShortLength: a step of one command takes less than half of the bytes, so that the history of many is cheap.
func TestShortLength(t *testing.T) {
	length := func(short bool) (n int) {
		enc := Encoder{RunOnce: true, Short: short}
		plan, events := builtinSteps()
		enc.Encode(nil, plan)
		for i, ev := range events {
			if line := enc.Encode(nil, ev); i >= 4 { // after the first step
				n += len(line)
			}
		}
		return n
	}
	if short, full := length(true), length(false); 2*short > full {
		t.Errorf("%d bytes in short lines, %d in full ones", short, full)
	}
}

// TestShortFromLater: a line that only a later weft knows counts for the time of the next one.
func TestShortFromLater(t *testing.T) {
	var dec Decoder
	const head = `{"event":"resumed","time":"2026-01-02T03:04:05Z","step":1}`
	for _, line := range []string{head, `{"event":"from a later weft","time":7}`} {
		if _, err := dec.Decode([]byte(line)); err != nil {
			t.Fatal(err)
		}
	}
	ev, err := dec.Decode([]byte(`{"event":"resumed","time":-2,"step":1}`))
	if err != nil || !ev.(*Resumed).Time.Equal(time.Date(2026, 1, 2, 3, 4, 5, 5000, time.UTC)) {
		t.Errorf("got %+v, %v", ev, err)
	}
}

func TestShortErrors(t *testing.T) {
	for _, line := range []string{`{"event":"resumed","time":5,"step":1}`, `{"event":"resumed","time":1.5,"step":1}`, `{"event":"resumed","time":-9223372036854775808,"step":1}`,
		`{"event":"resumed","time":99999999999999999,"step":1}`, `{"event":"resumed","time":null,"step":1}`, `{"event":"resumed","time":{},"step":1}`} {
		var dec Decoder
		if !strings.Contains(line, `"time":5`) {
			if _, err := dec.Decode([]byte(`{"event":"resumed","time":"2026-01-02T03:04:05Z","step":1}`)); err != nil {
				t.Fatal(err)
			}
		}
		if ev, err := dec.Decode([]byte(line)); err == nil || !strings.Contains(err.Error(), `"time"`) {
			t.Errorf("%s: %+v, %v", line, ev, err)
		}
	}
}

// FuzzDecoder: whatever the lines are, they are read or refused, and what is read can be written and read again.
func FuzzDecoder(f *testing.F) {
	enc := Encoder{RunOnce: true, Short: true}
	plan, events := builtinSteps()
	lines := enc.Encode(nil, plan)
	for _, ev := range events {
		lines = enc.Encode(lines, ev)
	}
	f.Add(lines)
	f.Add([]byte(`{"event":"step_settled","time":"2026-01-02T03:04:05Z","step":1,"outcome":"fresh"}` + "\n" + `{"event":"step_settled","time":-1}`))
	f.Fuzz(func(t *testing.T, lines []byte) {
		var in, again Decoder
		out := Encoder{RunOnce: true, Short: true}
		for line := range bytes.Lines(lines) {
			ev, err := in.Decode(line)
			if err != nil || ev == nil {
				continue
			}
			if _, is := ev.(*Output); is {
				continue // it may have both a range and data
			}
			written := out.Encode(nil, ev)
			if _, err := again.Decode(written); err != nil {
				t.Fatalf("%s: %v", written, err)
			}
		}
	})
}

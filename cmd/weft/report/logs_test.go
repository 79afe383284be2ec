package report

import (
	"bytes"
	"errors"
	"math/rand"
	"testing"

	"github.com/weftrun/weft/engine/event"
)

// written is the output of a step, with the source of each byte.
type written struct{ data, who []byte }

// cut returns the expected log: bytes, their sources, and -1 for an omission.
func (w *written) cut(from, to, most int) (all []int) {
	to = min(to, len(w.data))
	for i := from; i < to; i++ {
		gone := i >= LogHead && i < len(w.data)-LogTail
		if to-from > most && i >= from+min(LogHead, most/4) && i < to-(most-min(LogHead, most/4)) {
			gone = true
		}
		if gone {
			all = append(all, -1)
		} else {
			all = append(all, int(w.data[i])<<8|int(w.who[i]))
		}
	}
	return all
}

func TestLogs(t *testing.T) {
	rng := rand.New(rand.NewSource(1))
	for _, sizes := range [][2]int{{1, 1000}, {100_000, 100}, {900_000, 15}} {
		var l Logs
		all := map[event.StepID]*written{1: {}, 2: {}, 3: {}}
		for range sizes[1] {
			ev := &event.Output{Step: event.StepID(1 + rng.Intn(2)), Command: rng.Intn(2), Stream: event.Stream(1 + rng.Intn(2)), Data: make([]byte, rng.Intn(sizes[0]+1))}
			if rng.Intn(20) == 0 {
				ev.Step, ev.Data = 3, ev.Data[:len(ev.Data)/20]
			}
			rng.Read(ev.Data)
			l.Handle(ev)
			w := all[ev.Step]
			w.data = append(w.data, ev.Data...)
			w.who = append(w.who, bytes.Repeat([]byte{byte(ev.Command)<<4 | byte(ev.Stream)}, len(ev.Data))...)
			clear(ev.Data) // the owner reuses it
		}
		for step, w := range all {
			if l.Size(step) != int64(len(w.data)) {
				t.Errorf("step %d has %d bytes, want %d", step, l.Size(step), len(w.data))
			}
			for range 8 {
				from := rng.Intn(len(w.data) + 1)
				to := from + rng.Intn(len(w.data)+1-from)
				if rng.Intn(2) == 0 {
					from, to = 0, len(w.data)+1
				}
				compareLog(t, &l, w, step, from, to, 1+rng.Intn(3<<20))
			}
		}
		if l.Err() != nil {
			t.Error(l.Err())
		}
		if l.Reset(); l.Size(1) != 0 || l.Each(1, 0, 9, 9, func(Chunk) error { return errors.New("a chunk") }) != nil {
			t.Error("it is not empty")
		}
	}
}

// compareLog compares a part of a log with the written output.
func compareLog(t *testing.T, l *Logs, w *written, step event.StepID, from, to, most int) {
	t.Helper()
	var got []int
	err := l.Each(step, int64(from), int64(to), int64(most), func(c Chunk) error {
		for range c.Cut {
			got = append(got, -1)
		}
		for _, b := range c.Data {
			got = append(got, int(b)<<8|c.Command<<4|int(c.Stream))
		}
		return nil
	})
	want := w.cut(from, to, most)
	if err != nil || len(got) != len(want) {
		t.Fatalf("step %d, %d to %d of %d, at most %d: %v, %d bytes, want %d", step, from, to, len(w.data), most, err, len(got), len(want))
	}
	for i := range got {
		if got[i] != want[i] {
			t.Fatalf("step %d, %d to %d of %d, at most %d: byte %d is %x, want %x", step, from, to, len(w.data), most, i, got[i], want[i])
		}
	}
}

// TestLogsOfMany: a log with alternating sources uses bounded memory, and keeps its beginning and
// end.
func TestLogsOfMany(t *testing.T) {
	var l Logs
	for i := range 5 * mostRuns {
		l.Handle(&event.Output{Step: 1, Stream: event.Stream(1 + i%2), Data: []byte{byte(i)}})
	}
	if s := l.steps[1]; len(s.head) > mostRuns || len(s.tail) > 3*mostRuns {
		t.Errorf("%d and %d stretches", len(s.head), len(s.tail))
	}
	var got []byte
	cut := int64(0)
	l.Each(1, 0, 1<<20, 1<<20, func(c Chunk) error {
		got, cut = append(got, c.Data...), cut+c.Cut
		return nil
	})
	if len(got)+int(cut) != 5*mostRuns || len(got) < 2*mostRuns || got[1] != 1 || got[len(got)-1] != byte((5*mostRuns-1)&0xff) {
		t.Errorf("%d bytes, %d are cut", len(got), cut)
	}
}

// TestLogsStop: the reader can stop.
func TestLogsStop(t *testing.T) {
	var l Logs
	for range 3 {
		l.Handle(&event.Output{Step: 1, Stream: 1, Data: []byte("a")})
		l.Handle(&event.Output{Step: 1, Stream: 2, Data: []byte("b")})
	}
	enough := errors.New("enough")
	for _, most := range []int64{100, 3} {
		n := 0
		err := l.Each(1, 0, 6, most, func(c Chunk) error {
			if n++; n == 2 {
				return enough
			}
			return nil
		})
		if err != enough || n != 2 {
			t.Errorf("%v after %d", err, n)
		}
	}
}

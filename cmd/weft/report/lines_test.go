package report

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/weftrun/weft/engine/event"
)

// unprefixed removes prefixes again and returns the original output.
func unprefixed(t *testing.T, out []byte, prefix string) []byte {
	var in []byte
	for len(out) > 0 {
		rest, ok := bytes.CutPrefix(out, []byte(prefix))
		if !ok {
			t.Fatalf("a line without prefix: %q", out[:min(len(out), 40)])
		}
		i := bytes.IndexByte(rest, '\n')
		if i < 0 {
			t.Fatal("the last line is not terminated")
		}
		in = append(in, rest[:i+1]...)
		out = rest[i+1:]
	}
	return in
}

func FuzzLines(f *testing.F) {
	f.Add([]byte("a\nb"), uint16(1))
	f.Add([]byte("\r\n\n\x00\xff"), uint16(3))
	f.Add([]byte("longer than what is held\nshort\n"), uint16(0xffff))
	f.Fuzz(func(t *testing.T, data []byte, cut uint16) {
		if len(data) == 0 {
			return
		}
		var r recorder
		p := newPrefixed(r.options())
		p.lines.hold, p.lines.progress = 8, false
		p.Handle(&event.StepStarted{Step: 1, Prefix: "p"})
		n := int(cut) + 1
		for i := 0; i < len(data); i += n {
			p.Handle(outputEvent(1, string(data[i:min(len(data), i+n)])))
		}
		p.Handle(&event.CommandEnded{Step: 1})
		want := data
		if data[len(data)-1] != '\n' {
			want = append(bytes.Clone(data), '\n')
		}
		if got := unprefixed(t, r.out.Bytes(), "[p] "); !bytes.Equal(got, want) {
			t.Errorf("%d bytes in, %d out", len(want), len(got))
		}
	})
}

// TestProgress: only the final state of a line that overwrites itself is shown, however it is
// split.
func TestProgress(t *testing.T) {
	for in, want := range map[string]string{
		"10%\r20%\r100%\n":        "[p] 100%\n",
		"10%\r20%\r\n":            "[p] 20%\r\n",
		"windows\r\nnext\n":       "[p] windows\r\n[p] next\n",
		"a\r\rb":                  "[p] b\n",
		"no return\n\r0":          "[p] no return\n[p] 0\n",
		"1\r2\nx\r\r\r":           "[p] 2\n[p] x\r\r\r\n",
		"long\rlonger\rlongest\n": "[p] longest\n",
	} {
		for cut := 1; cut <= len(in); cut++ {
			var r recorder
			p := newPrefixed(r.options())
			p.Handle(&event.StepStarted{Step: 1, Prefix: "p"})
			for i := 0; i < len(in); i += cut {
				p.Handle(outputEvent(1, in[i:min(len(in), i+cut)]))
			}
			p.Handle(&event.CommandEnded{Step: 1})
			if got := r.out.String(); got != want {
				t.Errorf("%q in pieces of %d: %q, want %q", in, cut, got, want)
			}
		}
	}
}

// TestProgressShown: on a terminal an intermediate state is overwritten by the next; elsewhere only
// the final state is shown. Questions are shown everywhere.
func TestProgressShown(t *testing.T) {
	for _, c := range []struct{ in, terminal, file string }{ // "|" is a pause
		{"\r10%|\r20%|\r30%|\n", "[p] 10%\r[p] 20%\r[p] 30%\n", "[p] 30%\n"},
		{"10%\r|20%\r|30%\r|\n", "[p] 10%\r\r[p] 20%\r\r[p] 30%\r\n", "[p] 30%\r\n"},
		{"\r1|0|%|\r20%|\n", "[p] 10%\r[p] 20%\n", "[p] 20%\n"},
		{"1%|\r|2%|\n", "[p] 1%\r\r[p] 2%\n", "[p] 1%\r[p] 2%\n"},
		{"name? |you\n", "[p] name? you\n", "[p] name? you\n"},
		{"wait|\rdone\nnext\n", "[p] wait\r[p] done\n[p] next\n", "[p] wait\r[p] done\n[p] next\n"},
	} {
		for _, terminal := range []bool{true, false} {
			want := c.file
			if terminal {
				want = c.terminal
			}
			var r recorder
			o := r.options()
			o.Terminal = terminal
			p := newPrefixed(o)
			p.Handle(&event.StepStarted{Step: 1, Prefix: "p"})
			for _, part := range strings.Split(c.in, "|") {
				p.Handle(outputEvent(1, part))
				p.Handle(&event.Output{Step: 1, Partial: true})
			}
			p.Handle(&event.CommandEnded{Step: 1})
			if got := r.out.String(); got != want {
				t.Errorf("%q, terminal %v: %q, want %q", c.in, terminal, got, want)
			}
		}
	}
}

// TestProgressOften: of a line that overwrites itself continuously, a terminal is shown ten states
// a second and the final one.
func TestProgressOften(t *testing.T) {
	for _, form := range []string{"%d%%\r", "\r%d%%"} {
		var r recorder
		o := r.options()
		o.Terminal = true
		p := newPrefixed(o)
		p.Handle(&event.StepStarted{Step: 1, Prefix: "p"})
		start := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
		for i := range 100 {
			ev := outputEvent(1, fmt.Sprintf(form, i+1))
			ev.Time = start.Add(time.Duration(i) * 10 * time.Millisecond)
			p.Handle(ev)
		}
		p.Handle(outputEvent(1, "\n"))
		p.Handle(&event.CommandEnded{Step: 1})
		got := r.out.String()
		var want strings.Builder
		for i := 1; i <= 91; i += 10 {
			fmt.Fprintf(&want, "[p] %d%% ", i)
		}
		want.WriteString("[p] 100% ")
		if shown := strings.Join(strings.Fields(got), " ") + " "; shown != want.String() {
			t.Errorf("%q: shown is\n%q\nwant\n%q", form, shown, want.String())
		}
	}
}

// TestLongLineCut: both parts of a long line that another command interrupts are marked.
func TestLongLineCut(t *testing.T) {
	var r recorder
	p := newPrefixed(r.options())
	p.lines.hold = 8
	p.Handle(&event.StepStarted{Step: 1, Prefix: "a"})
	p.Handle(&event.StepStarted{Step: 2, Prefix: "b"})
	p.Handle(outputEvent(1, "long long"))
	p.Handle(outputEvent(1, " long"))
	p.Handle(outputEvent(2, "short\n"))
	p.Handle(outputEvent(1, " line\nnext\n"))
	want := "[a] long long…\n[b] short\n[a] … long line\n[a] next\n"
	if got := r.out.String(); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

// A line without end does not grow memory.
func TestEndlessLine(t *testing.T) {
	o := Options{Stdout: NewOut(io.Discard), Stderr: NewOut(io.Discard)}
	p := newPrefixed(o)
	p.Handle(&event.StepStarted{Step: 1, Prefix: "p"})
	chunk := bytes.Repeat([]byte("x"), 10_000)
	for range 10_000 {
		p.Handle(&event.Output{Step: 1, Data: chunk})
	}
	if held := cap(p.open[command{1, 0}].partial) + cap(p.lines.buf); held > 2*(keepLine+batchSize) {
		t.Errorf("%d bytes held", held)
	}
}

func BenchmarkPrefixed(b *testing.B) { benchmarkOutput(b, "prefixed") }
func BenchmarkGroup(b *testing.B)    { benchmarkOutput(b, "group") }

func benchmarkOutput(b *testing.B, style string) {
	line := append(bytes.Repeat([]byte("x"), 99), '\n')
	chunk := bytes.Repeat(line, 655)
	r := New(style, Options{Stdout: NewOut(io.Discard), Stderr: NewOut(io.Discard)})
	r.Handle(&event.StepStarted{Step: 1, Prefix: "task"})
	b.SetBytes(int64(len(chunk)))
	for range b.N {
		r.Handle(&event.Output{Step: 1, Data: chunk})
	}
	r.Handle(&event.CommandEnded{Step: 1})
}

// BenchmarkAnnounce is one step with one small command.
func BenchmarkAnnounce(b *testing.B) {
	r := New("interleaved", Options{Stdout: NewOut(io.Discard), Stderr: NewOut(io.Discard), Name: "weft"})
	started, command := &event.StepStarted{Step: 1, Task: "t"}, &event.CommandStarted{Step: 1, Text: "echo hi"}
	settled := &event.StepSettled{Step: 1, Task: "t", Outcome: event.Succeeded}
	b.ReportAllocs()
	for range b.N {
		r.Handle(started)
		r.Handle(command)
		r.Handle(settled)
	}
}

// TestInterrupted: on a terminal a message begins a new line after unterminated output, and the
// output continues on another new line.
func TestInterrupted(t *testing.T) {
	for _, terminal := range []bool{true, false} {
		shown, err := os.CreateTemp(t.TempDir(), "")
		if err != nil {
			t.Fatal(err)
		}
		defer shown.Close()
		o := Options{Stdout: NewOut(shown), Stderr: NewOut(shown), Name: "weft", Terminal: terminal}
		replay(New("prefixed", o), &event.StepStarted{Step: 1, Task: "a", Prefix: "a"}, outputEvent(1, "who? "), &event.Output{Step: 1, Stream: event.Merged, Partial: true},
			&event.Ready{Step: 2, Task: "b"}, &event.CommandStarted{Step: 1, Command: 1, Text: "x"}, outputEvent(1, "me\n"))
		want := "[a] who? \nweft: \"b\" is ready\nweft: [a] x\n[a] me\n"
		if !terminal {
			want = "[a] who? weft: \"b\" is ready\nweft: [a] x\nme\n"
		}
		if got, _ := os.ReadFile(shown.Name()); string(got) != want {
			t.Errorf("terminal: %v: got %q, want %q", terminal, got, want)
		}
	}
}

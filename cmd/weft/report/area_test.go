package report

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/vt"
)

// fakeTerminal is a terminal on which an Area draws.
type fakeTerminal struct {
	*vt.Emulator
	winsize
	now    time.Time
	writes int
}

func (f *fakeTerminal) Write(p []byte) (int, error) {
	f.writes++
	f.Emulator.Write(bytes.ReplaceAll(p, []byte("\n"), []byte("\r\n")))
	return len(p), nil
}

func (f *fakeTerminal) resize(columns, lines int) {
	f.columns, f.lines = columns, lines
	f.Resize(columns, lines)
}

func newFakeTerminal(columns, lines int) (*fakeTerminal, *Area) {
	f := &fakeTerminal{Emulator: newEmulator(columns, lines), winsize: winsize{columns: columns, lines: lines}, now: time.Unix(1e9, 0)}
	a := newArea(NewOut(f), func() winsize { return f.winsize })
	a.now = func() time.Time { return f.now }
	return f, a
}

func textRows(texts ...string) (rows []row) {
	for _, text := range texts {
		rows = append(rows, row{text, len(text)})
	}
	return rows
}

// TestAreaResized: rows that no longer fit are erased, and drawn again when they have been made for
// the new size.
func TestAreaResized(t *testing.T) {
	for name, size := range map[string][2]int{"columns": {8, 10}, "lines": {40, 2}} {
		f, a := newFakeTerminal(40, 10)
		a.Draw(textRows("1/2", " eight ch"))
		f.resize(size[0], size[1])
		a.Redraw()
		if got := shownBy(f.Emulator); got != "" {
			t.Errorf("less %s: rows are left: %q", name, got)
		}
		a.Write([]byte("line\n"))
		if got := shownBy(f.Emulator); got != "line" {
			t.Errorf("less %s: the terminal shows %q", name, got)
		}
		a.Draw(textRows("1/2"))
		if got := shownBy(f.Emulator); got != "line\n1/2" {
			t.Errorf("less %s: the terminal shows %q", name, got)
		}
	}
}

// TestArea: rows are shown below the lines, and are erased completely.
func TestArea(t *testing.T) {
	f, a := newFakeTerminal(40, 10)
	check := func(want string) {
		t.Helper()
		if got := shownBy(f.Emulator); got != want {
			t.Errorf("the terminal shows\n%s\ninstead of\n%s", got, want)
		}
	}
	a.Write([]byte("first\n"))
	check("first")
	a.Draw(textRows("1/2", " a"))
	check("first\n1/2\n a")
	if p := f.CursorPosition(); p.X != 0 || p.Y != 3 {
		t.Errorf("the cursor is at %v", p)
	}
	f.now = f.now.Add(progressInterval)
	a.Write([]byte("second\n"))
	check("first\nsecond\n1/2\n a")
	writes := f.writes
	a.Write([]byte("third\n")) // a moment later
	a.Draw(textRows("1/2", " a"))
	if f.writes != writes+1 {
		t.Errorf("%d writes for a line", f.writes-writes)
	}
	check("first\nsecond\nthird\n1/2\n a")
	writes = f.writes
	a.Draw(textRows("1/2", " a"))
	if f.writes != writes {
		t.Error("rows that are the same are written again")
	}
	a.Write([]byte("name? "))
	check("first\nsecond\nthird\nname?")
	a.Draw(textRows("2/2"))
	check("first\nsecond\nthird\nname?")
	f.Emulator.WriteString("bob\r\n") // as the terminal shows what is typed
	a.Answered()
	a.Draw(textRows("2/2"))
	check("first\nsecond\nthird\nname? bob\n2/2")
	back := a.Hide()
	check("first\nsecond\nthird\nname? bob")
	f.Emulator.WriteString("own\r\nnot ended")
	a.Draw(textRows("2/2"))
	check("first\nsecond\nthird\nname? bob\nown\nnot ended")
	back()
	a.Draw(textRows("2/2"))
	check("first\nsecond\nthird\nname? bob\nown\nnot ended\n2/2")
	f.foreign = true // lent to a program that prompts
	f.Emulator.WriteString("Password: ")
	f.now = f.now.Add(progressInterval)
	a.Write([]byte("line\n"))
	a.Draw(textRows("2/2"))
	check("first\nsecond\nthird\nname? bob\nown\nnot ended\n2/2\nPassword: line")
	f.foreign = false
	a.Draw(textRows("2/2"))
	a.Close()
	check("first\nsecond\nthird\nname? bob\nown\nnot ended\n2/2\nPassword: line")
}

// TestAreaNarrower: rows wrapped by the terminal are erased completely.
func TestAreaNarrower(t *testing.T) {
	f, a := newFakeTerminal(40, 12)
	a.Write([]byte("line\n"))
	long := strings.Repeat("x", 39)
	a.Draw(textRows("12", long, "34"))
	// The emulator does not rewrap: this is the screen of a terminal that does.
	f.resize(20, 12)
	f.Emulator.WriteString("\x1b[H\x1b[J" + strings.ReplaceAll("line\n12\n"+long[:20]+"\n"+long[20:]+"\n34\n", "\n", "\r\n"))
	a.Draw(textRows("new"))
	if got := shownBy(f.Emulator); got != "line\nnew" {
		t.Errorf("the terminal shows %q", got)
	}
}

// FuzzArea: for any writes on a terminal of any size, the screen contains the lines and the current
// rows, and at the end only the lines.
func FuzzArea(f *testing.F) {
	f.Add(uint64(1), uint8(40), uint8(10))
	f.Add(uint64(2), uint8(2), uint8(3))
	f.Fuzz(func(t *testing.T, seed uint64, columns, lines uint8) {
		r := rand.New(rand.NewPCG(seed, 0))
		term, a := newFakeTerminal(20+int(columns)%60, 12+int(lines)%20)
		var want strings.Builder
		for i := range 60 {
			switch r.IntN(6) {
			case 0, 1, 2:
				line := fmt.Sprintf("%d %s", i, strings.Repeat("x", r.IntN(30)))
				want.WriteString(line + "\n")
				if cut := r.IntN(len(line)); r.IntN(3) == 0 {
					a.Write([]byte(line[:cut]))
					line = line[cut:]
				}
				a.Write([]byte(line + "\n"))
			case 3:
				var rows []row
				for n := range r.IntN(8) {
					rows = append(rows, textRows(strings.Repeat("R", 1+(n*7)%(term.columns-1)))...)
				}
				a.Draw(rows)
				shown := shownBy(term.Emulator)
				for _, row := range rows {
					if !strings.Contains(shown, row.text) {
						t.Errorf("the row %q is not there:\n%s", row.text, shown)
					}
				}
			case 4:
				term.now = term.now.Add(time.Duration(r.IntN(200)) * time.Millisecond)
			case 5:
				back := a.Hide()
				want.WriteString("own\n")
				term.Write([]byte("own\n"))
				back()
			}
		}
		a.Close()
		got := shownBy(term.Emulator)
		if want := screen([]byte(want.String()), term.columns, term.lines); got != want {
			t.Errorf("the terminal of %d columns and %d lines shows\n%s\ninstead of\n%s", term.columns, term.lines, got, want)
		}
	})
}

package report

import (
	"strings"
	"testing"
	"time"
)

// TestAsker: while a program that was lent the terminal asks there, what others write is held, and
// what its own step writes is shown.
func TestAsker(t *testing.T) {
	const step, other = 1, 2
	var f *fakeTerminal
	var a *Area
	write := func(step int, text string) func() {
		return func() {
			if step == 1 {
				a.SetSource(1, f.now)
			}
			a.Write([]byte(text))
			a.SetSource(0, time.Time{})
		}
	}
	state := func(foreign, unseen bool) func() {
		return func() { f.foreign, f.unseen = foreign, unseen }
	}
	passes := func(d time.Duration) func() { return func() { f.now = f.now.Add(d) } }
	draw := func() {
		a.Size()
		a.Draw(nil)
	}
	for name, c := range map[string]struct {
		do   []func()
		want string
	}{
		"a password is asked for":     {[]func(){state(true, true), write(other, "held\n"), passes(time.Hour), draw}, "q? "},
		"it was given":                {[]func(){state(true, true), write(other, "held\n"), state(true, false), draw}, "q? held"},
		"it is asked for again":       {[]func(){state(true, true), draw, state(true, false), draw, state(true, true), write(other, "held\n"), draw}, "q? "},
		"what follows comes after":    {[]func(){state(true, true), write(other, "held\n"), state(true, false), write(other, "next\n")}, "q? held\nnext"},
		"a question":                  {[]func(){state(true, false), write(other, "held\n"), draw}, "q? "},
		"it takes too long":           {[]func(){state(true, false), write(other, "held\n"), passes(askLimit), draw}, "q? held"},
		"the program goes on":         {[]func(){state(true, false), passes(stillRead), write(other, "held\n"), write(step, "own\n"), draw}, "q? own\nheld"},
		"the program writes the rest": {[]func(){state(true, true), write(other, "held\n"), write(step, "own? "), passes(time.Minute), draw}, "q? own? "},
		"it has ended":                {[]func(){state(true, true), write(other, "held\n"), state(false, false), draw}, "q? held"},
		"it was not seen":             {[]func(){write(other, "held\n"), passes(lendLimit), draw}, "q? held"},
		"a job of the shell":          {[]func(){state(true, true), draw, state(false, false), draw, state(true, true), write(other, "shown\n")}, "q? shown"},
		"the run has ended":           {[]func(){state(true, true), write(other, "held\n"), func() { a.Close() }}, "q? held"},
		"a line of others":            {[]func(){state(true, true), func() { a.NewLine() }, write(other, "held\n"), state(false, false), draw}, "q? held"},
	} {
		f, a = newFakeTerminal(40, 10)
		a.OnForeground(step)
		f.Emulator.Write([]byte("q? "))
		for _, do := range c.do {
			do()
		}
		if got, want := shownBy(f.Emulator), c.want; got != strings.TrimRight(want, " ") {
			t.Errorf("%s: the terminal shows %q, not %q", name, got, want)
		}
	}
}

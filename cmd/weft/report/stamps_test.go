package report

import (
	"bytes"
	"testing"
	"time"

	"github.com/weftrun/weft/engine/event"
)

func TestStamps(t *testing.T) {
	var b bytes.Buffer
	o := NewOut(&b)
	var s Stamps
	o.Stamp(&s)
	write := func(text string, after time.Duration) {
		s.Handle(&event.Output{Time: noon.Add(after)})
		if n, err := o.Write([]byte(text)); n != len(text) || err != nil {
			t.Errorf("%d, %v", n, err)
		}
	}
	o.Show("before\n")
	s.Handle(&event.RunStarted{Time: noon})
	write("one\ntwo", 1234*time.Millisecond)
	write(" goes on\n\n", 2*time.Second)
	write("::error::x\n##[group]\n#no\n", -time.Second)
	write("", time.Minute)
	write("late\n", 100*time.Minute+59*time.Second+999*time.Millisecond)
	o.asHeld(func() { write("as it is\n", time.Hour) })
	s.Handle(&event.RunStarted{Time: noon.Add(time.Hour)}) // a second run, in watch mode
	write("end", time.Hour)
	const want = "00:00.000 before\n00:01.234 one\n00:01.234 two goes on\n00:02.000 \n::error::x\n##[group]\n00:00.000 #no\n100:59.999 late\nas it is\n60:00.000 end"
	if got := b.String(); got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if !s.Wants().Output || s.Err() != nil || s.Close() != nil {
		t.Error("it does not want output")
	}
}

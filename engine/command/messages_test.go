package command

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weftrun/weft/engine/event"
)

// TestThrottle: the first progress is reported at once, then one a second, and always the latest.
func TestThrottle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		var got []string
		r := throttle{emit: func(ev event.Event) {
			p := ev.(*event.Progress)
			got = append(got, fmt.Sprintf("%g@%v", p.Value, p.Time.Sub(begin)))
		}}
		for i := range 27 { // 3.5 seconds
			r.report(&event.Progress{Value: float64(i)})
			time.Sleep(130 * time.Millisecond)
		}
		time.Sleep(10 * time.Second)
		r.report(&event.Progress{Value: 99})
		r.report(&event.Progress{Value: 100})
		r.drop() // the command has ended
		time.Sleep(10 * time.Second)
		if want := "0@0s 7@1s 15@2s 23@3s 26@4s 99@13.51s"; strings.Join(got, " ") != want {
			t.Errorf("got  %s\nwant %s", strings.Join(got, " "), want)
		}
	})
}

func TestKept(t *testing.T) {
	var l sentMessages
	for i := range 3 {
		if err := l.keep(fmt.Append(nil, i), true); err != nil {
			t.Fatal(err)
		}
	}
	l.name("a", []byte("1"))
	mark := l.mark()
	l.name("a", []byte("2"))
	l.name("b", []byte("3"))
	l.keep([]byte("x"), true)
	if m := l.mark(); len(m.texts) != 4 || fmt.Sprintf("%s", m.namedValues()) != "map[a:2 b:3]" {
		t.Errorf("%d messages, %s", len(m.texts), m.namedValues())
	}
	l.forget(mark)
	if m := l.mark(); len(m.texts) != 3 || m.count != 4 || m.bytes != 5 || fmt.Sprintf("%s", m.namedValues()) != "map[a:1]" {
		t.Errorf("%d messages, %s, %+v", len(m.texts), m.namedValues(), m)
	}
	large := make([]byte, 1<<20)
	var err error
	for range 64 {
		err = l.keep(large, false)
	}
	if err != errMessageBytes {
		t.Errorf("too many bytes: %v", err)
	}
	l.forget(keeping{})
	for range maxMessages {
		if err := l.keep(nil, false); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.keep(nil, false); err != errMessages {
		t.Errorf("too many: %v", err)
	}
	if err := l.name("a", nil); err != errMessages {
		t.Errorf("too many values: %v", err)
	}
}

//go:build unix

package main

import (
	"context"
	"io"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weftrun/weft/engine/control"
	"github.com/weftrun/weft/engine/event"
)

// TestLease: a step uses the terminal only while the drawing program has released it, and its
// output is shown.
func TestLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		over, cancel := context.WithCancel(t.Context())
		defer cancel()
		l := &lease{over: over, to: w, shown: map[event.StepID]int{}, begun: map[event.StepID][]byte{}}
		state := "drawing"
		ended := make(chan error, 1)
		go func() {
			for {
				if err := l.do(t.Context(), &control.Request{Request: "wanted"}); err != nil {
					ended <- err
					return
				}
				time.Sleep(time.Second) // it takes a while to leave
				state = "left"
				if err := l.do(t.Context(), &control.Request{Request: "lend"}); err != nil {
					ended <- err
					return
				}
				state = "drawing"
			}
		}()
		output := func(step event.StepID, text string) { l.note(&event.Output{Step: step, Data: []byte(text)}) }
		output(1, "one\nName: ")
		output(2, "other: ")
		release := l.take(1)
		if state != "left" {
			t.Error("the terminal is used while another program draws there")
		}
		second := l.take(0)
		output(1, "hello\n")
		output(2, "not this\n")
		release()
		synctest.Wait()
		if state != "left" {
			t.Error("the screen is drawn while the terminal is used")
		}
		second()
		synctest.Wait()
		if state != "drawing" {
			t.Errorf("the screen does not come back: %s", state)
		}
		output(1, "nor this\n")
		l.note(&event.StepSettled{Step: 1})
		l.note(&event.StepSettled{Step: 2})
		if len(l.begun) > 0 {
			t.Errorf("it keeps %q", l.begun)
		}

		// Without a drawing program no step waits.
		l.end()
		if err := <-ended; err == nil {
			t.Error("it goes on after the run")
		}
		before := time.Now()
		l.take(0)()
		if waited := time.Since(before); waited != leavePatience {
			t.Errorf("it was waited for %v", waited)
		}
		cancel()
		before = time.Now()
		l.take(0)()
		if waited := time.Since(before); waited != 0 {
			t.Errorf("it was waited for %v", waited)
		}
		w.Close()
		if shown, err := io.ReadAll(r); string(shown) != "Name: hello\n" {
			t.Errorf("%q is shown, %v", shown, err)
		}
		if (*lease)(nil).do(t.Context(), &control.Request{Request: "wanted"}) == nil {
			t.Error("a run without a screen of its own can lend the terminal")
		}
	})
}

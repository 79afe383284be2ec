package command

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weftrun/weft/engine/proc"
)

// TestEndWithin: when the time limit of a stop is over, everything running is killed, and so is
// every later command.
func TestEndWithin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cause := errors.New("over")
		table := proc.NewTable(proc.Options{After: time.After})
		var r Running
		stopped, cancel := context.WithCancel(t.Context())
		told, deferred := table.NewGroup(proc.GroupOptions{}), table.NewGroup(proc.GroupOptions{})
		r.Add(stopped, told)
		r.Add(t.Context(), deferred)
		cancel()
		r.LimitStop(cause, 8*time.Second)
		r.Stop(cause, proc.Ladder{Grace: 60 * time.Second}) // gives deferred ones no longer
		r.LimitStop(cause, 20*time.Second)                  // nor does that
		time.Sleep(8*time.Second - 1)
		if told.Killed() || deferred.Killed() {
			t.Error("killed before the time")
		}
		time.Sleep(2 * time.Nanosecond)
		synctest.Wait()
		late := table.NewGroup(proc.GroupOptions{})
		r.Add(t.Context(), late)
		if !told.Killed() || !deferred.Killed() || !late.Killed() {
			t.Error("not killed in time:", told.Killed(), deferred.Killed(), late.Killed())
		}
		if waiting, _ := r.Waiting(proc.Ladder{Grace: 60 * time.Second}, 9*time.Second); waiting {
			t.Error("the run waits for what was killed")
		}
	})
}

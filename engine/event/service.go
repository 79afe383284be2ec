package event

import (
	"os"
	"time"
)

// Change is the reason for a state change of a service.
type Change string

const (
	ByExit   Change = "exit"      // it ended on its own
	ByReady  Change = "ready"     // it was not ready in time
	ByAlive  Change = "alive"     // its liveness checks failed
	ByWatch  Change = "watch"     // its sources have changed
	Asked    Change = "asked"     // the user requested it
	Unneeded Change = "unneeded"  // nothing needs it any longer
	RunEnds  Change = "cancelled" // the run, or a part with the service, is being stopped
)

// Ready means that a service is ready, so that its dependents start.
type Ready struct {
	fact     `event:"ready"`
	Time     time.Time
	Step     StepID        `event:"step"`
	Task     string        `event:"task"`              // display name
	Duration time.Duration `event:"seconds"`           // since its last start
	Restarts int           `event:"restarts,omitzero"` // number of restarts so far
	Kept     bool          `event:"kept,omitzero"`     // it has been running since an earlier run, in watch mode
}

func (ev *Ready) encode(e *Encoder) {
	e.begin("ready", ev.Time)
	e.number("step", int64(ev.Step))
	e.text("task", ev.Task)
	e.seconds("seconds", ev.Duration)
	e.numberIf("restarts", int64(ev.Restarts))
	e.flagIf("kept", ev.Kept)
}

// Restarted means that a service has ended and is started again after Delay.
type Restarted struct {
	fact     `event:"restarted"`
	Time     time.Time
	Step     StepID    `event:"step"`
	Task     string    `event:"task"` // display name
	Why      Change    `event:"why"`  // ByExit, ByReady, ByAlive, ByWatch or Asked
	Restarts int       `event:"restarts"`
	Attempt  int       `event:"attempt,omitzero"`  // number of the consecutive restart, from 1; 0 if it is not counted
	Attempts int       `event:"attempts,omitzero"` // maximum number of consecutive restarts; 0 if they are not counted
	Code     int       `event:"code,omitzero"`     // exit status, or 0
	Signal   os.Signal `event:"signal,omitzero"`   // signal that ended it, or nil
	// Err is the error it ended with, nil if it succeeded or was only stopped.
	Err   error         `event:"error,omitzero"`
	Delay time.Duration `event:"delay"`
}

func (ev *Restarted) encode(e *Encoder) {
	e.begin("restarted", ev.Time)
	e.number("step", int64(ev.Step))
	e.text("task", ev.Task)
	e.text("why", string(ev.Why))
	e.number("restarts", int64(ev.Restarts))
	e.numberIf("attempt", int64(ev.Attempt))
	e.numberIf("attempts", int64(ev.Attempts))
	e.numberIf("code", int64(ev.Code))
	if ev.Signal != nil {
		e.signal("signal", ev.Signal)
	}
	if ev.Err != nil {
		e.failure(ev.Err)
	}
	e.seconds("delay", ev.Delay)
}

// Stopping means that a service is being stopped, permanently or to be restarted.
type Stopping struct {
	fact `event:"stopping"`
	Time time.Time
	Step StepID `event:"step,omitzero"`  // 0 if it has outlived its run, in watch mode
	Task string `event:"task"`           // display name
	Why  Change `event:"why"`            // anything but ByExit
	Err  error  `event:"error,omitzero"` // result of its checks; nil unless ByReady or ByAlive
}

func (ev *Stopping) encode(e *Encoder) {
	e.begin("stopping", ev.Time)
	e.numberIf("step", int64(ev.Step))
	e.text("task", ev.Task)
	e.text("why", string(ev.Why))
	if ev.Err != nil {
		e.failure(ev.Err)
	}
}

// Stopped means that a service has ended permanently.
type Stopped struct {
	fact     `event:"stopped"`
	Time     time.Time
	Step     StepID        `event:"step,omitzero"`   // 0 if it has outlived its run, in watch mode
	Task     string        `event:"task"`            // display name
	Code     int           `event:"code,omitzero"`   // exit status, or 0
	Signal   os.Signal     `event:"signal,omitzero"` // signal that ended it, or nil
	Err      error         `event:"error,omitzero"`  // nil if it succeeded or was stopped
	Duration time.Duration `event:"seconds"`         // since its last start
	Restarts int           `event:"restarts,omitzero"`
}

func (ev *Stopped) encode(e *Encoder) {
	e.begin("stopped", ev.Time)
	e.numberIf("step", int64(ev.Step))
	e.text("task", ev.Task)
	e.numberIf("code", int64(ev.Code))
	if ev.Signal != nil {
		e.signal("signal", ev.Signal)
	}
	if ev.Err != nil {
		e.failure(ev.Err)
	}
	e.seconds("seconds", ev.Duration)
	e.numberIf("restarts", int64(ev.Restarts))
}

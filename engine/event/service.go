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

// Stopping means that a service is being stopped, permanently or to be restarted.
type Stopping struct {
	fact `event:"stopping"`
	Time time.Time
	Step StepID `event:"step,omitzero"`  // 0 if it has outlived its run, in watch mode
	Task string `event:"task"`           // display name
	Why  Change `event:"why"`            // anything but ByExit
	Err  error  `event:"error,omitzero"` // result of its checks; nil unless ByReady or ByAlive
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

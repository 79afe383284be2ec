package event

import "time"

// WatchStarted lists the watched tasks.
type WatchStarted struct {
	fact  `event:"watch_started"`
	Time  time.Time
	Tasks []string `event:"tasks,omitzero"`
}

// WatchTriggered lists the changed files and the tasks that they make stale.
type WatchTriggered struct {
	fact  `event:"watch_triggered"`
	Time  time.Time
	Tasks []string `event:"tasks,omitzero"`
	Paths []string `event:"paths,omitzero"` // relative to the start directory, if they are below it
}

// WatchEnded is the end of a run of a watched task.
type WatchEnded struct {
	fact      `event:"watch_ended"`
	Time      time.Time
	Task      string        `event:"task"`
	Err       error         `event:"error,omitzero"`
	Restarted bool          `event:"restarted,omitzero"` // it was stopped, because of a rerun or because weft ends
	Serving   bool          `event:"serving,omitzero"`   // its services are still running
	Duration  time.Duration `event:"seconds"`
	Trigger   []string      `event:"paths,omitzero"` // paths that triggered it; none for the first run
}

// WatchFailed means that the workflow cannot be run in its current form. The last valid one remains
// loaded.
type WatchFailed struct {
	fact `event:"watch_failed"`
	Time time.Time
	Err  error `event:"error,omitzero"`
}

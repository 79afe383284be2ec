package event

import "time"

// WatchStarted tells that files are watched, and who is run again for them.
type WatchStarted struct {
	fact  `event:"watch_started"`
	Time  time.Time
	Tasks []string `event:"tasks,omitzero"`
}

// WatchTriggered tells that files have changed, and which tasks are stale by that.
type WatchTriggered struct {
	fact  `event:"watch_triggered"`
	Time  time.Time
	Tasks []string `event:"tasks,omitzero"`
	Paths []string `event:"paths,omitzero"` // relative to where weft was started, if they are below
}

// WatchEnded tells how a run of a watched task has ended.
type WatchEnded struct {
	fact      `event:"watch_ended"`
	Time      time.Time
	Task      string        `event:"task"`
	Err       error         `event:"error,omitzero"`
	Restarted bool          `event:"restarted,omitzero"` // it was stopped, to be run again or because weft is
	Duration  time.Duration `event:"seconds"`
	Trigger   []string      `event:"paths,omitzero"` // the paths that made it necessary; none for the first run
}

// WatchFailed tells of a workflow that cannot be run as it is now. What was loaded
// before stays.
type WatchFailed struct {
	fact `event:"watch_failed"`
	Time time.Time
	Err  error `event:"error,omitzero"`
}

package event

import "time"

// WatchStarted tells that files are watched, and who is run again for them.
type WatchStarted struct {
	Time  time.Time
	Tasks []string
}

func (ev *WatchStarted) fields(v visitor) {
	v.begin("watch_started", &ev.Time)
	texts(v, "tasks", &ev.Tasks)
}

// WatchTriggered tells that files have changed, and which tasks are stale by that.
type WatchTriggered struct {
	Time  time.Time
	Paths []string // relative to where weft was started, if they are below
	Tasks []string
}

func (ev *WatchTriggered) fields(v visitor) {
	v.begin("watch_triggered", &ev.Time)
	texts(v, "tasks", &ev.Tasks)
	texts(v, "paths", &ev.Paths)
}

// WatchEnded tells how a run of a watched task has ended.
type WatchEnded struct {
	Time      time.Time
	Task      string
	Err       error
	Restarted bool // it was stopped, to be run again or because weft is
	Duration  time.Duration
	Trigger   []string // the paths that made it necessary; none for the first run
}

func (ev *WatchEnded) fields(v visitor) {
	v.begin("watch_ended", &ev.Time)
	v.text("task", &ev.Task)
	failure(v, &ev.Err)
	flag(v, "restarted", &ev.Restarted)
	v.seconds("seconds", &ev.Duration)
	texts(v, "paths", &ev.Trigger)
}

// WatchFailed tells of a workflow that cannot be run as it is now. What was loaded
// before stays.
type WatchFailed struct {
	Time time.Time
	Err  error
}

func (ev *WatchFailed) fields(v visitor) {
	v.begin("watch_failed", &ev.Time)
	failure(v, &ev.Err)
}

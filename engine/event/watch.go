package event

import "time"

// WatchStarted tells that files are watched, and who is run again for them.
type WatchStarted struct {
	Time  time.Time
	Tasks []string
}

func (ev *WatchStarted) code(c *coder) {
	c.event("watch_started", &ev.Time)
	c.texts("tasks", &ev.Tasks)
}

// WatchTriggered tells that files have changed, and which tasks are stale by that.
type WatchTriggered struct {
	Time  time.Time
	Paths []string // relative to where weft was started, if they are below
	Tasks []string
}

func (ev *WatchTriggered) code(c *coder) {
	c.event("watch_triggered", &ev.Time)
	c.texts("tasks", &ev.Tasks)
	c.texts("paths", &ev.Paths)
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

func (ev *WatchEnded) code(c *coder) {
	c.event("watch_ended", &ev.Time)
	c.text("task", &ev.Task)
	c.failure(&ev.Err)
	c.flag("restarted", &ev.Restarted)
	c.seconds("seconds", &ev.Duration)
	c.texts("paths", &ev.Trigger)
}

// WatchFailed tells of a workflow that cannot be run as it is now. What was loaded
// before stays.
type WatchFailed struct {
	Time time.Time
	Err  error
}

func (ev *WatchFailed) code(c *coder) {
	c.event("watch_failed", &ev.Time)
	c.failure(&ev.Err)
}

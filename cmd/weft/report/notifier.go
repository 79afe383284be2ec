package report

import (
	"sync"
	"time"

	"github.com/weftrun/weft/engine/event"
)

// Notifier notifies the user of the end of a long run, and in watch mode of a run whose result
// differs from the one before.
type Notifier struct {
	least   time.Duration
	send    func(text string)
	sending sync.WaitGroup

	run      string // its tasks
	failed   string // first root failure
	watching bool
	ended    map[string]bool // by watched task: whether the last run failed
}

// NewNotifier returns a Notifier for runs that take at least least. send notifies the user and may
// be slow.
func NewNotifier(least time.Duration, send func(text string)) *Notifier {
	return &Notifier{least: least, send: send, ended: map[string]bool{}}
}

// Wants implements Reporter.
func (n *Notifier) Wants() event.Wants { return event.Wants{} }

// Handle implements Reporter.
func (n *Notifier) Handle(ev event.Event) {
	switch ev := ev.(type) {
	case *event.Output:
		release(ev)
	case *event.RunStarted:
		n.failed, n.run = "", "default"
		if len(ev.Tasks) > 0 {
			n.run = list(ev.Tasks, 3)
		}
	case *event.StepSettled:
		if rootFailure(ev) && n.failed == "" {
			n.failed = ev.Task
		}
	case *event.WatchStarted:
		n.watching = true
	case *event.RunFinished:
		if !n.watching && ev.Duration >= n.least {
			n.tell(n.run, ev.Err, ev.Duration)
		}
	case *event.WatchEnded:
		if ev.Restarted {
			return
		}
		before, known := n.ended[ev.Task]
		n.ended[ev.Task] = ev.Err != nil
		if known && before != (ev.Err != nil) {
			n.tell(ev.Task, ev.Err, ev.Duration)
		}
	}
}

// tell notifies the user of an end in one line.
func (n *Notifier) tell(name string, err error, took time.Duration) {
	text := "weft: " + name + " succeeded after " + FormatDuration(took)
	if err != nil {
		text = "weft: " + name + " failed after " + FormatDuration(took)
		if n.failed != "" {
			text += ": " + n.failed
		}
	}
	n.sending.Go(func() { n.send(noticeText(text)) })
}

// Err implements Reporter: a failed notification does not end a run.
func (n *Notifier) Err() error { return nil }

// Close returns after all notifications were sent.
func (n *Notifier) Close() error {
	n.sending.Wait()
	return nil
}

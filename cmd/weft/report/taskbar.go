package report

import (
	"time"

	"github.com/weftrun/weft/engine/event"
)

// Taskbar shows the progress of the run at the terminal's icon or tab. It updates at most once a
// second, and clears the progress at the end and when the run is being stopped.
type Taskbar struct {
	show           func(sequence string)
	planned, ended int
	failed         bool
	stopped        bool // nothing more is shown
	shown          string
	next           time.Time
}

// NewTaskbar returns a Taskbar; show writes an escape sequence to the terminal.
func NewTaskbar(show func(sequence string)) *Taskbar { return &Taskbar{show: show} }

// Wants implements Reporter.
func (b *Taskbar) Wants() event.Wants { return event.Wants{} }

// Handle implements Reporter.
func (b *Taskbar) Handle(ev event.Event) {
	switch ev := ev.(type) {
	case *event.Output:
		release(ev)
	case *event.RunStarted:
		*b = Taskbar{show: b.show, shown: b.shown}
	case *event.Planned:
		b.planned += ev.Steps
	case *event.StepSettled:
		b.ended++
		b.failed = b.failed || ev.Outcome == event.Failed
	case *event.SignalReceived, *event.RunFinished:
		b.stopped = true
		b.clear()
	}
}

// Tick implements Ticker.
func (b *Taskbar) Tick(now time.Time) {
	if b.stopped || b.planned == 0 || now.Before(b.next) {
		return
	}
	state, percent := progressRunning, 100*min(b.ended, b.planned)/b.planned
	switch {
	case b.failed:
		state = progressFailed
	case b.planned == 1:
		state, percent = progressUnknown, 0
	}
	if text := terminalProgress(state, percent); text != b.shown {
		b.shown, b.next = text, now.Add(time.Second)
		b.show(text)
	}
}

func (b *Taskbar) clear() {
	if b.shown != "" {
		b.shown = ""
		b.show(noProgress)
	}
}

// Err implements Reporter.
func (b *Taskbar) Err() error { return nil }

// Close implements Reporter.
func (b *Taskbar) Close() error {
	b.clear()
	return nil
}

// noProgress clears the progress.
const noProgress = "\x1b]9;4;0;0\x1b\\"

// Progress sends a progress sequence, which shows nothing in a, to the terminal.
func (a *Area) Progress(sequence string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.progress = sequence; sequence == noProgress {
		a.progress = ""
	}
	if a.holders == 0 {
		a.w.Write([]byte(sequence))
	}
}

// PauseProgress clears the progress while weft is stopped.
func (a *Area) PauseProgress() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.progress != "" {
		a.w.Write([]byte(noProgress))
	}
}

// ResumeProgress shows it again.
func (a *Area) ResumeProgress() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.progress != "" {
		a.w.Write([]byte(a.progress))
	}
}

package report

import (
	"fmt"
	"sort"
	"strings"
	"time"

	"github.com/weftrun/weft/cmd/weft/report/model"
	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/schema/diag"
)

// mostTimings is the maximum number of lines of each part of the timings.
const mostTimings = 10

// Timings shows at the end of a run, on standard error, the slowest tasks with their waiting times,
// and the critical path. It implements [Reporter].
type Timings struct {
	o      Options
	folder model.Folder
}

// NewTimings returns Timings.
func NewTimings(o Options) *Timings { return &Timings{o: o} }

// Wants implements Reporter.
func (t *Timings) Wants() event.Wants { return event.Wants{Graph: true, Detail: true} }

// Handle implements Reporter.
func (t *Timings) Handle(ev event.Event) {
	if out, ok := ev.(*event.Output); ok {
		release(out)
		return
	}
	t.folder.Handle(ev)
	if _, ok := ev.(*event.RunFinished); ok && t.folder.Ended() {
		t.show(t.folder.Run())
	}
}

// Err implements Reporter.
func (t *Timings) Err() error { return t.o.Stderr.Err() }

// Close implements Reporter.
func (t *Timings) Close() error { return t.Err() }

func (t *Timings) show(r *model.Run) {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %q took %s\n", t.o.Name, r.Name(), FormatDuration(r.Duration))
	steps := slowest(r)
	if len(steps) > 0 {
		b.WriteString("    took   waited  slowest tasks\n")
	}
	for _, s := range steps {
		waited := ""
		if d := r.Waited(s); d >= time.Millisecond {
			waited = FormatDuration(d)
		}
		fmt.Fprintf(&b, "%8s %8s  %s\n", FormatDuration(r.Ran(s)), waited, diag.Printable(s.Label))
	}
	if path := r.CriticalPath(); len(steps) > 0 && len(path) > 0 {
		b.WriteString("    took    share  critical path\n")
		writePath(&b, r, path)
	}
	t.o.Stderr.Show(b.String())
}

// slowest returns the slowest steps, slowest first.
func slowest(r *model.Run) []*model.Step {
	var all []*model.Step
	for _, s := range r.Steps {
		if !s.Service && r.Ran(s) >= time.Millisecond {
			all = append(all, s)
		}
	}
	sort.SliceStable(all, func(i, j int) bool { return r.Ran(all[i]) > r.Ran(all[j]) })
	return all[:min(len(all), mostTimings)]
}

// writePath writes the longest pieces of the critical path, in order of time, and the rest as one.
func writePath(b *strings.Builder, r *model.Run, path []model.Piece) {
	bySize := make([]int, len(path))
	for i := range bySize {
		bySize[i] = i
	}
	sort.SliceStable(bySize, func(i, j int) bool { return path[bySize[i]].Duration() > path[bySize[j]].Duration() })
	shown := map[int]bool{}
	for _, i := range bySize[:min(len(path), mostTimings)] {
		shown[i] = 100*path[i].Duration() >= r.Duration // one percent of the whole
	}
	rest, left := 0, time.Duration(0)
	line := func(d time.Duration, what string) {
		fmt.Fprintf(b, "%8s %6.0f %%  %s\n", FormatDuration(d), 100*d.Seconds()/max(r.Duration.Seconds(), 1e-6), what)
	}
	for i := range path {
		if p := &path[i]; shown[i] {
			line(p.Duration(), PieceName(p))
		} else {
			rest, left = rest+1, left+p.Duration()
		}
	}
	if rest > 0 {
		line(left, fmt.Sprintf("%d shorter ones", rest))
	}
}

// PieceName describes a piece of the critical path for one line.
func PieceName(p *model.Piece) string {
	if p.Step == nil {
		return "weft itself"
	}
	name := diag.Printable(p.Step.Label)
	pool, isPool := strings.CutPrefix(string(p.For), "pool:")
	switch {
	case !p.Wait:
		return name
	case isPool:
		return name + " waits for the pool " + diag.Printable(pool)
	case p.For == event.Lock:
		return name + " waits for another weft"
	}
	return name + " waits for a " + string(p.For)
}

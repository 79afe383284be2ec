package command

import (
	"path"
	"strings"
	"time"

	"github.com/weftrun/weft/engine/clock"
	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/engine/executor"
	"github.com/weftrun/weft/engine/plan"
	"github.com/weftrun/weft/engine/proc"
)

const (
	chunk = 256 << 10 // bytes per read
	// maxChunks limits the memory for output that was read but not reported.
	maxChunks = 24
)

// buffers is a bounded pool. When all are in use, readers wait, so that a slow terminal slows the
// commands that write, and nothing else.
type buffers struct {
	free  chan []byte
	spare chan struct{} // permits to allocate
}

func newBuffers() *buffers {
	b := &buffers{free: make(chan []byte, maxChunks), spare: make(chan struct{}, maxChunks)}
	for range maxChunks {
		b.spare <- struct{}{}
	}
	return b
}

func (b *buffers) get() []byte {
	select {
	case p := <-b.free:
		return p
	default:
	}
	select {
	case p := <-b.free:
		return p
	case <-b.spare:
		return make([]byte, chunk)
	}
}

// report emits one stream of a command, as a writer.
type report struct {
	s       *step
	command int // index in the step
	stream  event.Stream
}

// Write emits copies of p. Their buffers come from a separate pool: a writer that waits for one
// here may hold one of the other.
func (r report) Write(p []byte) (int, error) {
	pool := r.s.copies
	for rest := p; len(rest) > 0; {
		buf := pool.get()
		n := copy(buf, rest)
		rest = rest[n:]
		r.emit(buf[:n], func() { pool.free <- buf })
	}
	return len(p), nil
}

// emit emits data itself, which is released when it has been reported.
func (r report) emit(data []byte, release func()) {
	r.s.Emit(&event.Output{Time: time.Now(), Step: r.s.ID, Command: r.command, Stream: r.stream, Data: data, Release: release})
}

// pauses reports that nothing has followed an incomplete line for a moment. It belongs to one
// goroutine.
type pauses struct {
	report  report
	pending *clock.Timer // fires after the pause; nil if no line is incomplete
}

// partialAfter is the pause after which an incomplete line is shown.
const partialAfter = 100 * time.Millisecond

// wrote records the last reported data; nil means the end.
func (p *pauses) wrote(data []byte) {
	if p.pending != nil {
		p.pending.Stop()
		p.pending = nil
	}
	if n := len(data); n > 0 && data[n-1] != '\n' {
		r := p.report
		p.pending = r.s.o.Clock.AfterFunc(partialAfter, func() {
			r.s.Emit(&event.Output{Time: time.Now(), Step: r.s.ID, Command: r.command, Stream: r.stream, Partial: true})
		})
	}
}

// Write implements io.Writer for data that another writer has reported.
func (p *pauses) Write(data []byte) (int, error) {
	p.wrote(data)
	return len(data), nil
}

// reportOn creates the report on a pipe: its members, of which none has ended.
func (j *job) reportOn(members []plan.Command) []event.Member {
	var list []event.Member
	var add func(members []plan.Command)
	add = func(members []plan.Command) {
		for i := range members {
			m := &members[i]
			if inner(m) {
				add(m.Members)
				continue
			}
			list = append(list, event.Member{Name: j.s.memberName(m)})
		}
	}
	add(members)
	j.s.mu.Lock()
	j.s.try.members = list
	j.s.mu.Unlock()
	return list
}

// inner reports whether a member of a pipe is reported by its own members instead of itself.
func inner(m *plan.Command) bool { return m.Kind == plan.Tee || m.Kind == plan.Merge }

// cutReport splits a report into the part for m, and the rest.
func cutReport(report []event.Member, m *plan.Command) (own, rest []event.Member) {
	n := 1
	if inner(m) {
		n = len(m.Members)
	}
	return report[:n:n], report[n:]
}

// memberName returns the program that a member runs, or begins with, or its task.
func (s *step) memberName(m *plan.Command) string {
	if m.Kind == plan.TaskCall {
		return m.Text
	}
	words := strings.Fields(s.o.Secrets.Mask(m.Shown))
	if len(words) == 0 {
		return ""
	}
	return path.Base(strings.TrimRight(words[0], ";"))
}

// reported records the result of a member of a pipe; only the first one counts: its own exit
// status, before it is interpreted.
func (e *ends) reported(err error) {
	if len(e.report) != 1 || e.report[0].Code != 0 || err == nil {
		return
	}
	code := executor.ExitCode(err)
	switch {
	case executor.IsNoReaders(err):
		code = proc.BrokenPipe
	case code == 0:
		code = 1
	}
	e.report[0].Code = code
}

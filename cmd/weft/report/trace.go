package report

import (
	"bufio"
	"compress/gzip"
	"io"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/weftrun/weft/cmd/weft/report/model"
	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/schema/diag"
)

// The process IDs of a trace.
const (
	traceSlots    = 1 // a thread for each slot
	traceServices = 2 // a thread for each service
	traceWeft     = 3 // weft itself, and waiting for locks
	traceBeside   = 4 // commands that overlap others of their step, or outlive it
)

// WriteTrace writes the run as JSON in the Trace Event Format of Chrome, which Perfetto, speedscope
// and the Firefox Profiler also read; compressed if the name of the file ends with ".gz".
// docs/reports.md describes the layout.
func WriteTrace(w io.Writer, run Finished) error {
	if !strings.HasSuffix(run.File, ".gz") {
		return writeTrace(w, run)
	}
	z := gzip.NewWriter(w)
	if err := writeTrace(z, run); err != nil {
		return err
	}
	return z.Close()
}

func writeTrace(w io.Writer, run Finished) error {
	t := &trace{run: run.Run, parts: map[*model.Step][]traceEvent{}, critical: map[*model.Step]bool{}}
	t.collect()
	b := bufio.NewWriterSize(w, 64<<10)
	t.write(b)
	return b.Flush()
}

// trace is a trace being written.
type trace struct {
	run      *model.Run
	all      []traceEvent
	order    []int32                      // indexes of all events, sorted by time
	parts    map[*model.Step][]traceEvent // slices of each step, in order
	critical map[*model.Step]bool         // steps on the critical path
	threads  []traceThread
	flows    int
}

// traceThread is a named thread.
type traceThread struct {
	pid, tid int
	name     string
}

// traceEvent is one event. Times are in microseconds since the run began.
type traceEvent struct {
	phase    byte // 'X' a slice, 's' and 'f' the ends of an arrow, 'C' numbers
	ts, dur  int64
	pid, tid int
	name     string // unescaped
	cat      string
	step     *model.Step
	command  *model.Command
	flow     int // arrow number
	running  int // of 'C'
	waiting  int // of 'C'
}

func (ev *traceEvent) end() int64 { return ev.ts + ev.dur }

// us returns a time in microseconds since the run began.
func (t *trace) us(at time.Time) int64 { return max(0, at.Sub(t.run.Started).Microseconds()) }

// slice returns a slice in the first thread of a process.
func (t *trace) slice(pid int, from, to time.Time) traceEvent {
	ts := t.us(from)
	return traceEvent{phase: 'X', ts: ts, dur: max(0, t.us(to)-ts), pid: pid, tid: 1}
}

// collect creates all events, in order of time.
func (t *trace) collect() {
	slots, services := t.run.Slots()
	t.steps(traceSlots, slots)
	t.steps(traceServices, services)
	t.ourselves()
	t.commands()
	t.arrows()
	t.counters()
	t.order = make([]int32, len(t.all))
	for i := range t.order {
		t.order[i] = int32(i)
	}
	sort.Slice(t.order, func(i, j int) bool {
		a, b := &t.all[t.order[i]], &t.all[t.order[j]]
		switch before, after := strings.IndexByte(traceOrder, a.phase), strings.IndexByte(traceOrder, b.phase); {
		case a.ts != b.ts:
			return a.ts < b.ts
		case before != after:
			return before < after
		case a.dur != b.dur:
			return a.dur > b.dur // enclosing slices first
		}
		return t.order[i] < t.order[j]
	})
}

// traceOrder is the order of simultaneous events: ends of arrows follow the slices that contain
// them.
const traceOrder = "CXsf"

// steps adds the slices of steps.
func (t *trace) steps(pid int, all []model.Slice) {
	lanes := 0
	for i := range all {
		s := &all[i]
		ev := t.slice(pid, s.From, s.To)
		ev.tid, ev.name, ev.cat, ev.step = s.Lane+1, s.Name(), s.Step.Outcome.String(), s.Step
		if s.Lane == lanes {
			lanes++
			name := s.Step.Label
			if pid == traceSlots {
				name = "slot " + strconv.Itoa(lanes)
			}
			t.threads = append(t.threads, traceThread{pid, ev.tid, name})
		}
		t.parts[s.Step] = append(t.parts[s.Step], ev)
		t.all = append(t.all, ev)
	}
}

// ourselves adds weft's own activity, and waiting for other weft processes.
func (t *trace) ourselves() {
	t.threads = append(t.threads, traceThread{traceWeft, 1, "weft"})
	for i, p := range t.run.CriticalPath() {
		switch {
		case p.Step == nil:
			ev := t.slice(traceWeft, p.From, p.To)
			if ev.name, ev.cat = "planning", "weft"; i > 0 {
				ev.name = "ending"
			}
			t.all = append(t.all, ev)
		case !p.Wait:
			t.critical[p.Step] = true
		}
	}
	var locks []traceEvent
	for _, s := range t.run.Steps {
		for _, w := range s.Waits {
			if w.For != event.Lock {
				continue
			}
			if w.To.IsZero() {
				w.To = t.run.Last
			}
			ev := t.slice(traceWeft, w.From, w.To)
			ev.name, ev.cat, ev.step = s.Label, "lock", s
			locks = append(locks, ev)
		}
	}
	t.place(locks, 1, "lock ")
}

// place adds slices of a process, each to the lowest free thread from number first on. name is the
// thread's name without its number.
func (t *trace) place(all []traceEvent, first int, name string) {
	sort.SliceStable(all, func(i, j int) bool { return all[i].ts < all[j].ts })
	var lanes model.Lanes
	for i := range all {
		all[i].tid = 1 + first + lanes.Take(all[i].ts, all[i].end())
	}
	for i := range lanes.Len() {
		t.threads = append(t.threads, traceThread{all[0].pid, 1 + first + i, name + strconv.Itoa(i+1)})
	}
	t.all = append(t.all, all...)
}

// commands adds the attempts of commands: within the slice of their step, or in a thread of their
// own if they do not fit.
func (t *trace) commands() {
	var beside []traceEvent
	for _, s := range t.run.Steps {
		around, free := t.parts[s], int64(0) // free: end of the last command in a slice
		for _, c := range s.Commands {
			to := c.Ended
			if to.IsZero() {
				to = t.run.End(s)
			}
			ev := t.slice(traceBeside, c.Started, to)
			ev.name, ev.cat, ev.step, ev.command = firstLine(c.Text), "command", s, c
			for len(around) > 1 && around[1].ts <= ev.ts {
				around = around[1:]
			}
			if len(around) == 0 || ev.ts < max(free, around[0].ts) || ev.end() > around[0].end() {
				beside = append(beside, ev)
				continue
			}
			ev.pid, ev.tid, free = around[0].pid, around[0].tid, ev.end()
			t.all = append(t.all, ev)
		}
	}
	t.place(beside, 0, "command ")
}

// mostName is the maximum length of a command's text in its slice, in bytes.
const mostName = 200

// firstLine returns the first line of a command, shortened.
func firstLine(text string) string {
	text, _, more := strings.Cut(text, "\n")
	if len(text) > mostName {
		text, more = strings.ToValidUTF8(text[:mostName], ""), true
	}
	if more {
		text += "…"
	}
	return text
}

// arrows adds an arrow along each need, call and stream between steps that ran.
func (t *trace) arrows() {
	for _, s := range t.run.Steps {
		parts := t.parts[s]
		if len(parts) == 0 {
			continue
		}
		for _, n := range s.Needs {
			need := t.run.Step(n.Step)
			from := t.parts[need]
			if len(from) == 0 {
				continue
			}
			first, last := from[0], from[len(from)-1]
			switch {
			case n.Until == event.UntilTogether:
				t.arrow("stream", first, first.ts, parts[0])
			case n.Until == event.UntilStarted:
				t.arrow("need", first, first.ts, parts[0])
			case need.Service && !need.Ready.IsZero():
				t.arrow("need", first, t.us(need.Ready), parts[0])
			default:
				t.arrow("need", last, last.end(), parts[0])
			}
		}
		if s.Caller == 0 || s.Parent != s.Caller {
			continue
		}
		called := t.parts[t.run.Step(s.Caller)]
		for i := len(called) - 1; i >= 0; i-- {
			if called[i].ts <= parts[0].ts {
				t.arrow("call", called[i], called[i].end(), parts[0])
				break
			}
		}
	}
}

// arrow adds an arrow from a time within a slice to the beginning of another one, unless it would
// go back in time.
//
//go:noinline
func (t *trace) arrow(cat string, from traceEvent, at int64, to traceEvent) {
	if at = min(at, from.end()-1, to.ts); at < from.ts {
		at = from.ts
	}
	if at > to.ts {
		return
	}
	t.flows++
	t.all = append(t.all,
		traceEvent{phase: 's', ts: at, pid: from.pid, tid: from.tid, name: cat, cat: cat, flow: t.flows},
		traceEvent{phase: 'f', ts: to.ts, pid: to.pid, tid: to.tid, name: cat, cat: cat, flow: t.flows})
}

// counters adds the number of running and of queued steps at each change.
func (t *trace) counters() {
	type change struct{ running, waiting int }
	changes := map[int64]change{}
	add := func(at int64, running, waiting int) {
		c := changes[at]
		changes[at] = change{c.running + running, c.waiting + waiting}
	}
	for _, s := range t.run.Steps {
		for _, p := range t.parts[s] {
			if p.pid == traceSlots {
				add(p.ts, 1, 0)
				add(p.end(), -1, 0)
			}
		}
		if d := t.run.Queued(s); d > 0 {
			add(t.us(s.Started.Add(-d)), 0, 1)
			add(t.us(s.Started), 0, -1)
		}
	}
	times := make([]int64, 0, len(changes))
	for at := range changes {
		times = append(times, at)
	}
	sort.Slice(times, func(i, j int) bool { return times[i] < times[j] })
	ev := traceEvent{phase: 'C', pid: traceSlots, name: "steps"}
	for _, at := range times {
		if c := changes[at]; c != (change{}) {
			ev.ts, ev.running, ev.waiting = at, ev.running+c.running, ev.waiting+c.waiting
			t.all = append(t.all, ev)
		}
	}
}

func (t *trace) write(w *bufio.Writer) {
	w.WriteString("{\"traceEvents\":[\n")
	t.metadata(w, traceSlots, 0, "process_name", "slots")
	for pid, name := range [...]string{traceServices: "services", traceWeft: "weft", traceBeside: "parallel commands"} {
		if slices.ContainsFunc(t.threads, func(th traceThread) bool { return th.pid == pid && pid != traceSlots }) {
			w.WriteString(",\n")
			t.metadata(w, pid, 0, "process_name", name)
		}
	}
	for _, th := range t.threads {
		w.WriteString(",\n")
		t.metadata(w, th.pid, th.tid, "thread_name", th.name)
	}
	var b []byte
	for _, i := range t.order {
		b = append(b[:0], ",\n"...)
		b = t.append(b, &t.all[i])
		w.Write(b)
	}
	b = append(b[:0], "\n],\"displayTimeUnit\":\"ms\",\"otherData\":{\"run\":"...)
	b = appendJSON(b, t.run.ID)
	b = append(b, `,"tasks":`...)
	b = appendJSON(b, t.run.Name())
	b = append(b, `,"weft":`...)
	b = appendJSON(b, t.run.Weft)
	w.Write(append(b, "}}\n"...))
}

// metadata names a process or a thread.
func (t *trace) metadata(w *bufio.Writer, pid, tid int, what, name string) {
	b := []byte(`{"ph":"M","name":"` + what + `"`)
	b = appendNumber(b, "pid", int64(pid))
	b = appendNumber(b, "tid", int64(tid))
	b = append(b, `,"args":{"name":`...)
	b = appendJSON(b, name)
	w.Write(append(b, "}}"...))
}

// append appends an event.
func (t *trace) append(b []byte, ev *traceEvent) []byte {
	b = append(b, `{"ph":"`...)
	b = append(b, ev.phase)
	b = append(b, `","name":`...)
	b = appendJSON(b, ev.name)
	b = appendNumber(b, "ts", ev.ts)
	b = appendNumber(b, "pid", int64(ev.pid))
	b = appendNumber(b, "tid", int64(ev.tid))
	if ev.cat != "" {
		b = append(b, `,"cat":`...)
		b = appendJSON(b, ev.cat)
	}
	switch ev.phase {
	case 'C':
		b = append(b, `,"args":{"running":`...)
		b = strconv.AppendInt(b, int64(ev.running), 10)
		b = appendNumber(b, "waiting", int64(ev.waiting))
		b = append(b, '}')
	case 's', 'f':
		b = appendNumber(b, "id", int64(ev.flow))
		if ev.phase == 'f' {
			b = append(b, `,"bp":"e"`...)
		}
	case 'X':
		b = appendNumber(b, "dur", ev.dur)
		b = t.args(b, ev)
	}
	return append(b, '}')
}

// args appends details of a step or a command.
func (t *trace) args(b []byte, ev *traceEvent) []byte {
	s, c := ev.step, ev.command
	if s == nil {
		return b
	}
	b = append(b, `,"args":{"step":`...)
	b = strconv.AppendInt(b, int64(s.ID), 10)
	if c != nil {
		b = appendNumber(b, "attempt", int64(c.Attempt))
		b = appendNumber(b, "code", int64(c.Code))
		if c.Err.Reason != "" {
			b = append(b, `,"error":`...)
			b = appendJSON(b, c.Err.Reason)
		}
		return append(b, '}')
	}
	b = append(b, `,"task":`...)
	b = appendJSON(b, s.Name)
	b = append(b, `,"outcome":"`...)
	b = append(b, s.Outcome.String()...)
	b = append(b, '"')
	b = appendNumber(b, "code", int64(s.Code))
	b = append(b, `,"reasons":[`...)
	for i, reason := range s.Reasons {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendJSON(b, reason)
	}
	b = append(b, ']')
	b = appendNumber(b, "cpu_us", (s.Usage.User + s.Usage.System).Microseconds())
	b = appendNumber(b, "max_rss", s.Usage.MaxRSS)
	b = appendNumber(b, "queued_us", t.run.Queued(s).Microseconds())
	b = append(b, `,"critical":`...)
	return append(strconv.AppendBool(b, t.critical[s]), '}')
}

func appendNumber(b []byte, name string, n int64) []byte {
	b = append(b, ',', '"')
	b = append(b, name...)
	b = append(b, '"', ':')
	return strconv.AppendInt(b, n, 10)
}

// appendJSON appends task text as a JSON string, escaped by [diag.Printable].
func appendJSON(b []byte, s string) []byte {
	b = append(b, '"')
	for _, c := range []byte(diag.Printable(s)) {
		switch c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\t':
			b = append(b, `\t`...)
		default:
			b = append(b, c)
		}
	}
	return append(b, '"')
}

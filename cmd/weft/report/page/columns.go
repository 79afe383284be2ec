package page

import (
	"io"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/weftrun/weft/cmd/weft/report/model"
	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/schema/diag"
)

// memoryUnit is the unit of memory in the columns, in bytes.
const memoryUnit = 64 << 10

// The bits of a step and of a command in the columns.
const (
	isService = 1 << iota
	isAlone
	isOOM
	isFlaky
	isRoot
	isPart

	isReplayed   = 1
	isBackground = 2
	isRelayed    = 4
)

// texts assigns a number to each distinct text of a page.
type texts struct {
	number map[string]int64
	all    []string
}

// of returns the number of s.
//
//go:noinline
func (t *texts) of(s string) int64 {
	n, ok := t.number[s]
	if !ok {
		n = int64(len(t.all))
		t.number[s] = n
		t.all = append(t.all, s)
	}
	return n
}

// line returns the number of s, made printable on one line.
func (t *texts) line(s string) int64 { return t.of(diag.Printable(s)) }

// jsonWriter appends JSON to b, and flushes it in large pieces.
type jsonWriter struct {
	w   io.Writer
	b   []byte
	err error
}

// raw appends s unescaped. It is not inlined, because it is called in many places.
//
//go:noinline
func (j *jsonWriter) raw(s string) { j.b = append(j.b, s...) }

// flush writes b if it is large, or if all is set.
func (j *jsonWriter) flush(all bool) {
	if len(j.b) < 32<<10 && !all {
		return
	}
	if j.err == nil {
		_, j.err = j.w.Write(j.b)
	}
	j.b = j.b[:0]
}

// text appends a string.
func (j *jsonWriter) text(s string) {
	j.b = append(j.b, '"')
	for _, r := range diag.PrintableText(s) {
		switch {
		case r == '"' || r == '\\':
			j.b = append(j.b, '\\', byte(r))
		case r == '\n':
			j.b = append(j.b, '\\', 'n')
		case r == '\t':
			j.b = append(j.b, '\\', 't')
		default:
			j.b = utf8.AppendRune(j.b, r)
		}
	}
	j.b = append(j.b, '"')
	j.flush(false)
}

func (j *jsonWriter) ints(all []int64) {
	j.raw("[")
	for i, n := range all {
		if i > 0 {
			j.raw(",")
		}
		j.b = strconv.AppendInt(j.b, n, 10)
		j.flush(false)
	}
	j.raw("]")
}

// column writes `,"name":[…]`, or nothing if all numbers are 0. If differences is set, it writes
// the difference of each number to the one before.
func (j *jsonWriter) column(name string, differences bool, all []int64) {
	zero := true
	for _, n := range all {
		zero = zero && n == 0
	}
	if zero {
		return
	}
	if differences {
		for i := len(all) - 1; i > 0; i-- {
			all[i] -= all[i-1]
		}
	}
	j.raw(`,"` + name + `":`)
	j.ints(all)
}

// writeData writes the run in the format the scripts read.
func (p *page) writeData(w io.Writer) error {
	j := &jsonWriter{w: w}
	j.raw(`{"steps":{"n":` + strconv.Itoa(len(p.run.Steps)))
	p.steps(j)
	p.lists(j)
	p.needs(j)
	layered := p.places(j)
	p.before(j)
	j.raw("}")
	p.commands(j)
	p.about(j, layered)
	return p.end(j)
}

// writeLive writes what live pages ask for.
func (p *page) writeLive(w io.Writer) error {
	j := &jsonWriter{w: w}
	j.raw(`{"steps":{"n":` + strconv.Itoa(len(p.run.Steps)))
	ids := make([]int64, len(p.run.Steps))
	for i, s := range p.run.Steps {
		ids[i] = int64(s.ID)
	}
	j.column("id", false, ids)
	layered := p.places(j)
	p.before(j)
	j.raw("}")
	p.about(j, layered)
	return p.end(j)
}

// end writes the texts that were referred to.
func (p *page) end(j *jsonWriter) error {
	j.raw(`,"texts":[`)
	for i, s := range p.texts.all {
		if i > 0 {
			j.raw(",")
		}
		j.text(s)
	}
	j.raw("]}")
	j.flush(true)
	return j.err
}

// units returns d in units of the page's time.
//
//go:noinline
func (p *page) units(d time.Duration) int64 { return d.Microseconds() / p.unit }

// unitOf returns the unit of time of a run in microseconds: the smallest power of ten of which the
// run lasts at most a million.
func unitOf(run *model.Run) int64 {
	unit := int64(1)
	for run.Last.Sub(run.Started).Microseconds()/unit > 1e6 {
		unit *= 10
	}
	return unit
}

func bit(set bool, value int64) int64 {
	if set {
		return value
	}
	return 0
}

// steps writes the columns with one number per step.
func (p *page) steps(j *jsonWriter) {
	all := make([]int64, len(p.run.Steps))
	last := int64(0)
	for _, s := range p.run.Steps { // similar texts are adjacent, which compresses better
		p.texts.line(s.Label)
		for _, c := range s.Commands {
			p.texts.of(c.Text)
		}
	}
	for _, c := range []struct {
		name        string
		differences bool
		value       func(s *model.Step) int64
	}{
		{"id", true, func(s *model.Step) int64 { return int64(s.ID) }},
		{"parent", false, func(s *model.Step) int64 { return int64(s.Parent) }},
		{"cause", false, func(s *model.Step) int64 { return int64(s.Cause) }},
		{"label", true, func(s *model.Step) int64 { return p.texts.line(s.Label) }},
		{"task", false, func(s *model.Step) int64 { return p.texts.line(s.Name) }},
		{"file", false, func(s *model.Step) int64 { return p.texts.line(diag.Pos{File: s.Pos.File}.String()) }},
		{"line", true, func(s *model.Step) int64 { return int64(s.Pos.Line) }},
		{"column", false, func(s *model.Step) int64 { return int64(s.Pos.Column) }},
		{"outcome", false, func(s *model.Step) int64 { return int64(s.Outcome) }},
		{"start", true, func(s *model.Step) int64 {
			if !s.Started.IsZero() {
				last = p.units(s.Started.Sub(p.run.Started))
			}
			return last
		}},
		{"time", false, func(s *model.Step) int64 { return p.took(p.run.Run, s) }},
		{"queued", false, p.queued},
		{"cpu", false, func(s *model.Step) int64 { return p.units(s.Usage.User + s.Usage.System) }},
		{"rss", false, func(s *model.Step) int64 { return s.Usage.MaxRSS / memoryUnit }},
		{"code", false, func(s *model.Step) int64 { return int64(s.Code) }},
		{"flags", false, func(s *model.Step) int64 {
			return bit(s.Service, isService) | bit(s.Alone, isAlone) | bit(s.OOM, isOOM) | bit(s.Flaky(), isFlaky) | bit(s.Root(), isRoot) | bit(s.Part, isPart)
		}},
		{"error", false, func(s *model.Step) int64 { return p.texts.of(s.Err.Text) }},
		{"signal", false, func(s *model.Step) int64 { return p.texts.of(s.Signal) }},
		{"place", false, func(s *model.Step) int64 { return p.texts.of(string(s.Place)) }},
		{"files", false, func(s *model.Step) int64 { return int64(s.Inputs.Files) }},
		{"input", false, func(s *model.Step) int64 { return s.Inputs.Bytes }},
		{"print", false, func(s *model.Step) int64 { return p.texts.of(s.Fingerprint) }},
		{"restarts", false, func(s *model.Step) int64 { return int64(s.Restarts) }},
	} {
		for i, s := range p.run.Steps {
			all[i] = c.value(s)
		}
		j.column(c.name, c.differences, all)
	}
}

// took returns how long s of run took, in units, or −1 if it did not start.
func (p *page) took(run *model.Run, s *model.Step) int64 {
	if s.Started.IsZero() {
		return -1
	}
	return p.units(run.End(s).Sub(s.Started))
}

// queued returns by how much the wait of s for a slot exceeds the time from the end of its last
// need to its start, in units: usually 0.
func (p *page) queued(s *model.Step) int64 {
	if s.Started.IsZero() {
		return 0
	}
	met := int64(0)
	p.eachEdge(s, func(row int, kind int64) {
		if need := p.run.Steps[row]; kind == 0 && !need.Started.IsZero() {
			met = max(met, p.units(need.Started.Sub(p.run.Started))+p.took(p.run.Run, need))
		}
	})
	return p.units(p.run.Queued(s)) - max(0, p.units(s.Started.Sub(p.run.Started))-met)
}

// list writes a column with a list of numbers for each step: the lengths of the lists, then their
// elements.
func (p *page) list(j *jsonWriter, name string, of func(i int, s *model.Step, to []int64) []int64) {
	lengths, values := make([]int64, len(p.run.Steps)), []int64(nil)
	for i, s := range p.run.Steps {
		n := len(values)
		values = of(i, s, values)
		lengths[i] = int64(len(values) - n)
	}
	if len(values) == 0 {
		return
	}
	j.raw(`,"` + name + `":[`)
	j.ints(lengths)
	j.raw(",")
	j.ints(values)
	j.raw("]")
}

func (p *page) lists(j *jsonWriter) {
	named := func(name string, of func(s *model.Step) []string) {
		p.list(j, name, func(_ int, s *model.Step, to []int64) []int64 {
			for _, text := range of(s) {
				to = append(to, p.texts.of(text))
			}
			return to
		})
	}
	named("reasons", func(s *model.Step) []string { return s.Reasons })
	named("env", func(s *model.Step) []string { return s.Env })
	named("wrote", func(s *model.Step) []string { return s.Wrote })
	p.list(j, "waits", func(_ int, s *model.Step, to []int64) []int64 {
		for _, v := range s.Waits {
			to = append(to, p.units(p.length(v)), p.texts.of(string(v.For)))
		}
		return to
	})
	p.list(j, "suspended", func(_ int, s *model.Step, to []int64) []int64 {
		for _, v := range s.Suspended {
			to = append(to, p.units(v.From.Sub(s.Started)), p.units(p.length(v)))
		}
		return to
	})
	p.list(j, "tried", func(_ int, s *model.Step, to []int64) []int64 {
		for _, t := range s.Attempts {
			to = append(to, int64(t.Attempt), int64(t.Of), int64(t.Code), p.units(t.Duration), p.texts.of(t.Err.Reason))
		}
		return to
	})
	p.list(j, "log", func(i int, _ *model.Step, to []int64) []int64 {
		if p.logs == nil {
			return to
		}
		return p.logs[i].append(to)
	})
}

// length returns the duration of v.
func (p *page) length(v model.Interval) time.Duration {
	if v.To.IsZero() {
		return p.run.Last.Sub(v.From)
	}
	return v.To.Sub(v.From)
}

// commands writes the columns of commands. The end of a command is stored as the time until the end
// of its step, which is often the same small number.
func (p *page) commands(j *jsonWriter) {
	type command struct {
		*model.Command
		step *model.Step
		row  int
	}
	var list []command
	for i, s := range p.run.Steps {
		for _, c := range s.Commands {
			list = append(list, command{c, s, i})
		}
	}
	j.raw(`,"commands":{"n":` + strconv.Itoa(len(list)))
	all := make([]int64, len(list))
	for _, column := range []struct {
		name        string
		differences bool
		value       func(c command) int64
	}{
		{"step", true, func(c command) int64 { return int64(c.row) }},
		{"index", false, func(c command) int64 { return int64(c.Index) }},
		{"text", true, func(c command) int64 { return p.texts.of(c.Text) }},
		{"start", false, func(c command) int64 { return p.units(c.Started.Sub(c.step.Started)) }},
		{"rest", false, func(c command) int64 {
			end := c.Ended
			if end.IsZero() {
				end = p.run.End(c.step)
			}
			return p.units(p.run.End(c.step).Sub(p.run.Started)) - p.units(end.Sub(p.run.Started))
		}},
		{"code", false, func(c command) int64 { return int64(c.Code) }},
		{"attempt", false, func(c command) int64 { return int64(c.Attempt) }},
		{"attempts", false, func(c command) int64 { return int64(c.Attempts) }},
		{"signal", false, func(c command) int64 { return p.texts.of(c.Signal) }},
		{"bits", false, func(c command) int64 {
			return bit(c.Replayed, isReplayed) | bit(c.Background, isBackground) | bit(c.Relayed, isRelayed)
		}},
	} {
		for i, c := range list {
			all[i] = column.value(c)
		}
		j.column(column.name, column.differences, all)
	}
	j.raw("}")
}

// kind returns the number of a need's condition in the scripts.
func kind(until event.Until) int64 {
	switch until {
	case event.UntilReady:
		return 1
	case event.UntilStarted:
		return 2
	case event.UntilEnded:
		return 3
	case event.UntilTogether:
		return 4
	}
	return 0
}

// called is the kind of an edge to a step that the commands call.
const called = 5

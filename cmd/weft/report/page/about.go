package page

import (
	"strconv"
	"strings"

	"github.com/weftrun/weft/cmd/weft/report/model"
	"github.com/weftrun/weft/schema/diag"
)

// about writes the general data of the run.
func (p *page) about(j *jsonWriter, layered bool) {
	r := p.run.Run
	j.raw(`,"run":{"unit":` + strconv.FormatInt(p.unit, 10))
	number := func(name string, n int64) {
		if n != 0 {
			j.raw(`,"` + name + `":` + strconv.FormatInt(n, 10))
		}
	}
	text := func(name, s string) {
		if s != "" {
			j.raw(`,"` + name + `":`)
			j.text(diag.Printable(s))
		}
	}
	number("wall", p.units(r.Last.Sub(r.Started)))
	number("number", int64(p.o.Number))
	number("limit", int64(r.Limit))
	if !r.Started.IsZero() {
		number("started", r.Started.UnixMilli())
	}
	number("plan", bit(p.o.Plan, 1))
	number("layered", bit(layered, 1))
	text("id", r.ID)
	text("argv", strings.Join(r.Argv, " "))
	text("dir", r.Dir)
	text("root", r.Root)
	text("commit", r.Commit)
	text("ci", r.CI)
	text("weft", r.Weft)
	text("parent", r.ParentRun)
	j.raw(`,"again":[`)
	j.text(diag.Printable(p.o.Again[0]))
	j.raw(",")
	j.text(diag.Printable(p.o.Again[1]))
	j.raw("]")
	p.groups(j)
	p.critical(j)
	p.compared(j)
	j.raw("}")
}

// critical writes the critical path: for each piece the row of the step or −1, its description, its
// start and its length.
func (p *page) critical(j *jsonWriter) {
	if p.o.Plan {
		return
	}
	j.raw(`,"critical":[`)
	for i, piece := range p.run.CriticalPath() {
		row, what := -1, "itself"
		if piece.Step != nil {
			row, what = p.row[piece.Step], ""
		}
		if piece.Wait {
			what = "waited for " + string(piece.For)
		}
		if i > 0 {
			j.raw(",")
		}
		from := p.units(piece.From.Sub(p.run.Started))
		j.ints([]int64{int64(row), p.texts.of(what), from, p.units(piece.To.Sub(p.run.Started)) - from})
	}
	j.raw("]")
}

// before writes the outcomes and durations of the same steps in the run to compare with.
func (p *page) before(j *jsonWriter) {
	if p.o.Before == nil {
		return
	}
	same := byKey(p.o.Before)
	was, took := make([]int64, len(p.run.Steps)), make([]int64, len(p.run.Steps))
	for i, s := range p.run.Steps {
		if b := same[s.Key]; b != nil && s.Key != "" {
			was[i], took[i] = int64(b.Outcome), p.took(p.o.Before, b)
		}
	}
	j.column("was", false, was)
	j.column("before", false, took)
}

func byKey(r *model.Run) map[string]*model.Step {
	all := make(map[string]*model.Step, len(r.Steps))
	for _, s := range r.Steps {
		all[s.Key] = s
	}
	return all
}

// compared writes the data of the run to compare with, and its steps that this run lacks.
func (p *page) compared(j *jsonWriter) {
	b := p.o.Before
	if b == nil {
		return
	}
	j.raw(`,"compared":{"name":`)
	j.text(diag.Printable(p.o.BeforeName))
	j.raw(`,"result":"` + result(b) + `","wall":` + strconv.FormatInt(p.units(b.Last.Sub(b.Started)), 10) + `,"gone":[`)
	now := byKey(p.run.Run)
	n := 0
	for _, s := range b.Steps {
		if now[s.Key] != nil {
			continue
		}
		if n++; n > 1 {
			j.raw(",")
		}
		j.ints([]int64{p.texts.line(s.Label), int64(s.Outcome), p.took(b, s)})
	}
	j.raw("]}")
}

// result describes how a run ended in one word.
func result(r *model.Run) string {
	switch {
	case r.Finished.IsZero():
		return "unfinished"
	case r.Failed:
		return "failed"
	}
	return "succeeded"
}

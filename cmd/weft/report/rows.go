package report

import (
	"strconv"
	"strings"
	"time"

	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/internal/width"
)

// frame is the size and time for rows.
type frame struct {
	now            time.Time
	columns, lines int
	short          bool // show one line only
}

const (
	mostRows     = 8  // rows of steps
	mostOfBlock  = 6  // lines of one step's block
	leastLines   = 24 // required lines of the terminal for rows
	leastColumns = 60 // required columns for rows
	leastOfAll   = 20 // required columns for the status line
)

// rows returns the current rows.
func (b *board) rows(p *Palette, f frame) []row {
	if b.started.IsZero() || f.now.Sub(b.started) < firstRows || f.columns < leastOfAll || f.lines < 3 {
		return nil
	}
	var shown, services []*running
	for _, s := range b.order {
		switch {
		case s.service:
			services = append(services, s)
		case !s.suspended || s.stage != "":
			shown = append(shown, s)
		}
	}
	b.beside = b.beside || len(shown) > 1 || len(services) > 0
	if !b.beside || b.planned < 2 && len(services) == 0 {
		return nil
	}
	active := len(shown)
	shown = append(shown, services...)
	if f.lines < leastLines || f.columns < leastColumns {
		return []row{b.line(f, shown)}
	}
	all := []row{b.head(p, f, active)}
	if f.short {
		return all
	}
	most := min(mostRows, f.lines/3)
	more := 0
	if len(shown) > most {
		more = len(shown) - most + 1
		shown = shown[:most-1]
	}
	names := 0
	for _, s := range shown {
		names = max(names, width.String(s.name))
	}
	names = min(names, f.columns/3)
	block := f.lines/3 - len(shown)
	for _, s := range shown {
		all = append(all, s.row(f, names))
		if s.feed != nil && s.feed.block && block > 0 {
			lines := s.feed.lastRows(f.columns-5, min(mostOfBlock, block))
			block -= len(lines)
			all = append(all, lines...)
		}
	}
	if more > 0 {
		all = append(all, fitted(" and "+strconv.Itoa(more)+" more", f.columns))
	}
	return all
}

// fitted returns text as a row, cut to columns.
func fitted(text string, columns int) row {
	text, taken := width.Cut(text, columns-1)
	return row{text, taken}
}

// count formats the number of settled and of all steps.
func (b *board) count() string {
	total, about := b.planned, ""
	if n := b.estimate.total(); n > total {
		total, about = n, "~"
	}
	return strconv.Itoa(b.settled) + "/" + about + strconv.Itoa(max(total, b.settled))
}

// line returns a single status line, for a small terminal.
func (b *board) line(f frame, shown []*running) row {
	text := b.count() + " " + short(f.now.Sub(b.started))
	if b.failed > 0 {
		text += " " + strconv.Itoa(b.failed) + " failed"
	}
	more := ""
	if len(shown) > 1 {
		more = " +" + strconv.Itoa(len(shown)-1)
	}
	if room := f.columns - 1 - len(text) - len(more) - 1; len(shown) > 0 && room >= 4 {
		text += " " + width.Middle(shown[0].name, room) + more
	}
	return fitted(text, f.columns)
}

// head returns the first row, which shows the progress of the run.
func (b *board) head(p *Palette, f frame, active int) row {
	text := b.count() + " · " + strconv.Itoa(active) + " running" + b.there() + " · " + short(f.now.Sub(b.started))
	if left, known := b.estimate.left(f.now, active); known && f.now.Sub(b.started) >= estimateAfter {
		text += " · about " + short(rounded(left)) + " left"
	}
	if b.failed == 0 {
		return fitted(text, f.columns)
	}
	failed := strconv.Itoa(b.failed) + " failed: " + b.failure
	if b.failed > 1 {
		failed += ", …"
	}
	r := fitted(text+" · ", f.columns)
	failed, taken := width.Cut(failed, f.columns-1-r.columns)
	return row{r.text + string(p.AppendSafe(nil, Red, failed)), r.columns + taken}
}

// there returns how many steps are on a server, and how many of them wait for a worker.
func (b *board) there() string {
	there, waiting := 0, 0
	for _, s := range b.order {
		switch s.stage {
		case event.Queued:
			waiting++
			fallthrough
		case event.Executing:
			there++
		}
	}
	switch {
	case there == 0:
		return ""
	case waiting == 0:
		return " · there " + strconv.Itoa(there)
	}
	return " · there " + strconv.Itoa(there) + " (" + strconv.Itoa(waiting) + " waiting)"
}

// row returns the row of one step, with its name padded to names columns.
func (s *running) row(f frame, names int) row {
	name := width.Middle(s.name, names)
	text := " " + name + strings.Repeat(" ", names-width.String(name))
	if s.service {
		return fitted(text+"  "+s.serving(f.now), f.columns)
	}
	took := short(f.now.Sub(s.started))
	text += strings.Repeat(" ", max(7-len(took), 1)) + took + "  "
	return fitted(text+s.last(), f.columns)
}

// serving describes the state of a service.
func (s *running) serving(now time.Time) string {
	text := "starting " + short(now.Sub(s.started))
	if !s.ready.IsZero() {
		text = "ready " + short(now.Sub(s.ready))
	}
	switch {
	case s.restarts == 1:
		text += ", 1 restart"
	case s.restarts > 1:
		text += ", " + strconv.Itoa(s.restarts) + " restarts"
	}
	return text
}

// last returns the step's own progress message, else its amount of progress, else its last line.
func (s *running) last() string {
	switch {
	case s.text != "":
		return s.text
	case s.value > 0:
		return strconv.Itoa(int(s.value*100+1e-9)) + "%"
	case s.bytes > 0:
		text := size(s.bytes)
		if s.rate > 0 {
			text += "  " + size(s.rate) + "/s"
		}
		return text
	case s.feed != nil:
		return s.feed.last()
	}
	return ""
}

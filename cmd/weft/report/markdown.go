package report

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/weftrun/weft/cmd/weft/report/model"
	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/schema/diag"
)

const (
	markdownSize  = 256 << 10 // bytes of a report: GitHub accepts 1 MiB for a job's step
	markdownSlow  = 20        // slowest steps listed besides the failed ones
	markdownLines = 50        // lines of the log of each failure
	markdownLog   = 16 << 10  // bytes of these
	markdownCell  = 200       // runes of a table cell
	pathPieces    = 12
)

// WriteMarkdown writes a summary of a run for people, as CI systems show it beside a job: counts, a
// table of the failed and the slowest steps, the critical path, and the last lines of output of
// failed steps.
func WriteMarkdown(w io.Writer, run Finished) error {
	m := &markdown{run: run}
	for _, s := range run.Steps {
		if s.Root() {
			m.failed = append(m.failed, s)
		}
	}
	m.head()
	m.table()
	m.path()
	for _, s := range m.failed[:min(len(m.failed), mostFailed)] {
		m.details(s)
	}
	if n := len(m.failed) - mostFailed; n > 0 {
		fmt.Fprintf(&m.b, "\n%d more failed.\n", n)
	}
	_, err := w.Write(m.b.Bytes())
	return cmp.Or(m.err, err)
}

// markdown is a summary being written.
type markdown struct {
	run    Finished
	b      bytes.Buffer
	failed []*model.Step // root failures, the first one first
	err    error         // from reading the logs
}

// head writes the result and the counts.
func (m *markdown) head() {
	result := "succeeded"
	switch {
	case m.run.Finished.IsZero():
		result = "ended early"
	case m.run.Failed:
		result = "failed"
	}
	fmt.Fprintf(&m.b, "### weft %s: %s\n\n%s", markdownText(m.run.Name(), markdownCell), result, FormatDuration(m.run.Duration))
	n := &m.run.Counts
	for _, c := range [...]struct {
		n    int
		what string
	}{
		{len(m.failed), "failed"}, {n[event.Failed] - len(m.failed), "failed because of others"}, {n[event.Cancelled], "cancelled"}, {n[event.Skipped], "skipped"},
		{n[event.Succeeded], "succeeded"}, {n[event.Restored], "restored from the cache"}, {n[event.Fresh], "up to date"},
	} {
		if c.n > 0 {
			fmt.Fprintf(&m.b, " · %d %s", c.n, c.what)
		}
	}
	m.b.WriteByte('\n')
	if len(m.failed) == 0 && m.run.Err.Text != "" {
		fmt.Fprintf(&m.b, "\n%s\n", markdownText(m.run.Err.Reason, 10*markdownCell))
	}
}

// table lists the failed steps, then the slowest ones.
func (m *markdown) table() {
	var slow []*model.Step
	for _, s := range m.run.Steps {
		if !s.Root() && s.Outcome >= event.Succeeded && s.Outcome <= event.Restored {
			slow = append(slow, s)
		}
	}
	sort.SliceStable(slow, func(i, j int) bool { return slow[i].Duration > slow[j].Duration })
	rows := slices.Concat(m.failed[:min(len(m.failed), mostFailed)], slow[:min(len(slow), markdownSlow)])
	if len(rows) == 0 {
		return
	}
	m.b.WriteString("\n| step | result | time | cached | attempts |\n|---|---|--:|---|--:|\n")
	for _, s := range rows {
		result, cached, attempts := s.Outcome.String(), "", ""
		switch {
		case s.Root():
			result = "**failed**: " + markdownText(stepReason(s), markdownCell)
		case s.Outcome == event.Fresh:
			result, cached = "up to date", "yes"
		case s.Outcome == event.Restored:
			result, cached = "restored", "yes"
		}
		if n := len(s.Attempts); n > 0 {
			attempts = fmt.Sprint(n + 1)
		}
		fmt.Fprintf(&m.b, "| %s | %s | %s | %s | %s |\n", markdownText(s.Label, markdownCell), result, FormatDuration(s.Duration), cached, attempts)
	}
}

// stepReason describes why a step failed.
func stepReason(s *model.Step) string {
	reason := s.Err.Reason
	if s.Err.Kind == event.ByPrecondition && s.Precondition != "" {
		reason = "precondition: " + s.Precondition
	}
	return reason
}

// path writes the critical path in one line.
func (m *markdown) path() {
	type part struct {
		name string
		took time.Duration
	}
	var parts []part
	for _, p := range m.run.CriticalPath() {
		name := "weft"
		if p.Step != nil {
			name = p.Step.Label
		}
		if p.Wait {
			name += " (waited)"
		}
		if n := len(parts); n > 0 && parts[n-1].name == name {
			parts[n-1].took += p.Duration()
		} else {
			parts = append(parts, part{name, p.Duration()})
		}
	}
	parts = slices.DeleteFunc(parts, func(p part) bool { return p.took < max(m.run.Duration/100, time.Millisecond) })
	if len(parts) < 2 {
		return
	}
	m.b.WriteString("\nCritical path: ")
	for i, p := range parts[:min(len(parts), pathPieces)] {
		if i > 0 {
			m.b.WriteString(" → ")
		}
		fmt.Fprintf(&m.b, "%s %s", markdownText(p.name, markdownCell), FormatDuration(p.took))
	}
	if len(parts) > pathPieces {
		m.b.WriteString(" → …")
	}
	m.b.WriteByte('\n')
}

// details writes the last lines of a step's output, if there is room.
func (m *markdown) details(s *model.Step) {
	size := m.run.Logs.Size(s.ID)
	var log []byte
	err := m.run.Logs.Each(s.ID, max(0, size-markdownLog), size, markdownLog, func(c Chunk) error {
		log = append(log, c.Data...)
		return nil
	})
	m.err = cmp.Or(m.err, err)
	log = appendShown(nil, lastLines(log, markdownLines), false)
	if len(log) == 0 {
		return
	}
	fence := "```"
	for bytes.Contains(log, []byte(fence)) {
		fence += "`"
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "\n<details><summary>%s: %s</summary>\n\n%stext\n%s\n%s\n\n</details>\n", htmlText(s.Label, markdownCell), htmlText(stepReason(s), markdownCell), fence, log, fence)
	if m.b.Len()+b.Len() <= markdownSize-1024 {
		m.b.Write(b.Bytes())
	}
}

// markdownText escapes a one-line text for Markdown, cut to most runes.
func markdownText(text string, most int) string {
	var b strings.Builder
	for _, r := range htmlText(text, most) {
		if strings.ContainsRune("\\`*_[]|~!@", r) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}

// htmlText escapes a one-line text for HTML, cut to most runes.
func htmlText(text string, most int) string {
	text = diag.Printable(text)
	if r := []rune(text); len(r) > most {
		text = string(r[:most]) + cutMark
	}
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(text)
}

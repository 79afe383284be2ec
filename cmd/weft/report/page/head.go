package page

import (
	"bufio"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/weftrun/weft/cmd/weft/report"
	"github.com/weftrun/weft/cmd/weft/report/model"
	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/schema/diag"
)

const (
	mostFailures = 50      // written as HTML; the others are in the table
	tailLines    = 20      // lines of each log
	tailBytes    = 4 << 10 // bytes of each log
)

// writeText writes s escaped for HTML.
func writeText(out *bufio.Writer, s string) {
	s = diag.PrintableText(s)
	for {
		i := strings.IndexAny(s, `<>&"`)
		if i < 0 {
			out.WriteString(s)
			return
		}
		out.WriteString(s[:i])
		out.WriteString("&#" + strconv.Itoa(int(s[i])) + ";")
		s = s[i+1:]
	}
}

// summary describes the run in one line: result, duration, number of steps by outcome.
func (p *page) summary() string {
	if p.o.Plan {
		return "plan · " + count(len(p.run.Steps), "step")
	}
	words := result(p.run.Run) + " · " + took(p.run.Last.Sub(p.run.Started))
	for o, n := range p.run.Counts {
		if n > 0 && o > 0 {
			words += " · " + strconv.Itoa(n) + " " + event.Outcome(o).String()
		}
	}
	return words
}

func count(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return strconv.Itoa(n) + " " + what
}

// took formats a duration.
func took(d time.Duration) string {
	switch {
	case d < time.Second:
		return d.Round(time.Millisecond / 10).String()
	case d < time.Minute:
		return d.Round(time.Second / 10).String()
	}
	return d.Round(time.Second).String()
}

// writeFailures writes the root failures with the ends of their logs.
func (p *page) writeFailures(out *bufio.Writer) error {
	var failed []*model.Step
	for _, s := range p.run.Steps {
		if s.Root() {
			failed = append(failed, s)
		}
	}
	if len(failed) == 0 {
		if p.run.Failed {
			out.WriteString(`<section id="failures" aria-label="Failures" tabindex="0"><p>`)
			writeText(out, p.run.Err.Text)
			out.WriteString("</p></section>")
		}
		return nil
	}
	out.WriteString(`<section id="failures" aria-label="Failures" tabindex="0"><ul>`)
	for i, s := range failed {
		if i == mostFailures {
			out.WriteString("<li><p>and " + strconv.Itoa(len(failed)-i) + " more</p></li>")
			break
		}
		fmt.Fprintf(out, `<li data-step="%d"><p><strong class="failed">✗ `, s.ID)
		writeText(out, diag.Printable(s.Label))
		out.WriteString("</strong> ")
		writeText(out, failure(p.run.Run, s))
		out.WriteString("</p>")
		if err := p.writeTail(out, s); err != nil {
			return err
		}
		out.WriteString("</li>")
	}
	out.WriteString("</ul></section>")
	return nil
}

// failure describes why s failed.
func failure(r *model.Run, s *model.Step) string {
	words := "failed"
	switch {
	case s.Err.Reason != "":
		words = s.Err.Reason
	case s.Signal != "":
		words = "killed by " + s.Signal
	case s.Code != 0:
		words = "exit status " + strconv.Itoa(s.Code)
	}
	if s.OOM {
		words += ", probably out of memory"
	}
	if !s.Started.IsZero() {
		words += " after " + took(r.End(s).Sub(s.Started))
	}
	if n := len(s.Attempts); n > 0 {
		words += fmt.Sprintf(", attempt %d of %d", n+1, s.Attempts[n-1].Of)
	}
	return words
}

// writeTail writes the end of the log of s.
func (p *page) writeTail(out *bufio.Writer, s *model.Step) error {
	if p.run.Logs == nil {
		return nil
	}
	size := p.run.Logs.Size(s.ID)
	var log []byte
	err := p.run.Logs.Each(s.ID, max(0, size-tailBytes), size, tailBytes, func(c report.Chunk) error {
		log = append(log, c.Data...)
		return nil
	})
	if err != nil || len(log) == 0 {
		return err
	}
	lines := strings.Split(strings.TrimRight(string(log), "\n"), "\n")
	out.WriteString("<pre>")
	for _, line := range lines[max(0, len(lines)-tailLines):] {
		writeText(out, report.PlainText(line))
		out.WriteString("\n")
	}
	out.WriteString("</pre>")
	return nil
}

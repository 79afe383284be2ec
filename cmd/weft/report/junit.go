package report

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/weftrun/weft/cmd/weft/report/model"
	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/schema/diag"
)

const (
	junitCaseLog = 1 << 20  // maximum bytes of a step's log
	junitLogs    = 25 << 20 // maximum bytes of all logs as XML: GitLab rejects a file of 30 MB
)

// WriteJUnit writes a JUnit report: a suite for the run with a case for each settled step. It
// follows schema/junit.xsd, which documents how CI systems interpret it.
func WriteJUnit(w io.Writer, run Finished) error {
	j := &junit{w: bufio.NewWriterSize(w, 64<<10), run: run, names: map[[2]string]bool{}}
	j.count()
	j.allot()
	j.write()
	if j.err != nil {
		return j.err
	}
	return j.w.Flush()
}

// junit is a report being written.
type junit struct {
	w     *bufio.Writer
	run   Finished
	names map[[2]string]bool // cases written so far, with their classes
	err   error              // from reading the logs

	tests, failures, errors, skipped int
	unseen                           bool                 // the run failed although no step did: this gets its own case
	dropped                          map[*model.Step]bool // steps whose logs are omitted
}

// broken reports whether failures of a kind are errors of the environment rather than of the task.
func broken(kind event.Kind) bool {
	switch kind {
	case event.ByVariable, event.ByTemplate, event.ByProgram, event.ByWeft:
		return true
	}
	return false
}

func (j *junit) count() {
	for _, s := range j.run.Steps {
		switch {
		case s.Outcome == 0:
			continue
		case s.Root() && broken(s.Err.Kind):
			j.errors++
		case s.Root():
			j.failures++
		case s.Outcome > event.Restored:
			j.skipped++
		}
		j.tests++
	}
	if j.unseen = j.failures+j.errors == 0 && (j.run.Failed || j.run.Finished.IsZero()); j.unseen {
		j.errors++
		j.tests++
	}
}

// allot selects the logs to omit so that the file stays below the limit: those of passed steps, the
// last ones first.
func (j *junit) allot() {
	const expansion = 5 // maximum bytes of XML per byte of log
	raw := int64(0)
	for _, s := range j.run.Steps {
		raw += min(j.run.Logs.Size(s.ID), junitCaseLog)
	}
	if raw*expansion <= junitLogs {
		return
	}
	j.dropped = map[*model.Step]bool{}
	left := int64(junitLogs)
	for _, failed := range [...]bool{true, false} {
		for _, s := range j.run.Steps {
			if (s.Outcome == event.Failed) != failed || j.run.Logs.Size(s.ID) == 0 {
				continue
			}
			var n counter
			b := bufio.NewWriter(&n)
			j.log(b, s.ID, 0, s.Written, -1, junitCaseLog)
			b.Flush()
			if left -= int64(n); left < 0 {
				j.dropped[s] = true
				left += int64(n)
			}
		}
	}
}

// counter counts the bytes written to it.
type counter int64

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}

func (j *junit) write() {
	r := j.run
	fmt.Fprintf(j.w, `<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="weft" tests="%d" failures="%d" errors="%d" time="%s">
  <testsuite`, j.tests, j.failures, j.errors, seconds(r.Duration))
	j.attr("name", r.Name())
	fmt.Fprintf(j.w, ` tests="%d" failures="%d" errors="%d" skipped="%d" time="%s" timestamp="%s"`, j.tests, j.failures, j.errors, j.skipped, seconds(r.Duration), r.Started.Format("2006-01-02T15:04:05"))
	if r.Host != "" {
		j.attr("hostname", r.Host)
	}
	j.w.WriteString(" id=\"0\">\n    <properties>")
	for _, p := range [...][2]string{{"run", r.ID}, {"commit", r.Commit}, {"weft", r.Weft}} {
		if p[1] != "" {
			j.w.WriteString("<property")
			j.attr("name", p[0])
			j.attr("value", p[1])
			j.w.WriteString("/>")
		}
	}
	j.w.WriteString("</properties>\n")
	for _, s := range r.Steps {
		if s.Outcome != 0 {
			j.testcase(s)
		}
	}
	if j.unseen {
		err := r.Err
		if !r.Failed {
			err = model.Failure{Reason: "the run did not end", Kind: event.ByWeft}
		}
		j.open("weft", r.Name(), 0)
		j.failed("error", err, "")
		j.w.WriteString("</error></testcase>\n")
	}
	j.w.WriteString("  </testsuite>\n</testsuites>\n")
}

// open begins a case.
func (j *junit) open(class, name string, d time.Duration) {
	unique := name
	for i := 2; j.names[[2]string{class, unique}]; i++ {
		unique = name + " (" + strconv.Itoa(i) + ")"
	}
	j.names[[2]string{class, unique}] = true
	j.w.WriteString("    <testcase")
	j.attr("classname", class)
	j.attr("name", unique)
	j.attr("time", seconds(d))
	j.w.WriteByte('>')
}

func (j *junit) testcase(s *model.Step) {
	namespace, name := "weft", s.Name
	if i := strings.LastIndexByte(name, ':'); i > 0 {
		namespace, name = strings.ReplaceAll(name[:i], ":", "."), name[i+1:]
	}
	if s.Label != s.Name {
		name = s.Label
	}
	j.open(namespace, name, s.Duration)
	switch {
	case s.Root():
		j.rootFailure(s)
	case s.Outcome > event.Restored:
		j.w.WriteString("<skipped")
		j.attr("message", j.why(s))
		j.w.WriteString("/>")
	default:
		for _, a := range s.Attempts {
			j.again("flakyFailure", s, a)
		}
	}
	j.systemOut(s)
	j.w.WriteString("</testcase>\n")
}

// why describes why a step did not run to its end, if it did not itself fail.
func (j *junit) why(s *model.Step) string {
	cause := ""
	if c := j.run.Fault(s); c != nil {
		cause = strconv.Quote(c.Label) + " failed"
	}
	switch {
	case s.Skip == event.ByIf:
		return "its condition (if) is not met"
	case s.Skip != "":
		return "it is not for this platform"
	case s.Outcome != event.Cancelled:
		return cause
	case cause == "":
		cause = s.Err.Reason
	}
	return strings.TrimSuffix("cancelled: "+cause, ": ")
}

// rootFailure writes how a step failed: the first attempt of the failed command, then its other
// attempts.
func (j *junit) rootFailure(s *model.Step) {
	kind := "failure"
	if broken(s.Err.Kind) {
		kind = "error"
	}
	var last *model.Command // the one that made it fail
	for _, c := range s.Commands {
		if c.Err.Text != "" && !c.Background {
			last = c
		}
	}
	var tries []*model.Attempt
	if last != nil && last.Attempt > 1 {
		for _, a := range s.Attempts {
			if a.Command == last.Index {
				tries = append(tries, a)
			}
		}
		tries = append(tries, &model.Attempt{Command: last.Index, Attempt: last.Attempt, Of: last.Attempts, Err: s.Err})
	}
	first, failed := s.Err, last
	if len(tries) > 0 {
		first, failed = tries[0].Err, attempt(s, last.Index, tries[0].Attempt)
		tries = tries[1:]
	}
	if first.Kind == event.ByPrecondition && s.Precondition != "" {
		first.Reason = "precondition: " + s.Precondition
	}
	j.failed(kind, first, "")
	j.excerpt(s, failed)
	j.w.WriteString("</" + kind + ">")
	for _, a := range tries {
		j.again("rerunFailure", s, a)
	}
}

// failed opens a failure or error element. more is appended to its message.
func (j *junit) failed(element string, err model.Failure, more string) {
	j.w.WriteString("<" + element)
	j.attr("type", string(err.Kind))
	j.attr("message", err.Reason+more)
	j.w.WriteByte('>')
}

// again writes one of several attempts of a command, with the end of its output.
func (j *junit) again(element string, s *model.Step, a *model.Attempt) {
	j.failed(element, a.Err, fmt.Sprintf(", attempt %d of %d", a.Attempt, a.Of))
	j.w.WriteString("<stackTrace>")
	j.excerpt(s, attempt(s, a.Command, a.Attempt))
	j.w.WriteString("</stackTrace></" + element + ">")
}

// attempt returns an attempt of a command, or nil.
func attempt(s *model.Step, command, number int) *model.Command {
	for _, c := range s.Commands {
		if c.Index == command && c.Attempt == number {
			return c
		}
	}
	return nil
}

// excerpt writes the last lines of a command's output.
func (j *junit) excerpt(s *model.Step, c *model.Command) {
	if c == nil {
		return
	}
	to := c.To
	if c.Ended.IsZero() {
		to = s.Written
	}
	var b bytes.Buffer
	err := j.run.Logs.Each(s.ID, max(c.From, to-4*tailBytes), to, 4*tailBytes, func(x Chunk) error {
		if x.Command == c.Index {
			b.Write(x.Data)
		}
		return nil
	})
	if err != nil && j.err == nil {
		j.err = err
	}
	text := b.Bytes()
	text = text[max(0, len(text)-tailBytes):]
	writeXML(j.w, string(appendShown(nil, lastLines(text, tailLines), false)), false)
}

// systemOut writes the log of a step.
func (j *junit) systemOut(s *model.Step) {
	size := j.run.Logs.Size(s.ID)
	switch {
	case s.Outcome == event.Fresh:
		j.w.WriteString("<system-out>up to date</system-out>")
	case size == 0:
	case j.dropped[s]:
		fmt.Fprintf(j.w, "<system-out>[%d bytes are omitted: the report would be too large]</system-out>", size)
	default:
		j.w.WriteString("<system-out>")
		j.log(j.w, s.ID, 0, size, -1, junitCaseLog)
		j.w.WriteString("</system-out>")
	}
}

// mostLine is the maximum number of bytes of a line processed at once.
const mostLine = 64 << 10

// log writes a part of a log as text without control sequences; of a line that overwrites itself
// only the final state.
func (j *junit) log(w *bufio.Writer, step event.StepID, from, to int64, command int, most int64) {
	var line, shown []byte // line: incomplete line so far
	show := func(text []byte) {
		if !utf8.Valid(text) {
			text = bytes.ToValidUTF8(text, []byte("\uFFFD"))
		}
		shown = appendShown(shown[:0], text, false)
		writeXML(w, string(shown), false)
	}
	err := j.run.Logs.Each(step, from, to, most, func(c Chunk) error {
		if c.Cut > 0 {
			show(line)
			fmt.Fprintf(w, "\n[%d bytes are omitted]\n", c.Cut)
			line = line[:0]
			return nil
		}
		data := c.Data
		if i := bytes.LastIndexByte(data, '\n'); i >= 0 {
			line = append(line, data[:i+1]...)
			show(line)
			line, data = line[:0], data[i+1:]
		}
		if line = append(line, data...); len(line) > mostLine {
			n := mostLine
			for n > mostLine-utf8.UTFMax && !utf8.RuneStart(line[n]) {
				n--
			}
			show(line[:n])
			line = append(line[:0], line[n:]...)
		}
		return nil
	})
	show(line)
	if err != nil && j.err == nil {
		j.err = err
	}
}

// attr writes an attribute. Characters in its value that control a terminal or browser are escaped.
func (j *junit) attr(name, value string) {
	j.w.WriteString(" " + name + `="`)
	writeXML(j.w, diag.Printable(strings.Map(allowed, value)), true)
	j.w.WriteByte('"')
}

// allowed returns r, or the replacement character if XML 1.0 excludes r.
func allowed(r rune) rune {
	if r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == 0xFFFE || r == 0xFFFF {
		return utf8.RuneError
	}
	return r
}

// writeXML writes text, or the value of an attribute. Invalid UTF-8 and characters that XML 1.0
// excludes become U+FFFD.
func writeXML(w *bufio.Writer, s string, attr bool) {
	done := 0
	for i, r := range s {
		escape := ""
		switch {
		case r == '&':
			escape = "&amp;"
		case r == '<':
			escape = "&lt;"
		case r == '>':
			escape = "&gt;"
		case r == '"' && attr:
			escape = "&quot;"
		case r == '\t' && attr:
			escape = "&#9;"
		case allowed(r) != r || r == '\r':
			escape = "\uFFFD"
		case r != utf8.RuneError:
			continue
		default:
			escape = "\uFFFD"
		}
		w.WriteString(s[done:i])
		w.WriteString(escape)
		_, size := utf8.DecodeRuneInString(s[i:])
		done = i + size
	}
	w.WriteString(s[done:])
}

// seconds formats d in seconds with three decimals.
func seconds(d time.Duration) string { return strconv.FormatFloat(d.Seconds(), 'f', 3, 64) }

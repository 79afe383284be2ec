package report

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/schema/diag"
)

const (
	tailLines   = 20  // lines shown of a failed command
	shownText   = 200 // runes of a command's text
	shownCalls  = 6   // calling tasks
	fewLines    = 5   // lines of output where space is limited
	shortCalled = shownCalls / 2
)

// name returns the label or else the name of the failed task, as other messages do.
func (f *failure) name() string { return cmp.Or(f.calls[0].label, f.calls[0].name) }

// reason describes why f failed.
func (f *failure) reason() string {
	text := f.what.Reason
	if text == "" {
		text = f.what.Text
	}
	if f.what.Kind == event.ByPrecondition && f.precondition != "" {
		text = "precondition: " + f.precondition
	}
	if f.oom {
		text += fmt.Sprintf(", probably out of memory (most: %s)", byteSize(f.maxRSS))
	}
	return text + memberCodes(f.by.members)
}

// heading states in one line what failed, why and after how long.
func (f *failure) heading() string {
	return fmt.Sprintf("%q failed: %s", f.name(), f.reason())
}

// took states how long f took, if long enough to mention, and the attempt.
func (f *failure) took() string {
	text := ""
	if f.what.Kind != event.ByTimeout {
		text = after(f.duration)
	}
	if c := f.by.started; c != nil && c.Attempts > 1 {
		text += fmt.Sprintf(", attempt %d of %d", c.Attempt, c.Attempts)
	}
	return text
}

// place describes the position of the failed command, its text and the tasks that led to it; "" if
// unknown.
func (f *failure) place() string {
	if !f.pos.IsValid() {
		return ""
	}
	text := "at " + f.pos.String()
	if c := f.by.started; c != nil {
		shown := diag.Printable(strings.TrimSpace(c.Text))
		if r := []rune(shown); len(r) > shownText {
			shown = string(r[:shownText]) + cutMark
		}
		text += ": " + shown
	}
	if len(f.calls) > 1 {
		text += " (" + f.path() + ")"
	}
	return text
}

// path names the tasks that led to f, beginning with the root.
func (f *failure) path() string {
	var labels []string
	for _, c := range f.calls {
		labels = append(labels, c.label)
	}
	slices.Reverse(labels)
	if n := len(labels); n > shownCalls {
		labels = slices.Concat(labels[:shortCalled], []string{cutMark}, labels[n-shortCalled:])
	}
	return strings.Join(labels, " > ")
}

// lastLines returns the last n lines of output of the failed command, without the last newline.
func (f *failure) lastLines(n int, colored bool) string {
	if f.by.output == nil {
		return ""
	}
	p := f.by.output.Bytes()
	text := strings.TrimRight(string(appendShown(nil, p, colored)), "\n")
	lines := strings.Split(text, "\n")
	if len(p) == tailBytes && len(lines) > 1 && len(lines) <= n {
		lines = lines[1:] // incomplete line
	}
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

// memberCodes describes how each member of a pipe ended.
func memberCodes(members []event.Member) string {
	parts := make([]string, len(members))
	for i, m := range members {
		parts[i] = fmt.Sprintf("%s %d", diag.Printable(m.Name), m.Code)
	}
	if len(parts) == 0 {
		return ""
	}
	return ": " + strings.Join(parts, " | ")
}

// byteSize formats a number of bytes for messages: "1.9 GiB".
func byteSize(n int64) string {
	units := [...]string{"B", "KiB", "MiB", "GiB", "TiB"}
	v, unit := float64(n), 0
	for v >= 1024 && unit < len(units)-1 {
		v /= 1024
		unit++
	}
	if unit == 0 || v >= 100 {
		return fmt.Sprintf("%.0f %s", v, units[unit])
	}
	return fmt.Sprintf("%.1f %s", v, units[unit])
}

// lastLines returns the last n lines of p, which may begin within a line, without the last newline.
func lastLines(p []byte, n int) []byte {
	p = bytes.TrimRight(p, "\r\n")
	i := len(p)
	for ; n > 0 && i >= 0; n-- {
		i = bytes.LastIndexByte(p[:i], '\n')
	}
	return p[i+1:]
}

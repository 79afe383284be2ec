package tui

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/charmbracelet/x/ansi"

	"github.com/weftrun/weft/engine/control"
	"github.com/weftrun/weft/schema/diag"
)

const (
	minWidth, minHeight = 40, 10
	splitWidth          = 60 // from this width on, list and log are side by side
)

// screen is the state of the display, including the user's selections. It draws nothing itself.
type screen struct {
	run
	width, height int
	plain         bool // no characters outside ASCII
	now           time.Time

	selected   *step
	onlyFailed bool
	filter     string // only steps whose names contain this text are listed
	inLog      bool   // the log has the focus
	logAlone   bool
	wrap       bool
	detail     bool
	help       bool
	top        int  // first shown line of the log, if it does not follow
	scrolled   bool // the log does not follow
	search     string

	asking  string // input mode: "f" or "/"; "" for none
	typed   string
	message string

	request func(control.Request)
	quit    bool
	signal  bool // the user has requested an interrupt
}

// listed returns the shown steps.
func (s *screen) listed() []*step {
	return slices.DeleteFunc(slices.Clone(s.steps), func(t *step) bool {
		return s.onlyFailed && !t.failed || !strings.Contains(strings.ToLower(t.label), strings.ToLower(s.filter))
	})
}

// selectedStep returns the selected step among the listed ones; nil if there are none.
func (s *screen) selectedStep() (*step, int) {
	all := s.listed()
	i := slices.IndexFunc(all, func(t *step) bool { return t == s.selected || s.selected != nil && t.label == s.selected.label })
	if i < 0 {
		i = 0
	}
	if len(all) == 0 {
		return nil, 0
	}
	return all[i], i
}

// move selects another step.
func (s *screen) move(by int) {
	all := s.listed()
	if len(all) == 0 {
		return
	}
	_, i := s.selectedStep()
	s.selected, s.scrolled = all[min(max(0, i+by), len(all)-1)], false
}

// logHeight returns the number of shown log lines.
func (s *screen) logHeight() int { return s.height - 2 }

// scroll moves the log.
func (s *screen) scroll(by int) {
	t, _ := s.selectedStep()
	if t == nil {
		return
	}
	last := max(0, len(t.log.lines)-s.logHeight())
	top := last
	if s.scrolled {
		top = s.top - t.log.dropped
	}
	top = min(max(0, top+by), last)
	s.scrolled, s.top = top < last, top+t.log.dropped
}

// find moves to the next or previous line with the searched text.
func (s *screen) find(by int) {
	t, _ := s.selectedStep()
	if t == nil || s.search == "" {
		return
	}
	at := len(t.log.lines)
	if s.scrolled {
		at = s.top - t.log.dropped
	}
	for range t.log.lines {
		at += by
		if at < 0 {
			at = len(t.log.lines) - 1
		}
		if at >= len(t.log.lines) {
			at = 0
		}
		if strings.Contains(strings.ToLower(ansi.Strip(t.log.lines[at])), strings.ToLower(s.search)) {
			s.scrolled, s.top, s.message = true, at+t.log.dropped, ""
			return
		}
	}
	s.message = fmt.Sprintf("no line contains %q", s.search)
}

// key handles a key.
func (s *screen) key(key string) {
	s.message = ""
	switch {
	case key == "ctrl+c":
		s.signal, s.quit = true, true
		return
	case s.asking != "":
		s.ask(key)
		return
	case s.help:
		s.help = false
		return
	}
	step := 1
	if s.inLog || s.logAlone {
		switch key {
		case "up", "k":
			s.scroll(-1)
			return
		case "down", "j":
			s.scroll(1)
			return
		}
	}
	switch key {
	case "q":
		s.quit = true
	case "?":
		s.help = true
	case "up", "k":
		s.move(-step)
	case "down", "j":
		s.move(step)
	case "pgup":
		s.scroll(-s.logHeight())
	case "pgdown":
		s.scroll(s.logHeight())
	case "g", "home":
		s.scroll(-1 << 30)
	case "G", "end":
		s.scrolled = false
	case "tab":
		s.inLog = !s.inLog
	case "f", "/":
		s.asking, s.typed = key, ""
	case "x":
		s.onlyFailed = true
	case "a":
		s.onlyFailed, s.filter = false, ""
	case "n":
		s.find(1)
	case "N":
		s.find(-1)
	case "z":
		s.logAlone = !s.logAlone
	case "w":
		s.wrap = !s.wrap
	case "enter":
		s.detail = !s.detail
	case "r", "s", "R":
		s.act(key)
	}
}

// act sends a request to the run.
func (s *screen) act(key string) {
	if key == "R" {
		for _, task := range s.watched {
			s.request(control.Request{Request: "start", Task: task})
		}
		if s.watched == nil {
			s.message = "nothing is watched"
		}
		return
	}
	t, _ := s.selectedStep()
	switch {
	case t == nil:
	case key == "s" && t.done():
		s.message = t.label + " is not running"
	case key == "s":
		s.request(control.Request{Request: "stop", Task: fmt.Sprint(t.id)})
	case t.done():
		s.request(control.Request{Request: "start", Task: t.rerunArg})
	case t.service:
		s.request(control.Request{Request: "restart", Task: fmt.Sprint(t.id)})
	default:
		s.message = t.label + " is running; s stops it"
	}
}

// ask handles a key in input mode.
func (s *screen) ask(key string) {
	switch key {
	case "enter":
		if s.asking == "f" {
			s.filter = s.typed
		} else {
			s.search = s.typed
			s.find(-1)
		}
		s.asking = ""
	case "esc":
		s.asking = ""
	case "backspace":
		if r := []rune(s.typed); len(r) > 0 {
			s.typed = string(r[:len(r)-1])
		}
	case "space":
		s.typed += " "
	default:
		if len([]rune(key)) == 1 {
			s.typed += key
		}
	}
}

const keysHelp = `j k, arrows: step; Tab: list or log
PgUp PgDn g: scroll; G: follow
f x a: by text, failed, all
/ n N: search in the log
z w: log alone, wrap
r: again; R: all that is watched
s: stop; Enter: detail
q: leave; ?: these keys`

// view returns the lines of the screen.
func (s *screen) view() string {
	if s.width < minWidth || s.height < minHeight {
		return fmt.Sprintf("at least %d columns, %d lines", minWidth, minHeight)
	}
	if s.help {
		return s.page(strings.Split(keysHelp, "\n"))
	}
	left := 32
	switch {
	case s.logAlone || s.width < splitWidth && s.inLog:
		left = 0
	case s.width < splitWidth:
		left = s.width + 2
	}
	list, log := s.list(left, s.height-1), s.shownLog(max(0, s.width-left))
	border := "│ "
	if s.plain {
		border = "| "
	}
	lines := make([]string, 0, s.height)
	for i := range s.height - 1 {
		line := at(log, i)
		if left > 0 {
			line = fit(at(list, i), left-2) + border + line
		}
		lines = append(lines, ansi.Truncate(line, s.width, "")+reset(line))
	}
	return strings.Join(append(lines, s.bottom()), "\n")
}

// page shows a text in place of everything else.
func (s *screen) page(lines []string) string {
	for i := range lines {
		lines[i] = ansi.Truncate(" "+lines[i], s.width, "")
	}
	return strings.Join(lines[:min(len(lines), s.height)], "\n")
}

// bottom returns the last line.
func (s *screen) bottom() string {
	done := 0
	for _, t := range s.steps {
		if t.done() || t.state == "ready" {
			done++
		}
	}
	text := fmt.Sprintf(" %d/%d", done, len(s.steps))
	if s.failed > 0 {
		text += fmt.Sprintf(" · %d failed", s.failed)
	}
	if s.plain {
		text = strings.ReplaceAll(text, "·", "-")
	}
	switch {
	case s.asking != "":
		text = " " + map[string]string{"f": "filter: ", "/": "search: "}[s.asking] + s.typed
	case s.message != "":
		text += "  " + s.message
	case s.run.ended:
		text += "  the run has ended"
	default:
		text += "  ? keys"
	}
	return ansi.Truncate(diag.Printable(text), s.width, "")
}

// list returns the lines of the steps.
func (s *screen) list(width, height int) (lines []string) {
	if width == 0 {
		return nil
	}
	head := " " + s.title
	if s.onlyFailed {
		head += " (failed)"
	}
	if s.filter != "" {
		head += " (" + s.filter + ")"
	}
	lines = append(lines, fit(diag.Printable(head), width-2))
	all := s.listed()
	_, chosen := s.selectedStep()
	first := max(0, chosen-(height-2))
	for i := first; i < len(all) && len(lines) < height; i++ {
		t := all[i]
		right := t.state + " " + fmt.Sprintf("%6s", t.age(s.now))
		line := " " + t.mark(s.plain) + " " + fit(diag.Printable(t.label), width-6-len(right)) + " " + right
		line = fit(line, width-2)
		if i == chosen {
			line = "\x1b[7m" + line + "\x1b[m"
		}
		lines = append(lines, line)
	}
	return lines
}

// shownLog returns the lines beside the list.
func (s *screen) shownLog(width int) (lines []string) {
	t, _ := s.selectedStep()
	if t == nil {
		return nil
	}
	head := t.label + " · " + t.state + " " + t.age(s.now)
	if t.restarts > 0 {
		head += fmt.Sprintf(" · restarts %d", t.restarts)
	}
	if s.plain {
		head = strings.ReplaceAll(head, "·", "-")
	}
	lines = append(lines, fit(diag.Printable(head), width))
	if s.detail {
		lines = append(lines, "", "command: "+diag.Printable(t.command), "at: "+diag.Printable(t.pos.String()))
		for _, r := range t.reasons {
			lines = append(lines, "why: "+diag.Printable(r))
		}
		return lines
	}
	top := max(0, len(t.log.lines)-s.logHeight())
	if s.scrolled {
		top = min(max(0, s.top-t.log.dropped), top)
	}
	var shown []string
	for _, line := range t.log.lines[top:min(len(t.log.lines), top+s.logHeight())] {
		if s.wrap {
			shown = append(shown, strings.Split(ansi.Hardwrap(line, width, true), "\n")...)
		} else {
			shown = append(shown, line)
		}
	}
	if n := len(shown) - s.logHeight(); n > 0 && !s.scrolled {
		shown = shown[n:]
	}
	return append(lines, shown...)
}

// at returns a line, or "" if it does not exist.
func at(lines []string, i int) string {
	if i < len(lines) {
		return lines[i]
	}
	return ""
}

// fit pads or cuts text to the given number of columns.
func fit(text string, width int) string {
	if width <= 0 {
		return ""
	}
	text = ansi.Truncate(text, width, "…")
	return text + strings.Repeat(" ", max(0, width-ansi.StringWidth(text)))
}

// reset ends the colours of a line, if it has any.
func reset(line string) string {
	if strings.Contains(line, "\x1b") {
		return "\x1b[m\x1b]8;;\x1b\\"
	}
	return ""
}

// Package tui shows a running run in full screen: its steps on the left, the output of one of them
// on the right. It receives the events of the run and sends requests over its socket (package
// control).
//
// A [screen] is the whole state and its appearance, as a text; the rest of the package connects it
// with the terminal.
package tui

import (
	"errors"
	"io"
	"io/fs"
	"strings"
	"syscall"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/weftrun/weft/engine/control"
	"github.com/weftrun/weft/engine/event"
)

// Exit codes: the user has interrupted, or the run has ended before the user has left.
const (
	Interrupted = 130
	Ended       = 4
)

const (
	redraw    = 100 * time.Millisecond
	maxQueued = 4096 // events between the socket and the screen
)

// Run shows the run with a socket, until that ends or the user leaves. It returns the exit code.
// own means that the run may use the same terminal, which is then left to it.
func Run(path string, own bool, environ []string) (int, error) {
	c, err := control.Dial(path)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED) {
		return Ended, nil
	}
	if err != nil {
		return 1, err
	}
	defer c.Close()
	first := int64(0)
	if _, err := c.Do(control.Request{Since: &first}); err != nil {
		return 1, err
	}
	lines := make(chan control.Answer, maxQueued)
	go func() {
		defer close(lines)
		for {
			a, err := c.Next()
			if err != nil {
				return
			}
			lines <- a
		}
	}()
	title := strings.TrimSpace("weft " + strings.Join(tasks(c.Hello.Command), " "))
	m := &model{lines: lines, screen: screen{run: run{title: title, byID: map[event.StepID]*step{}}, width: 80, height: 24, plain: !utf8Locale(environ), now: time.Now()}}
	m.request = func(q control.Request) {
		if _, err := c.Send(q); err != nil {
			m.message = err.Error()
		}
	}
	if own {
		m.lender = &lender{c: c, m: m}
		m.lender.wait()
	}
	_, err = tea.NewProgram(m, tea.WithEnvironment(environ)).Run()
	switch {
	case m.signal:
		return Interrupted, nil
	case err == io.EOF || errors.Is(err, tea.ErrInterrupted) || errors.Is(err, tea.ErrProgramKilled):
		return Interrupted, nil
	case err != nil:
		return 1, err
	case m.closed:
		return Ended, nil
	}
	return 0, nil
}

// tasks returns the words of a command line that are not flags.
func tasks(command []string) (words []string) {
	for _, word := range command {
		if word == "--" {
			break
		}
		if !strings.HasPrefix(word, "-") {
			words = append(words, word)
		}
	}
	return words
}

// utf8Locale reports whether the terminal shows characters outside ASCII.
func utf8Locale(environ []string) bool {
	values := map[string]string{}
	for _, kv := range environ {
		name, value, _ := strings.Cut(kv, "=")
		values[name] = value
	}
	for _, name := range [...]string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if v := strings.ToUpper(values[name]); v != "" {
			return strings.Contains(v, "UTF-8") || strings.Contains(v, "UTF8")
		}
	}
	return false
}

// model is a screen on a terminal. It implements tea.Model.
type model struct {
	screen
	lines  <-chan control.Answer
	lender *lender // lends the terminal to the run; nil: it is not asked to
	wanted bool    // the run wants the terminal
	closed bool    // nothing more arrives
}

type tick time.Time

func nextTick() tea.Cmd { return tea.Tick(redraw, func(t time.Time) tea.Msg { return tick(t) }) }

// Init implements tea.Model.
func (m *model) Init() tea.Cmd {
	if m.lender != nil {
		m.lender.terminal.keepEnter()
	}
	return nextTick()
}

// Update implements tea.Model.
func (m *model) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	if m.lender != nil {
		m.lender.terminal.keepEnter() // package tea changes the settings when the whole screen comes back
	}
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		m.width, m.height = msg.Width, msg.Height
	case tea.KeyPressMsg:
		key := msg.String()
		if msg.Text != "" && msg.Text != " " {
			key = msg.Text
		}
		if key == "ctrl+j" {
			key = "enter" // see terminal.keepEnter
		}
		if m.key(key); m.quit {
			return m, tea.Quit
		}
	case tick:
		m.now = time.Time(msg)
		if m.processLines(); m.closed {
			return m, tea.Quit
		}
		if m.wanted {
			m.wanted = false
			return m, tea.Batch(tea.Exec(m.lender, nil), nextTick())
		}
		return m, nextTick()
	}
	return m, nil
}

// processLines processes the lines that have arrived since the last call.
func (m *model) processLines() {
	for range 10 * maxQueued {
		select {
		case a, ok := <-m.lines:
			if !ok {
				m.closed = true
				return
			}
			m.line(&a)
		default:
			return
		}
	}
}

// line processes one line of the run.
func (m *model) line(a *control.Answer) {
	if a.Event == "" {
		switch {
		case a.Error != "":
			m.message = a.Error
		case m.lender != nil && a.ID == m.lender.waitID:
			m.wanted = true
		}
		return
	}
	if ev, err := event.Decode(a.Line); err == nil && ev != nil {
		m.handle(ev)
	}
}

// View implements tea.Model.
func (m *model) View() tea.View {
	v := tea.NewView(m.view())
	v.AltScreen = true
	return v
}

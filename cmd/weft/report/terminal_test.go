package report

import (
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/weftrun/weft/engine/event"
)

func TestTerminalOf(t *testing.T) {
	for env, want := range map[string]Terminal{
		"":                  {},
		"KITTY_WINDOW_ID=1": {osc: "99;;"},
		"TERM_PROGRAM=iTerm.app TERM_PROGRAM_VERSION=3.6.5":     {osc: "9;"},
		"TERM_PROGRAM=iTerm.app TERM_PROGRAM_VERSION=3.6.6":     {osc: "9;", progress: true},
		"TERM_PROGRAM=iTerm.app TERM_PROGRAM_VERSION=3.10.0b1":  {osc: "9;", progress: true},
		"TERM_PROGRAM=iTerm.app":                                {osc: "9;"},
		"TERM_PROGRAM=WezTerm":                                  {osc: "9;", progress: true},
		"TERM_PROGRAM=ghostty":                                  {osc: "9;", progress: true},
		"TERM=foot-extra":                                       {osc: "777;notify;weft;"},
		"TERM=rxvt-unicode":                                     {osc: "777;notify;weft;"},
		"WT_SESSION=x":                                          {progress: true},
		"ConEmuANSI=ON":                                         {progress: true},
		"ConEmuANSI=OFF":                                        {},
		"TMUX=/x TERM_PROGRAM=ghostty KITTY_WINDOW_ID=1":        {within: true},
		"TERM=screen.xterm-256color WT_SESSION=x STY=1.pts-0.h": {within: true},
	} {
		got := TerminalOf(func(name string) string {
			for _, kv := range strings.Fields(env) {
				if n, v, _ := strings.Cut(kv, "="); n == name {
					return v
				}
			}
			return ""
		})
		if got != want {
			t.Errorf("%s: %+v, want %+v", env, got, want)
		}
	}
}

// TestNotice: for any text, the sequence ends at its own terminator.
func TestNotice(t *testing.T) {
	if got, want := (Terminal{osc: "9;"}).Notice("a\x1b\\b\x07;c\nd"), "\x1b]9;a\\x1b\\b\\x07,c\\nd\x1b\\"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := (Terminal{within: true}).Notice("x"); got != "\a" {
		t.Errorf("%q", got)
	}
	if n := len([]rune(noticeText(strings.Repeat("🎈", 500)))); n != mostNotice {
		t.Errorf("%d runes", n)
	}
}

func TestNotifier(t *testing.T) {
	var sent []string
	n := NewNotifier(10*time.Second, func(text string) { sent = append(sent, text) })
	run := func(d time.Duration, err error, failed ...string) {
		n.Handle(&event.RunStarted{Tasks: []string{"ci"}})
		for _, f := range failed {
			n.Handle(&event.StepSettled{Task: f, Outcome: event.Failed, Err: err})
		}
		n.Handle(&event.RunFinished{Duration: d, Err: err})
		n.Close()
	}
	run(9*time.Second, errStatus1)
	run(72*time.Second, errStatus1, "unit", "e2e")
	run(10*time.Second, nil)
	n.Handle(&event.WatchStarted{})
	for _, err := range []error{nil, nil, errStatus1, errStatus1, nil} {
		run(time.Hour, err)
		n.Handle(&event.WatchEnded{Task: "web", Err: err, Duration: time.Second})
		n.Handle(&event.WatchEnded{Task: "web", Restarted: true, Err: errStatus1})
		n.Close()
	}
	want := []string{"weft: ci failed after 1m12s: unit", "weft: ci succeeded after 10s", "weft: web failed after 1s", "weft: web succeeded after 1s"}
	if !slices.Equal(sent, want) {
		t.Errorf("got %q, want %q", sent, want)
	}
}

func TestTaskbar(t *testing.T) {
	var shown []string
	b := NewTaskbar(func(s string) { shown = append(shown, s) })
	at := ciStart
	tick := func() {
		at = at.Add(time.Second)
		b.Tick(at)
		b.Tick(at.Add(100 * time.Millisecond))
	}
	b.Handle(&event.RunStarted{})
	tick()
	b.Handle(&event.Planned{Steps: 1})
	tick()
	b.Handle(&event.Planned{Steps: 3})
	b.Handle(&event.StepSettled{Outcome: event.Succeeded})
	tick()
	tick()
	b.Handle(&event.StepSettled{Outcome: event.Failed})
	tick()
	b.Handle(&event.SignalReceived{Signal: syscall.SIGINT})
	tick()
	b.Handle(&event.RunFinished{})
	b.Close()
	want := []string{"\x1b]9;4;3;0\x1b\\", "\x1b]9;4;1;25\x1b\\", "\x1b]9;4;2;50\x1b\\", "\x1b]9;4;0;0\x1b\\"}
	if !slices.Equal(shown, want) {
		t.Errorf("got %q, want %q", shown, want)
	}
}

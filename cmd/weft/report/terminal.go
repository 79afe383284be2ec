package report

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"

	"github.com/weftrun/weft/schema/diag"
)

// Terminal is the set of capabilities of a terminal, detected from the environment. The zero
// Terminal has only a bell.
type Terminal struct {
	osc      string // prefix of a notification; "" for none
	progress bool   // it shows progress at its icon or tab
	within   bool   // it runs in tmux or screen, which pass on only the bell
}

// TerminalOf returns the capabilities of the terminal in an environment.
func TerminalOf(env func(name string) string) Terminal {
	name, term := env("TERM_PROGRAM"), env("TERM")
	if env("TMUX") != "" || env("STY") != "" || strings.HasPrefix(term, "screen") || strings.HasPrefix(term, "tmux") {
		return Terminal{within: true}
	}
	t := Terminal{progress: env("WT_SESSION") != "" || env("ConEmuANSI") == "ON"}
	switch {
	case env("KITTY_WINDOW_ID") != "":
		t.osc = "99;;"
	case name == "WezTerm", name == "ghostty":
		t.osc, t.progress = "9;", true
	case name == "iTerm.app": // earlier versions show it as a notification
		t.osc, t.progress = "9;", versionAtLeast(env("TERM_PROGRAM_VERSION"), 3, 6, 6)
	case strings.HasPrefix(term, "foot"), strings.HasPrefix(term, "rxvt"):
		t.osc = "777;notify;weft;"
	}
	return t
}

// versionAtLeast reports whether a version such as 3.6.6 is at least want.
func versionAtLeast(version string, want ...int) bool {
	parts := strings.Split(version, ".")
	for i, w := range want {
		n := 0
		if i < len(parts) {
			n, _ = strconv.Atoi(strings.TrimRightFunc(parts[i], func(r rune) bool { return !unicode.IsDigit(r) }))
		}
		if n != w {
			return n > w
		}
	}
	return true
}

// mostNotice is the maximum length of a notification in runes.
const mostNotice = 200

// noticeText returns text cleaned for a notification.
func noticeText(text string) string {
	text = strings.ReplaceAll(strings.ReplaceAll(diag.Printable(text), ";", ","), "\t", " ")
	if r := []rune(text); len(r) > mostNotice {
		text = string(r[:mostNotice-1]) + cutMark
	}
	return text
}

// Notifies reports whether the terminal supports notifications beyond the bell.
func (t Terminal) Notifies() bool { return t.osc != "" }

// Relays reports whether a multiplexer passes on only the bell.
func (t Terminal) Relays() bool { return t.within }

// Notice returns the sequence that notifies the user of text, or else the bell.
func (t Terminal) Notice(text string) string {
	if t.osc == "" {
		return "\a"
	}
	return "\x1b]" + t.osc + noticeText(text) + "\x1b\\"
}

// Progresses reports whether the terminal shows progress.
func (t Terminal) Progresses() bool { return t.progress }

// The progress states of terminals.
const (
	progressRunning = 1
	progressFailed  = 2
	progressUnknown = 3 // busy, percentage unknown
)

// terminalProgress returns the sequence that sets the progress.
func terminalProgress(state, percent int) string {
	return fmt.Sprintf("\x1b]9;4;%d;%d\x1b\\", state, percent)
}

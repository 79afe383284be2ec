package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"time"

	"golang.org/x/term"

	"github.com/weftrun/weft/cmd/weft/report"
	"github.com/weftrun/weft/engine/proc"
)

// usualNotify is the default minimum duration of a run for a notification.
const usualNotify = 10 * time.Second

// notifierLimit is the time limit for a program that shows a notification. Tests on a busy machine
// extend it.
var notifierLimit = 2 * time.Second

// notifier returns the reporter that notifies the user of the end of a run, according to --notify
// or WEFT_NOTIFY; may be nil. On a CI system, and as a command of another weft, there is none.
func (a *app) notifier() (report.Reporter, error) {
	from, value := "--notify", a.opts.notify
	if value == "" {
		from, value = "WEFT_NOTIFY", a.env("WEFT_NOTIFY")
	}
	if value == "" || a.dropIn() || a.env(proc.RunVariable) != "" || a.opts.inspects() || a.opts.replay != "" || a.opts.audited {
		return nil, nil
	}
	least, err := time.ParseDuration(value)
	if on, isBool := strconv.ParseBool(value); isBool == nil {
		if !on {
			return nil, nil
		}
		least, err = usualNotify, nil
	}
	if err != nil || least < 0 {
		return nil, flagError(fmt.Sprintf("%s: %q is not a duration; write 10s", from, value))
	}
	if a.onCI() {
		return nil, nil
	}
	return report.NewNotifier(least, a.notifyUser), nil
}

// notifyUser shows a notification by the terminal, which also works over ssh, or else by a desktop
// program; otherwise it rings the bell. It may run concurrently with other writers to the terminal,
// and writes in one piece.
func (a *app) notifyUser(text string) {
	text = a.secrets.Mask(text)
	t := report.TerminalOf(a.env)
	terminal := term.IsTerminal(int(os.Stderr.Fd()))
	if terminal && (t.Notifies() || t.Relays()) || !a.notifyDesktop(text) && terminal {
		os.Stderr.WriteString(t.Notice(text))
	}
}

// notifyDesktop reports whether a program has shown the notification.
func (a *app) notifyDesktop(text string) bool {
	found, err := false, error(nil)
	switch {
	case runtime.GOOS == "darwin":
		found, err = a.helper(notifierLimit, nil, "osascript", "-e", "on run argv", "-e", `display notification (item 1 of argv) with title "weft"`, "-e", "end run", text)
	case a.env("DISPLAY") != "" || a.env("WAYLAND_DISPLAY") != "":
		found, err = a.helper(notifierLimit, nil, "notify-send", "--app-name=weft", "--", text)
	}
	return found && err == nil
}

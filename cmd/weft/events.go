package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/weftrun/weft/cmd/weft/report"
	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/engine/pipe"
	"github.com/weftrun/weft/internal/epipe"
	"github.com/weftrun/weft/schema/diag"
)

// eventsAlone reports whether only events are written to standard output.
func (a *app) eventsAlone() bool { return a.opts.events == "-" }

// eventFile is the reporter for --events. It tells the user at once, and once, when the events can no
// longer be written, and the run continues without them.
type eventFile struct {
	*report.NDJSON
	a    *app
	told bool
}

// newEvents returns the reporter for --events.
func (a *app) newEvents() (*eventFile, error) {
	w, err := openEvents(a.opts.events)
	if err != nil {
		return nil, err
	}
	n := report.NewNDJSON(w, w.Close, a.describe)
	n.All = a.eventsAlone()
	return &eventFile{NDJSON: n, a: a}, nil
}

// Handle implements [report.Reporter].
func (f *eventFile) Handle(ev event.Event) {
	f.NDJSON.Handle(ev)
	f.check()
}

// Flush implements [report.Flusher].
func (f *eventFile) Flush() {
	f.NDJSON.Flush()
	f.check()
}

// Err implements [report.Reporter]. It returns nil for a file, without which the run continues.
func (f *eventFile) Err() error {
	if f.a.eventsAlone() {
		return f.NDJSON.Err()
	}
	return nil
}

// Close implements [report.Reporter]. It returns an [errCode] if not all events could be written.
func (f *eventFile) Close() error {
	f.NDJSON.Close()
	if f.check(); f.told {
		return errCode(exitOther)
	}
	return nil
}

// check tells the user if the events can no longer be written, unless nobody reads standard output,
// which ends the run.
func (f *eventFile) check() {
	err := f.NDJSON.Err()
	if err == nil || f.told || f.a.unread() {
		return
	}
	f.told = true
	f.a.say(f.a.err, report.Red, fmt.Sprintf("--events %s: %s; the events after that are lost%s",
		diag.Printable(f.a.opts.events), diag.Printable(err.Error()), remedy(err)))
}

// unread reports whether the reader of weft's output is gone: that of standard output or standard
// error, or with --events=- that of the events.
func (a *app) unread() bool {
	return a.out.Broken() || a.err.Broken() || a.eventsAlone() && a.events != nil && epipe.Is(a.events.NDJSON.Err())
}

// recordWarnings adds the shown warnings about the Taskfile to the events of the run.
func (a *app) recordWarnings() {
	for _, d := range a.warned {
		ev := event.Masked(&event.DiagnosticFound{Time: time.Now(), Diagnostic: d}, a.secrets.Mask)
		if a.events != nil {
			a.events.Handle(ev)
		}
		if a.history != nil {
			a.history.Handle(ev)
		}
	}
}

// argv returns the command line for the events of a run: without the values of secret variables.
func (a *app) argv() []string {
	argv := a.args
	if a.opts.detached {
		argv = argv[1:]
	}
	for i, word := range argv {
		name, _, assigns := strings.Cut(word, "=")
		if word == "--" {
			break
		}
		if assigns && a.secretNames[name] {
			argv = slices.Clone(argv)
			argv[i] = name + "=" + pipe.Masked
		}
	}
	return argv
}

// recordedProblems describes the reasons why a run failed, as in recorded runs.
func (a *app) recordedProblems(err error) (all []event.Problem) {
	for _, p := range a.problems(err) {
		all = append(all, event.Problem{Text: a.secrets.Mask(p.Text), Excerpt: a.secrets.Mask(p.Excerpt)})
	}
	return all
}

// openEvents opens the destination of --events: a file, "-" or "fd:N".
func openEvents(to string) (io.WriteCloser, error) {
	if to == "-" {
		return printable{os.Stdout}, nil
	}
	if n, ok := strings.CutPrefix(to, "fd:"); ok {
		fd, err := strconv.Atoi(n)
		if err != nil || fd < 0 {
			return nil, flagError(fmt.Sprintf("--events=%s: %q is not a file descriptor; write fd:3", to, n))
		}
		f := os.NewFile(uintptr(fd), to)
		if _, err := f.Stat(); err != nil {
			return nil, flagError(fmt.Sprintf("--events=%s: descriptor %d is not open; add `%d>FILE` to the command", to, fd, fd))
		}
		if fd <= 2 {
			return printable{f}, nil
		}
		return f, nil
	}
	if st, err := os.Stat(to); err == nil && st.IsDir() {
		return nil, flagError(fmt.Sprintf("--events: %s is a directory; write %s", to, filepath.Join(to, "FILE")))
	}
	ctx, cancel := context.WithTimeout(context.Background(), readerPatience)
	defer cancel()
	t, err := pipe.OpenTarget(ctx, to, pipe.InPlace)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return nil, flagError(fmt.Sprintf("--events: nothing reads the named pipe %s; start its reader first", to))
	case err != nil:
		return nil, flagError("--events: " + err.Error() + remedy(err))
	}
	return t.File, nil
}

// readerPatience is the time limit for the reader of a named pipe to open it.
const readerPatience = 5 * time.Second

// printable is a standard stream for lines of JSON, which may be a terminal. It escapes
// control characters that JSON does not require to be escaped. Close does not close the
// stream.
type printable struct{ f *os.File }

func (w printable) Write(p []byte) (int, error) {
	text := string(p)
	shown := diag.PrintableText(text)
	n, err := io.WriteString(w.f, shown)
	if len(shown) == len(text) {
		return n, err
	}
	if n < len(shown) {
		return 0, err
	}
	return len(p), err
}

func (printable) Close() error { return nil }

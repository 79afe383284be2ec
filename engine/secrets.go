package engine

import (
	"fmt"
	"io"
	"os"

	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/engine/pipe"
	"github.com/weftrun/weft/schema/diag"
)

// masking wraps sink to mask secrets in its events. A nil sink discards them.
func masking(sink func(event.Event), secrets *pipe.Secrets) func(event.Event) {
	if sink == nil {
		return release
	}
	return func(ev event.Event) {
		if secrets.Any() {
			ev = event.Masked(ev, secrets.Mask)
		}
		sink(ev)
	}
}

// secret masks the value of a secret variable from now on.
func (e *Engine) secret(name, value string) {
	if e.secrets.Add(value) || name == "" {
		return
	}
	if _, known := e.shortSecrets.LoadOrStore(name, true); !known {
		why := "short"
		if len(value) > pipe.MaxSecret || e.secrets.Full() {
			why = "long"
		}
		e.warn(&diag.Diagnostic{Severity: diag.Warning, Kind: diag.Suspicious, What: fmt.Sprintf("the value of the secret variable %s is too %s to be masked in output", name, why)})
	}
}

// masksOutput reports whether what commands write is masked where they would write it themselves.
func (e *Engine) masksOutput() bool {
	return e.o.MaskOutput && (e.o.Workflow.Secrets || e.secrets.Any())
}

// maskedStderr returns weft's standard error for a command that writes there directly, or, if
// output is masked, a pipe to it. shown must be called when the command has ended, and returns when
// its output has been written.
func (e *Engine) maskedStderr() (f *os.File, shown func(), err error) {
	if !e.masksOutput() || e.o.Stderr == nil {
		if e.o.HideDisplay != nil {
			return e.o.Stderr, e.o.HideDisplay(), nil
		}
		return e.o.Stderr, func() {}, nil
	}
	s, err := pipe.NewSource(&e.clock)
	if err != nil {
		return nil, nil, err
	}
	copied := make(chan struct{})
	go func() {
		defer close(copied)
		defer s.Close()
		w := e.secrets.Writer(e.o.Stderr)
		io.Copy(w, s)
		w.Flush()
	}()
	return s.W, func() { s.Finish(); <-copied }, nil
}

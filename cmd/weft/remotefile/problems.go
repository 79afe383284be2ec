package remotefile

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/weftrun/weft/engine/channel"
	"github.com/weftrun/weft/engine/companion"
	"github.com/weftrun/weft/internal/taskurl"
	"github.com/weftrun/weft/schema/diag"
)

// What contains the texts of the reference; Why and Fix are weft's own.

func insecure(f *file) *diag.Diagnostic {
	return &diag.Diagnostic{Kind: diag.NotSecure,
		What: fmt.Sprintf("Taskfile %q cannot be downloaded over an insecure connection. You can override this by using the --insecure flag", f.location)}
}

// unread returns the hint about a file that is not read.
func unread(f *file) *diag.Diagnostic {
	return &diag.Diagnostic{Kind: diag.NotCached, Severity: diag.Hint,
		What: fmt.Sprintf("the remote Taskfile %q was not checked", f.location),
		Why:  "nothing is fetched here, and there is no copy that you have agreed to", Fix: "fetch it with --download"}
}

// notTrusted returns the problem of a file that the user has not agreed to. It contains the
// line that pins the file.
func (op *Opener) notTrusted(f *file, why string) *diag.Diagnostic {
	fix := fmt.Sprintf("pin it where it is included, with the line  checksum: %s", f.sum)
	if !f.Pos.IsValid() {
		fix = fmt.Sprintf("run it once on a terminal, or trust its host: --trusted-hosts %s", f.URL.Host())
	}
	return &diag.Diagnostic{Kind: diag.NotTrusted, What: fmt.Sprintf("Taskfile %q not trusted by user", f.location), Why: why, Fix: fix}
}

//go:noinline
func fetchFailed(f *file, why, fix string) *diag.Diagnostic {
	return &diag.Diagnostic{Kind: diag.FetchFailed, What: fmt.Sprintf("Download of %q failed", f.location), Why: why, Fix: fix}
}

func notFound(f *file, why string) *diag.Diagnostic {
	return &diag.Diagnostic{Kind: diag.NotFound, What: fmt.Sprintf("No Taskfile found at %q", f.location), Why: why}
}

// failed handles an answer that is not a file: it uses the copy of f if the server could not be
// reached, or else sets the problem.
func (op *Opener) failed(f *file, err error) {
	e, ok := errors.AsType[*channel.Error](err)
	if !ok {
		f.problem = fetchFailed(f, err.Error(), "")
		if none, ok := errors.AsType[*companion.UnavailableError](err); ok {
			f.problem = fetchFailed(f, strings.TrimSuffix(none.What+": "+none.Why, ": "), none.Fix)
		}
		op.fallBack(f, err.Error())
		return
	}
	switch e.Kind {
	case channel.NotFound:
		f.problem, f.absent = notFound(f, e.Text), true
	case channel.BadType:
		f.problem = notFound(f, e.Text)
	case channel.Insecure:
		f.problem = insecure(f)
	case channel.TimedOut:
		f.problem = &diag.Diagnostic{Kind: diag.FetchTimedOut,
			What: fmt.Sprintf("Network connection timed out after %s while attempting to download Taskfile %q", op.o.Timeout, f.location)}
		op.fallBack(f, fmt.Sprintf("no response within %s", op.o.Timeout))
	case channel.Unreachable:
		f.problem = fetchFailed(f, e.Text, "")
		op.fallBack(f, e.Text)
	case channel.Unauthorized, channel.BadStatus:
		op.refused(f, e)
	default:
		f.problem = fetchFailed(f, e.Text, "")
		if e.Kind == channel.Redirect {
			f.redirect, _ = taskurl.Parse(e.URL)
		}
		if e.Kind == channel.Git && op.o.Reference {
			f.problem.Kind = diag.Other
		}
	}
}

// refused handles a status other than 200.
func (op *Opener) refused(f *file, e *channel.Error) {
	f.problem = fetchFailed(f, "", "")
	status := strconv.Itoa(e.Status)
	if words := strings.TrimPrefix(e.Text, status+" "); words != "" {
		status += " (" + words + ")"
	}
	f.problem.What += " with status code " + status
	if op.o.Reference && e.Kind != channel.Unauthorized {
		f.problem = notFound(f, "") // the server has none of the names
	}
	if e.Status >= 500 {
		op.fallBack(f, "status code "+status)
	}
}

// fallBack uses the copy of f, if there is one, and warns.
func (op *Opener) fallBack(f *file, why string) {
	if f.copied == nil {
		return
	}
	f.take(f.copied)
	f.problem = nil
	if op.o.Warn == nil {
		return
	}
	age := "of unknown age"
	if at := f.copied.at; !at.IsZero() {
		age = "of " + old(op.o.Now().Sub(at)) + " ago"
	}
	op.o.Warn(&diag.Diagnostic{Severity: diag.Warning, Pos: f.Pos, What: fmt.Sprintf("%s could not be fetched, so the copy %s is used", f.location, age), Why: why})
}

// old returns how long ago something was, in the largest unit that fits.
func old(d time.Duration) string {
	for _, unit := range [...]struct {
		name string
		of   time.Duration
	}{{"day", 24 * time.Hour}, {"hour", time.Hour}, {"minute", time.Minute}} {
		switch n := int(d / unit.of); {
		case n == 1:
			return "1 " + unit.name
		case n > 1:
			return fmt.Sprintf("%d %ss", n, unit.name)
		}
	}
	return "less than a minute"
}

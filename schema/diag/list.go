package diag

import (
	"errors"
	"strings"

	"github.com/hashicorp/go-multierror"
)

// List collects diagnostics in the order they are found. The zero List is empty
// and ready to use. It is not safe for concurrent use.
type List struct {
	errs   *multierror.Error
	failed bool // it holds an error
}

// most is how many diagnostics a List keeps: far more than anybody looks at.
const most = 10_000

// Full reports whether further warnings are dropped, and errors as well but the first.
func (l *List) Full() bool { return l.errs != nil && len(l.errs.Errors) >= most }

// Add appends d, unless the list is full.
func (l *List) Add(d *Diagnostic) {
	if l.Full() && (d.Severity != Error || l.failed) {
		return
	}
	l.failed = l.failed || d.Severity == Error
	l.errs = multierror.Append(l.errs, d)
	l.errs.ErrorFormat = format
}

// Append adds every diagnostic of m.
func (l *List) Append(m List) {
	for _, d := range m.All() {
		l.Add(d)
	}
}

// All returns the diagnostics, errors and warnings, in the order added.
func (l *List) All() []*Diagnostic {
	if l.errs == nil {
		return nil
	}
	all := make([]*Diagnostic, len(l.errs.Errors))
	for i, e := range l.errs.Errors {
		all[i] = e.(*Diagnostic)
	}
	return all
}

// Err returns the diagnostics of severity [Error] as one error, or nil when
// there are none. [FromError] takes it apart again.
func (l *List) Err() error {
	var errs *multierror.Error
	for _, d := range l.All() {
		if d.Severity == Error {
			errs = multierror.Append(errs, d)
			errs.ErrorFormat = format
		}
	}
	return errs.ErrorOrNil()
}

// Warnings returns the diagnostics of severity [Warning].
func (l *List) Warnings() []*Diagnostic {
	var ws []*Diagnostic
	for _, d := range l.All() {
		if d.Severity == Warning {
			ws = append(ws, d)
		}
	}
	return ws
}

// FromError returns the diagnostics inside err, or nil when it holds none.
func FromError(err error) []*Diagnostic {
	var many *multierror.Error
	if errors.As(err, &many) {
		var ds []*Diagnostic
		for _, e := range many.Errors {
			ds = append(ds, FromError(e)...)
		}
		return ds
	}
	var d *Diagnostic
	if errors.As(err, &d) {
		return []*Diagnostic{d}
	}
	return nil
}

func format(errs []error) string {
	lines := make([]string, len(errs))
	for i, e := range errs {
		lines[i] = e.Error()
	}
	return strings.Join(lines, "\n")
}

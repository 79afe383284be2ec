package diag

import (
	"errors"
	"slices"
	"sort"
	"strings"

	"github.com/hashicorp/go-multierror"
)

// List collects diagnostics in the order they are found. The zero List is empty
// and ready to use. It is not safe for concurrent use.
type List struct {
	all    []*Diagnostic
	failed bool // it holds an error
}

// most is the number of diagnostics that a List keeps: far more than a user reads.
const most = 10_000

// Full reports whether further warnings are dropped, and errors as well but the first.
func (l *List) Full() bool { return len(l.all) >= most }

// Add appends d, unless the list is full.
//
//go:noinline
func (l *List) Add(d *Diagnostic) {
	if !l.Full() || d.Severity == Error && !l.failed {
		l.failed = l.failed || d.Severity == Error
		l.all = append(l.all, d)
	}
}

// Append adds every diagnostic of m.
func (l *List) Append(m List) {
	for _, d := range m.all {
		l.Add(d)
	}
}

// All returns the diagnostics, errors and warnings, in the order added.
func (l *List) All() []*Diagnostic { return l.all }

// Err returns the diagnostics of severity [Error] as one error, or nil when
// there are none. [FromError] takes it apart again.
//
//go:noinline
func (l *List) Err() error {
	if !l.failed {
		return nil
	}
	errs := &multierror.Error{ErrorFormat: format}
	for _, d := range l.all {
		if d.Severity == Error {
			errs.Errors = append(errs.Errors, d)
		}
	}
	return errs
}

// Warnings returns the diagnostics of severity [Warning].
func (l *List) Warnings() []*Diagnostic {
	return slices.DeleteFunc(slices.Clone(l.all), func(d *Diagnostic) bool { return d.Severity != Warning })
}

// Sort puts the diagnostics, which are of one file, in the order of their places.
func (l *List) Sort() {
	sort.SliceStable(l.all, func(i, j int) bool {
		a, b := l.all[i].Pos, l.all[j].Pos
		return a.Line < b.Line || a.Line == b.Line && a.Column < b.Column
	})
}

// FromError returns the diagnostics inside err, or nil when it holds none.
func FromError(err error) []*Diagnostic {
	if many, ok := errors.AsType[*multierror.Error](err); ok {
		var ds []*Diagnostic
		for _, e := range many.Errors {
			ds = append(ds, FromError(e)...)
		}
		return ds
	}
	if d, ok := errors.AsType[*Diagnostic](err); ok {
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

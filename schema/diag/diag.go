// Package diag says where and why something in a workflow file is wrong.
//
// It is the leaf that every other package may import: a [Pos] is a place in a
// file, a [Diagnostic] is one problem at that place, and a [List] collects them
// so that all problems are reported at once. It knows nothing of YAML, of
// running, or of terminals: colour and snippets belong to the printer.
package diag

import (
	"strconv"
	"strings"
)

// Pos is a place in a file. Line and Column count from 1, Column in bytes; the
// zero Pos means "no place known".
type Pos struct {
	File         *File
	Line, Column int32
}

// IsValid reports whether p points into a file.
func (p Pos) IsValid() bool { return p.File != nil }

// Path returns the path of p's file, or "" when p is not valid.
func (p Pos) Path() string {
	if p.File == nil {
		return ""
	}
	return p.File.Path
}

// String returns "path:line:column", or "" when p is not valid.
func (p Pos) String() string { return string(p.Append(nil)) }

// Append appends String to b.
func (p Pos) Append(b []byte) []byte {
	if p.File == nil {
		return b
	}
	name := p.File.Name
	if name == "" {
		name = p.File.Path
	}
	b = append(b, name...)
	if p.Line == 0 {
		return b
	}
	b = strconv.AppendInt(append(b, ':'), int64(p.Line), 10)
	return strconv.AppendInt(append(b, ':'), int64(p.Column), 10)
}

// Severity determines whether a diagnostic stops the run.
type Severity uint8

const (
	Error   Severity = iota // the file cannot be used
	Warning                 // the file works, but probably not as intended
	Hint                    // the file works, probably as intended: shown only on demand
)

// String returns the severity's name, "" of one that does not exist.
func (s Severity) String() string { return nameAt([]string{"error", "warning", "hint"}, int(s)) }

func nameAt(names []string, i int) string {
	if i < len(names) {
		return names[i]
	}
	return ""
}

// Kind classes a diagnostic; the command line maps it to an exit code.
type Kind uint8

const (
	Other            Kind = iota // anything without a code of its own
	NotFound                     // no Taskfile at the given place
	Decode                       // a value of the wrong type or form
	Version                      // schema version missing or not supported
	Syntax                       // not YAML, or a loop that cannot be expanded
	IncludeCycle                 // a file includes itself, directly or not
	ChecksumMismatch             // an include differs from its pinned checksum
	Conflict                     // a flattened include brings a name that exists
	UnknownKey                   // an unknown key (a warning)
	MissingTask                  // a call of a task that is not there
	Cycle                        // tasks that need each other
	Suspicious                   // valid, but without the intended effect (a warning)
	FetchFailed                  // a remote file cannot be fetched
	NotTrusted                   // the user does not trust a remote file
	NotSecure                    // a remote file would be sent unencrypted
	NotCached                    // there is no copy of a remote file, and nothing may be fetched
	FetchTimedOut                // a remote file did not arrive in time
	SharedCache                  // a shared cache is not used, or not as it should be (a warning)
)

var kindNames = [...]string{
	"other", "not_found", "decode", "version", "syntax", "include_cycle", "checksum_mismatch", "conflict", "unknown_key",
	"missing_task", "cycle", "suspicious", "fetch_failed", "not_trusted", "not_secure", "not_cached", "fetch_timed_out",
	"shared_cache",
}

// String returns the kind's name, "" of one that does not exist.
func (k Kind) String() string { return nameAt(kindNames[:], int(k)) }

// Diagnostic is one problem. What is always set; the others may be "". No field ends with a full
// stop.
type Diagnostic struct {
	Pos      Pos
	Severity Severity
	Kind     Kind
	What     string // what is wrong, naming the thing: `no task "biuld"`
	Why      string // why it matters or how it came about: `needed by "release" (line 12)`
	Fix      string // how to fix it: `did you mean "build"?`
}

// Show returns s, which is one of d's texts, safe to show. Only those of some kinds have
// several lines.
func (d *Diagnostic) Show(s string) string {
	if d.Kind == Version || d.Kind == ChecksumMismatch {
		return PrintableText(s)
	}
	return Printable(s)
}

// Error returns "path:line:column: what; why; fix", leaving out what is empty. It is safe
// to show.
func (d *Diagnostic) Error() string {
	var b strings.Builder
	if p := d.Pos.String(); p != "" {
		b.WriteString(Printable(p))
		b.WriteString(": ")
	}
	b.WriteString(d.Show(d.What))
	for _, s := range []string{d.Why, d.Fix} {
		if s != "" {
			b.WriteString("; ")
			b.WriteString(d.Show(s))
		}
	}
	return b.String()
}

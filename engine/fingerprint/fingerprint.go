// Package fingerprint determines whether something made from files and texts is up to date, and if
// not, why. It owns the fingerprint and the record of a success. It knows nothing of tasks.
//
// # The fingerprint
//
// A SHA-256 over a canonical, length-framed, versioned encoding of [Inputs]:
// everything that is text (Inputs.digest), and every source file (fileSet.digest).
// There is no second way to compute it.
//
// # What is looked at
//
// A file whose stat (size, times, inode, mode) has not changed is not read. So a run without work
// lists each directory once, stats each file once, and compares one short sum of all that with the
// recorded one. A file that was changed so shortly before it was read that its times cannot show
// another change is read again next time ("racy git").
//
// # What is recorded
//
// A record of each success, in the state ([state.Store]): written by [Check.Commit]
// after success, invalidated by [Check.Begin] before the first command. So a crash
// leaves "unknown", never "up to date", and so does every problem with the state itself.
package fingerprint

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"github.com/weftrun/weft/engine/glob"
)

// Digest is a fingerprint. The zero Digest means that there is none.
type Digest [sha256.Size]byte

// String returns the digest in hexadecimal.
func (d Digest) String() string { return hex.EncodeToString(d[:]) }

// Method is a way to compare sources.
type Method uint8

const (
	Checksum  Method = iota // by content
	Timestamp               // by time of modification, with generated files and the last success
	None                    // not at all: never fresh
)

// Field is a text that the fingerprint covers.
type Field struct {
	Name   string // what it is, and which: "command 1", "var VERSION"
	Value  string
	Secret bool // the value is not stored, and not shown
}

// Inputs is everything a fingerprint covers.
type Inputs struct {
	Key       string  // whose state this is
	Name      string  // for messages
	Root, Dir string  // the root directory, and the base of patterns; absolute and clean
	Fields    []Field // in order
	Sources   []glob.Pattern
	Generates []glob.Pattern // each must match a file; those matched last time must be unchanged
	Gitignore bool           // git's ignored files are not sources
	// Depfile matches files in which the commands list, as compilers do, the files that they have
	// read: these are sources, too, from then on. Nil: there are none. Generates must have the
	// pattern, too.
	Depfile *glob.Pattern
	Method  Method
	// V3 is the rule of older tools: only times of sources count (with
	// Timestamp), and of generated files only their existence.
	V3        bool
	FilesOnly bool // texts do not count: patterns may have changed if they match the same files
	Outputs   bool // without the outputs of the last success it is not fresh
}

// Reason is one difference between now and the last success.
type Reason struct {
	// Kind is "first" (no success is known), "file" (a source), "generates" (a
	// file made last time, or a pattern), "depfile" (it does not list the files read),
	// "unknown" (the details are lost),
	// "outputs" (they were not recorded), "never" (nothing is ever fresh), or the first word of a field's name.
	Kind string `json:"kind"`
	Name string `json:"name,omitempty"` // the file, or the rest of the field's name
	// Old and New are values, short digests, or a word: "new", "gone", "mode",
	// "link", "newer", "changed".
	Old string `json:"old,omitempty"`
	New string `json:"new,omitempty"`
}

// String returns the reason as a line.
func (r Reason) String() string {
	what := strings.TrimSpace(r.Kind + " " + r.Name)
	switch {
	case r.Kind == "never":
		return "never up to date: " + r.Name
	case r.Old != "" && r.New != "":
		return what + ": " + r.Old + " -> " + r.New
	case r.New != "":
		return what + ": " + r.New
	case r.Old != "":
		return what + ": was " + r.Old
	}
	return what
}

// Package state keeps records of what succeeded, by key, in a directory of a
// project: the state file (log.go), the bodies of large records, the locks held
// while the work of a record is done, and files that programs write to. It does not
// know what a record says.
//
// Whatever goes wrong with the state, including a crash at any time, a record may
// be lost, but is never invented: then the work is done again. All files are opened
// by package statefile, so that a link or a pipe that somebody has put in their
// place is neither read nor written through.
package state

import (
	"crypto/sha256"
	"encoding/hex"
)

// What stands in the directory.
const (
	logName     = "state"
	bodiesName  = "files" // bodies of large records
	locksName   = "locks"
	outputsName = "outputs" // files that programs write to
	ignoreName  = ".gitignore"
	ignoreAll   = "*\n"
)

// Key is the name of a record.
type Key [keySize]byte

const keySize = 16

// KeyOf returns the key of a text that says what a record is of. What another version
// of the caller wrote has another key.
func KeyOf(version, text string) Key {
	sum := sha256.Sum256(append(append(make([]byte, 0, 256), version...), text...))
	return Key(sum[:])
}

// String returns the key in hexadecimal.
func (k Key) String() string { return hex.EncodeToString(k[:]) }

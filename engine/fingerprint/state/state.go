// Package state keeps records of what succeeded, by key, in a directory of a
// project: the state file (log.go), the bodies of large records, the locks of those
// who are about to make one, and files that programs write to. It does not know
// what a record says.
//
// Whatever goes wrong with the state, and with a crash at any time, a record is
// lost, never invented: what it was about runs again. All files are opened by
// [statefile], so that nothing that somebody has put in their place is read or
// written through.
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

// Package state keeps records of successes, by key, in a directory of a project: the state file
// (log.go), the bodies of large records, the locks held while the work of a record is done, directory
// listings, and files that programs write to. It does not know the meaning of records.
//
// After any problem with the state, including a crash at any time, a record may be lost, but is
// never invented: then the work is done again. All files are opened by package statefile, so that a
// planted link or pipe is neither read nor written through.
package state

import (
	"crypto/sha256"
	"encoding/hex"
)

// The contents of the directory.
const (
	logName     = "state"
	bodiesName  = "files" // bodies of large records
	locksName   = "locks"
	outputsName = "outputs" // files that programs write to

	listingsName = "listings"
)

// Key is the name of a record.
type Key [keySize]byte

const keySize = 16

// KeyOf returns the key of a text that identifies a record's subject. Records of another version of
// the caller have other keys.
//
//go:noinline
func KeyOf(version, text string) Key {
	sum := sha256.Sum256(append(append(make([]byte, 0, 256), version...), text...))
	return Key(sum[:])
}

// String returns the key in hexadecimal.
func (k Key) String() string { return hex.EncodeToString(k[:]) }

package fingerprint

import (
	"crypto/sha256"
	"encoding/binary"
	"runtime"
	"sync"

	"github.com/weftrun/weft/engine/glob"
)

// formatVersion is part of every fingerprint: a changed encoding must never
// read as a hit.
const formatVersion = "weft fingerprint 5"

// buffers are for encodings.
var buffers = sync.Pool{New: func() any { b := make([]byte, 0, 4<<10); return &b }}

// framed appends a text with its length before it, so that no two different
// sequences have one encoding.
func framed(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// digest covers everything of in that is not a file, and the salt of the state it is
// recorded in, without which nobody can guess a secret and compare.
func (in *Inputs) digest(salt *salt) Digest {
	p := buffers.Get().(*[]byte)
	b := append((*p)[:0], salt.sum[:]...)
	b = framed(b, runtime.GOOS)                       // tools differ
	b = framed(b, runtime.GOARCH)                     //
	b = framed(b, glob.Relative(in.Root, in.Dir+"/")) // commands run elsewhere do something else
	b = append(b, byte(in.Method), flag(in.Loose))    // they decide what is recorded of files
	b = binary.AppendUvarint(b, uint64(len(in.Fields)))
	for i := range in.Fields {
		b = framed(b, in.Fields[i].Name) // a value that moves to another variable
		b = framed(b, in.Fields[i].Value)
	}
	b = binary.AppendUvarint(b, uint64(len(in.Generates)))
	for i := range in.Generates { // another promise
		b = framed(append(b, flag(in.Generates[i].Exclude)), in.Generates[i].Glob)
	}
	d := sha256.Sum256(b)
	*p = b
	buffers.Put(p)
	return d
}

// combined is the fingerprint.
func combined(texts, files Digest) Digest {
	b := append(make([]byte, 0, 64), texts[:]...)
	return sha256.Sum256(append(b, files[:]...))
}

func flag(b bool) byte {
	if b {
		return 1
	}
	return 0
}

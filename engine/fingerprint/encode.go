package fingerprint

import (
	"crypto/sha256"
	"encoding/binary"
	"runtime"
	"slices"
	"sync"

	"github.com/weftrun/weft/engine/fingerprint/state"
	"github.com/weftrun/weft/engine/glob"
	"github.com/weftrun/weft/internal/xxh3"
)

// formatVersion is part of every fingerprint: a changed encoding must never
// read as a hit.
const formatVersion = "weft fingerprint 6"

// buffers are for encodings.
var buffers = sync.Pool{New: func() any { b := make([]byte, 0, 4<<10); return &b }}

// framed appends a text with its length before it, so that no two different
// sequences have one encoding.
func framed(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// digest covers everything of in that is not a file, and the key of the state it is
// recorded in, without which nobody can guess a secret and compare.
func (in *Inputs) digest(key state.Secret) Digest {
	p := buffers.Get().(*[]byte)
	b := append((*p)[:0], key[:16]...)                // the version is part of what a record is found by
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

// fileSet is sources, or what was generated, with their content.
type fileSet struct {
	files    []glob.File
	contents []glob.Content // nil where content does not count
}

func (s fileSet) append(b []byte, root string) []byte {
	b = binary.AppendUvarint(b, uint64(len(s.files)))
	b = appendFiles(b, root, s.files)
	if s.contents == nil {
		return append(b, 0)
	}
	b = append(b, 1)
	for i := range s.contents {
		b = append(append(b, flag(s.contents[i].Young)), s.contents[i].Digest[:]...)
	}
	return b
}

func (s fileSet) young() bool {
	return slices.ContainsFunc(s.contents, func(c glob.Content) bool { return c.Young })
}

// complete reports whether the content of all files is known.
func (s fileSet) complete() bool {
	unknown := func(c glob.Content) bool { return c.Digest == (glob.Digest{}) }
	return len(s.contents) == len(s.files) && !slices.ContainsFunc(s.contents, unknown)
}

// digest covers the files, and their content where that counts.
func (s fileSet) digest(root string) Digest {
	p := buffers.Get().(*[]byte)
	b := framed((*p)[:0], formatVersion)
	b = binary.AppendUvarint(b, uint64(len(s.files)))
	for i, f := range s.files {
		prefix, name := f.Place(root)
		b = framed(b, prefix) // moving a file, or renaming it, is a change
		b = framed(b, name)
		b = binary.LittleEndian.AppendUint32(b, f.Stat().Type()) // a file that becomes a pipe
		b = append(b, flag(f.Stat().Executable()))               // a script that cannot be run any more
		b = framed(b, f.Target())                                // a link that leads elsewhere
		if s.contents != nil {
			b = append(b, s.contents[i].Digest[:]...)
		}
	}
	d := sha256.Sum256(b)
	*p = b
	buffers.Put(p)
	return d
}

// appendFiles encodes where files are and what their stat is: what has to stay the
// same for them to be the same unread. A directory is written when it changes only.
func appendFiles(b []byte, root string, files []glob.File) []byte {
	prefix, name, last := "", "", "\x00"
	for i, f := range files {
		if i > 0 && f.Beside(files[i-1]) {
			name = f.Name()
		} else {
			prefix, name = f.Place(root)
		}
		var flags byte
		if prefix != last {
			flags |= 1
		}
		link := f.Linked()
		if link {
			flags |= 2
		}
		b = append(b, flags)
		if prefix != last {
			b = framed(b, prefix)
			last = prefix
		}
		b = framed(b, name)
		if link {
			b = framed(b, f.Target())
		}
		st := f.Stat()
		b = binary.LittleEndian.AppendUint64(b, uint64(st.Size))
		b = binary.LittleEndian.AppendUint64(b, uint64(st.Mtime))
		b = binary.LittleEndian.AppendUint64(b, uint64(st.Ctime))
		b = binary.LittleEndian.AppendUint64(b, st.Inode)
		b = binary.LittleEndian.AppendUint32(b, st.Mode)
	}
	return b
}

// statSum is a short digest of appendFiles. It says only whether to look closer; it is
// no part of the fingerprint. It is an XXH3, since SHA-256 takes four times as long,
// and a CRC is too short to tell that nothing has changed.
type statSum [16]byte

func statsOf(root string, files []glob.File) statSum {
	p := buffers.Get().(*[]byte)
	b := appendFiles((*p)[:0], root, files)
	sum := xxh3.Hash128(b).Bytes()
	*p = b
	buffers.Put(p)
	return sum
}

package fingerprint

import (
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"runtime"
	"slices"
	"sync"

	"github.com/weftrun/weft/engine/fingerprint/state"
	"github.com/weftrun/weft/engine/glob"
	"github.com/weftrun/weft/internal/xxh3"
)

// formatVersion is part of every fingerprint: a changed encoding must never
// read as a hit.
const formatVersion = "weft fingerprint 7"

// buffers are for encodings.
var buffers = sync.Pool{New: func() any { b := make([]byte, 0, 4<<10); return &b }}

// framed appends a text with its length before it, so that no two different
// sequences have one encoding.
//
//go:noinline
func framed(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// digest covers all of in except files, and the secret of its state, so that secrets cannot be
// guessed by comparing digests.
func (in *Inputs) digest(key state.Secret) Digest {
	p := buffers.Get().(*[]byte)
	b := append((*p)[:0], key[:16]...)                // the version is part of a record's key
	b = framed(b, runtime.GOOS)                       // tools differ
	b = framed(b, runtime.GOARCH)                     //
	b = framed(b, glob.Relative(in.Root, in.Dir+"/")) // commands may do something else in another directory
	b = append(b, byte(in.Method), flag(in.V3))       // they determine what is recorded of files
	b = binary.AppendUvarint(b, uint64(len(in.Fields)))
	for i := range in.Fields {
		b = framed(b, in.Fields[i].Name) // a value that moves to another variable
		b = framed(b, in.Fields[i].Value)
	}
	b = binary.AppendUvarint(b, uint64(len(in.Generates)))
	for i := range in.Generates { // declared outputs count
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

// fileSet is a set of sources, or of generated files, with their content.
type fileSet struct {
	files    []glob.File
	contents []glob.Content // nil where content does not count
	found    []int32        // indexes of the files that only a depfile names
}

func (s fileSet) append(b []byte, root string) []byte {
	b = binary.AppendUvarint(b, uint64(len(s.files)))
	e := fileEncoder{root: root}
	for _, f := range s.files {
		b = e.append(b, f)
	}
	b = binary.AppendUvarint(b, uint64(len(s.found)))
	for _, i := range s.found {
		b = binary.AppendUvarint(b, uint64(i))
	}
	if s.contents == nil {
		return append(b, 0)
	}
	b = append(b, 1)
	for i := range s.contents {
		b = append(append(b, flag(s.contents[i].Recent)), s.contents[i].Digest[:]...)
	}
	return b
}

func (s fileSet) young() bool {
	return slices.ContainsFunc(s.contents, func(c glob.Content) bool { return c.Recent })
}

// complete reports whether the content of all files is known.
func (s fileSet) complete() bool {
	unknown := func(c glob.Content) bool { return c.Digest == (glob.Digest{}) }
	return len(s.contents) == len(s.files) && !slices.ContainsFunc(s.contents, unknown)
}

// piece is the number of bytes from which an encoding is hashed by pieces: that of a large tree
// takes many times the memory of everything else that is known of a file.
const piece = 4 << 10

// digest covers the files, and their content if that counts.
func (s fileSet) digest(root string) (d Digest) {
	p := buffers.Get().(*[]byte)
	b := framed((*p)[:0], formatVersion)
	b = binary.AppendUvarint(b, uint64(len(s.files)))
	var h hash.Hash // nil until there is a second piece
	for i, f := range s.files {
		if len(b) >= piece {
			if h == nil {
				h = sha256.New()
			}
			h.Write(b)
			b = b[:0]
		}
		prefix, name := f.Place(root)
		b = framed(b, prefix) // moving a file, or renaming it, is a change
		b = framed(b, name)
		b = binary.LittleEndian.AppendUint32(b, f.Stat().Type()) // a file that becomes a pipe
		b = append(b, flag(f.Stat().Executable()))               // a script that cannot be run any more
		b = framed(b, f.Target())                                // the target of a link
		if s.contents != nil {
			b = append(b, s.contents[i].Digest[:]...)
		}
	}
	if h == nil {
		d = sha256.Sum256(b)
	} else {
		h.Write(b)
		h.Sum(d[:0])
	}
	*p = b
	buffers.Put(p)
	return d
}

// fileEncoder encodes the paths and stats of files: while they are the same, the files count as
// unchanged without being read. A directory is written only when it differs from the one before.
type fileEncoder struct {
	root   string
	before glob.File // the one before
	prefix string    // of before
	begun  bool      // there is one
}

// append appends the encoding of f.
func (e *fileEncoder) append(b []byte, f glob.File) []byte {
	var name string
	last := e.prefix
	if e.begun && f.SameDir(e.before) {
		name = f.Name()
	} else {
		e.prefix, name = f.Place(e.root)
	}
	moved := !e.begun || e.prefix != last
	e.before, e.begun = f, true
	var flags byte
	if moved {
		flags |= 1
	}
	link := f.Linked()
	if link {
		flags |= 2
	}
	b = append(b, flags)
	if moved {
		b = framed(b, e.prefix)
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
	return binary.LittleEndian.AppendUint32(b, st.Mode)
}

// statSum is a short digest of the encoded files. It decides only whether to compare further; it is
// not part of the fingerprint. It is an XXH3, since SHA-256 takes four times as long, and a CRC is
// too short to prove equality.
type statSum [16]byte

func statsOf(root string, files []glob.File) (sum statSum) {
	p := buffers.Get().(*[]byte)
	b := (*p)[:0]
	e := fileEncoder{root: root}
	var h *xxh3.Hasher // nil until there is a second piece
	for _, f := range files {
		if len(b) >= piece {
			if h == nil {
				h = new(xxh3.Hasher)
			}
			h.Write(b)
			b = b[:0]
		}
		b = e.append(b, f)
	}
	if h == nil {
		sum = xxh3.Hash128(b).Bytes()
	} else {
		h.Write(b)
		sum = h.Sum128().Bytes()
	}
	*p = b
	buffers.Put(p)
	return sum
}

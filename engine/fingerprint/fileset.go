package fingerprint

import (
	"crypto/sha256"
	"encoding/binary"

	"github.com/weftrun/weft/engine/glob"
	"github.com/weftrun/weft/internal/xxh3"
)

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
	for i := range s.contents {
		if s.contents[i].Young {
			return true
		}
	}
	return false
}

// complete reports whether the content of all files is known.
func (s fileSet) complete() bool {
	for i := range s.contents {
		if s.contents[i].Digest == (glob.Digest{}) {
			return false
		}
	}
	return len(s.contents) == len(s.files)
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

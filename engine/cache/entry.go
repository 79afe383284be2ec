package cache

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
)

// entry is what is recorded of a success.
type entry struct {
	texts   Digest
	digest  Digest
	saved   int64 // nanoseconds
	fields  []Field
	files   []file // the sources
	outputs []file // what generates matched
}

// magic opens every entry; its number changes with the encoding.
const magic = "weft state 2\n"

var errEntry = errors.New("not an entry of this version")

// encode writes e: magic, body, and a digest of both.
func (e *entry) encode() []byte {
	n := len(magic) + 256
	for i := range e.files {
		n += 80 + len(e.files[i].path)
	}
	b := append(make([]byte, 0, n), magic...)
	b = append(b, e.texts[:]...)
	b = append(b, e.digest[:]...)
	b = binary.LittleEndian.AppendUint64(b, uint64(e.saved))
	b = binary.AppendUvarint(b, uint64(len(e.fields)))
	for _, f := range e.fields {
		b = appendText(b, f.Name)
		b = appendText(b, f.Value)
		secret := byte(0)
		if f.Secret {
			secret = 1
		}
		b = append(b, secret)
	}
	b = appendFiles(b, e.files)
	b = appendFiles(b, e.outputs)
	sum := sha256.Sum256(b)
	return append(b, sum[:]...)
}

func appendFiles(b []byte, files []file) []byte {
	b = binary.AppendUvarint(b, uint64(len(files)))
	for i := range files {
		f := &files[i]
		b = appendText(b, f.path)
		b = binary.AppendUvarint(b, uint64(f.size))
		b = binary.LittleEndian.AppendUint64(b, uint64(f.mtime))
		b = binary.LittleEndian.AppendUint64(b, uint64(f.ctime))
		b = binary.AppendUvarint(b, f.ino)
		b = binary.AppendUvarint(b, uint64(f.mode))
		b = append(b, f.digest[:]...)
	}
	return b
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// decode reads what encode wrote; anything else is an error.
func decode(b []byte) (*entry, error) {
	if len(b) < len(magic)+sha256.Size || string(b[:len(magic)]) != magic {
		return nil, errEntry
	}
	body, sum := b[:len(b)-sha256.Size], b[len(b)-sha256.Size:]
	if sha256.Sum256(body) != Digest(sum) {
		return nil, errEntry
	}
	// One string for all texts: they are substrings of it.
	d := reader{b: body[len(magic):], s: string(body[len(magic):])}
	e := &entry{}
	copy(e.texts[:], d.bytes(sha256.Size))
	copy(e.digest[:], d.bytes(sha256.Size))
	e.saved = int64(d.fixed())
	e.fields = make([]Field, d.count(3))
	for i := range e.fields {
		e.fields[i] = Field{Name: d.text(), Value: d.text(), Secret: d.bytes(1)[0] == 1}
	}
	e.files = d.files()
	e.outputs = d.files()
	if d.broken || d.i != len(d.b) {
		return nil, errEntry
	}
	return e, nil
}

// reader takes an entry's body apart. After an error it gives zeros.
type reader struct {
	b      []byte
	s      string
	i      int
	broken bool
}

func (d *reader) bytes(n int) []byte {
	if n < 0 || d.broken || len(d.b)-d.i < n {
		d.broken = true
		return make([]byte, min(max(n, 1), sha256.Size))
	}
	d.i += n
	return d.b[d.i-n : d.i]
}

func (d *reader) fixed() uint64 { return binary.LittleEndian.Uint64(d.bytes(8)) }

func (d *reader) varint() uint64 {
	v, n := binary.Uvarint(d.b[d.i:])
	if n <= 0 {
		d.broken = true
		return 0
	}
	d.i += n
	return v
}

// count reads how many things of at least size bytes follow.
func (d *reader) count(size int) int {
	n := d.varint()
	if n > uint64(len(d.b)-d.i)/uint64(size) {
		d.broken = true
		return 0
	}
	return int(n)
}

func (d *reader) files() []file {
	files := make([]file, d.count(50))
	for i := range files {
		f := &files[i]
		f.path = d.text()
		f.size = int64(d.varint())
		f.mtime, f.ctime = int64(d.fixed()), int64(d.fixed())
		f.ino = d.varint()
		f.mode = uint32(d.varint())
		copy(f.digest[:], d.bytes(sha256.Size))
	}
	return files
}

func (d *reader) text() string {
	n := d.varint()
	if d.broken || n > uint64(len(d.b)-d.i) {
		d.broken = true
		return ""
	}
	d.i += int(n)
	return d.s[d.i-int(n) : d.i]
}

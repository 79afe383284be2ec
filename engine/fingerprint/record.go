package fingerprint

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"

	"github.com/weftrun/weft/engine/fingerprint/state"
	"github.com/weftrun/weft/engine/glob"
)

// head is what is recorded of a success, as far as a run with nothing to do looks at
// it. The body says what its digests are made of, for files whose stat changed, and
// for people.
type head struct {
	texts Digest  // Inputs.digest
	files Digest  // filesDigest
	stats statSum // of the sources
	made  statSum // of the files generated
	at    int64   // when it was checked, nanoseconds: before the commands ran
	young bool    // some stat proves nothing: look closer
}

const headSize = 2*len(Digest{}) + 2*len(statSum{}) + 8 + 1

var errRecord = errors.New("not a record of this version")

func (h *head) encode() []byte {
	b := make([]byte, 0, headSize)
	b = append(b, h.texts[:]...)
	b = append(b, h.files[:]...)
	b = append(b, h.stats[:]...)
	b = append(b, h.made[:]...)
	b = binary.LittleEndian.AppendUint64(b, uint64(h.at))
	return append(b, flag(h.young))
}

// decodeHead reads what encode wrote.
func decodeHead(b []byte) (*head, error) {
	if len(b) != headSize || b[headSize-1] > 1 {
		return nil, errRecord
	}
	h := &head{}
	b = b[copy(h.texts[:], b):]
	b = b[copy(h.files[:], b):]
	b = b[copy(h.stats[:], b):]
	b = b[copy(h.made[:], b):]
	h.at = int64(binary.LittleEndian.Uint64(b))
	h.young = b[8] == 1
	return h, nil
}

// recorded returns the record of k and its head, nil if there is none.
func (by *Checker) recorded(k state.Key) (state.Record, *head) {
	r, ok := by.state.Get(k)
	if !ok {
		return r, nil
	}
	h, err := decodeHead(r.Head)
	if err != nil {
		return r, nil
	}
	return r, h
}

// recordedBody returns the body of a record of k, or nil when it is lost.
func (by *Checker) recordedBody(k state.Key, r state.Record) *body {
	b, err := decodeBody(by.state.Body(k, r))
	if err != nil {
		return nil
	}
	return b
}

// body is what stands behind the digests of a head.
type body struct {
	fields []Field // of a secret its digest with the state's key
	files  []record
	made   []record

	outputs []byte // what the caller wants to have again; nil for none
}

// record is one file as it was.
type record struct {
	prefix, name string // relative to the root
	target       string // of a link
	st           glob.Stat
	hashed       bool // digest is known, unless it is too large
	digest       glob.Digest
	young        bool
}

// side is one kind of files of a check: sources, or what was generated.
type side struct {
	files    []glob.File
	contents []glob.Content // nil where content does not count
}

func (s side) append(b []byte, root string) []byte {
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

func (s side) young() bool {
	for i := range s.contents {
		if s.contents[i].Young {
			return true
		}
	}
	return false
}

// encodeBody is the other way round from decodeBody.
func encodeBody(fields []Field, root string, files, made side, outputs []byte) []byte {
	b := make([]byte, 0, 256+110*(len(files.files)+len(made.files))+len(outputs))
	b = binary.AppendUvarint(b, uint64(len(fields)))
	for _, f := range fields {
		b = framed(b, f.Name)
		b = framed(b, f.Value)
		b = append(b, flag(f.Secret))
	}
	b = files.append(b, root)
	b = made.append(b, root)
	if outputs != nil { // nothing at all stands for none
		b = framed(b, string(outputs))
	}
	return b
}

// decodeBody takes a body apart; anything encodeBody cannot have written is an
// error.
func decodeBody(b []byte) (*body, error) {
	d := reader{b: b, s: string(b)}
	out := &body{fields: make([]Field, d.count(3))}
	for i := range out.fields {
		out.fields[i] = Field{Name: d.text(), Value: d.text(), Secret: d.byte() == 1}
	}
	out.files = d.records()
	out.made = d.records()
	if !d.broken && d.i < len(d.b) {
		out.outputs = []byte(d.text())
	}
	if d.broken || d.i != len(d.b) {
		return nil, errRecord
	}
	return out, nil
}

// reader takes a body apart. After an error it gives zeros. Texts are parts of
// one string.
type reader struct {
	b      []byte
	s      string
	i      int
	broken bool
}

var zeros [sha256.Size]byte

func (d *reader) bytes(n int) []byte {
	if d.broken || len(d.b)-d.i < n {
		d.broken = true
		return zeros[:n]
	}
	d.i += n
	return d.b[d.i-n : d.i]
}

func (d *reader) byte() byte    { return d.bytes(1)[0] }
func (d *reader) fixed() uint64 { return binary.LittleEndian.Uint64(d.bytes(8)) }

func (d *reader) varint() uint64 {
	v, n := binary.Uvarint(d.b[d.i:])
	if n <= 0 || d.broken {
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

func (d *reader) text() string {
	n := d.varint()
	if d.broken || n > uint64(len(d.b)-d.i) {
		d.broken = true
		return ""
	}
	d.i += int(n)
	return d.s[d.i-int(n) : d.i]
}

func (d *reader) records() []record {
	out := make([]record, d.count(38))
	prefix := ""
	for i := range out {
		r := &out[i]
		flags := d.byte()
		if flags&1 != 0 {
			prefix = d.text()
		}
		r.prefix, r.name = prefix, d.text()
		if flags&2 != 0 {
			r.target = d.text()
		}
		r.st.Size, r.st.Mtime, r.st.Ctime = int64(d.fixed()), int64(d.fixed()), int64(d.fixed())
		r.st.Inode = d.fixed()
		r.st.Mode = binary.LittleEndian.Uint32(d.bytes(4))
	}
	if d.byte() == 1 {
		for i := range out {
			out[i].hashed, out[i].young = true, d.byte() == 1
			copy(out[i].digest[:], d.bytes(sha256.Size))
		}
	}
	return out
}

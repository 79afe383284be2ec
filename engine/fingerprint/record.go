package fingerprint

import (
	"crypto/sha256"
	"encoding/binary"

	"github.com/weftrun/weft/engine/fingerprint/state"
	"github.com/weftrun/weft/engine/glob"
)

// head is the part of a success's record that a check of an up-to-date step reads. The body
// contains the parts of its digests, for files whose stat changed, and for explanations.
type head struct {
	texts       Digest // Inputs.digest
	sources     Digest // fileSet.digest
	sourceStats statSum
	madeStats   statSum // of what was generated
	at          int64   // when it was checked, nanoseconds: before the commands ran
	young       bool    // some stat proves nothing: compare further
}

const headSize = 2*len(Digest{}) + 2*len(statSum{}) + 8 + 1

func (h *head) encode() []byte {
	b := make([]byte, 0, headSize)
	b = append(b, h.texts[:]...)
	b = append(b, h.sources[:]...)
	b = append(b, h.sourceStats[:]...)
	b = append(b, h.madeStats[:]...)
	b = binary.LittleEndian.AppendUint64(b, uint64(h.at))
	return append(b, flag(h.young))
}

// decode decodes the output of encode into h. It reports whether b is valid.
func (h *head) decode(b []byte) bool {
	if len(b) != headSize || b[headSize-1] > 1 {
		return false
	}
	b = b[copy(h.texts[:], b):]
	b = b[copy(h.sources[:], b):]
	b = b[copy(h.sourceStats[:], b):]
	b = b[copy(h.madeStats[:], b):]
	h.at = int64(binary.LittleEndian.Uint64(b))
	h.young = b[8] == 1
	return true
}

// recorded returns the record of k and its head, nil if there is none.
func (by *Checker) recorded(k state.Key) (state.Record, *head) {
	r, _ := by.state.Get(k)
	h := new(head)
	if !h.decode(r.Head) {
		return r, nil
	}
	return r, h
}

// body explains the digests of a head.
type body struct {
	fields  []Field // of a secret its digest with the state's key
	sources []recordedFile
	made    []recordedFile

	outputs []byte // as passed to Commit; nil for none
}

// recordedFile is a file in its recorded state.
type recordedFile struct {
	prefix, name string // relative to the root
	target       string // of a link
	st           glob.Stat
	hashed       bool // digest is known, unless it is too large
	digest       glob.Digest
	young        bool
	found        bool // only a depfile named it
}

// encodeBody encodes a body for decodeBody.
func encodeBody(fields []Field, root string, files, made fileSet, outputs []byte) []byte {
	b := make([]byte, 0, 256+110*(len(files.files)+len(made.files))+len(outputs))
	b = binary.AppendUvarint(b, uint64(len(fields)))
	for _, f := range fields {
		b = framed(b, f.Name)
		b = framed(b, f.Value)
		b = append(b, flag(f.Secret))
	}
	b = files.append(b, root)
	b = made.append(b, root)
	if outputs != nil { // nil means no outputs
		b = framed(b, string(outputs))
	}
	return b
}

// decodeBody decodes a body. It returns nil if it is not valid. The body does not refer to b, most of
// which are stats and digests.
func decodeBody(b []byte) *body {
	d := reader{b: b}
	out := &body{fields: make([]Field, d.count(3))}
	for i := range out.fields {
		out.fields[i] = Field{Name: d.text(), Value: d.text(), Secret: d.byte() == 1}
	}
	out.sources = d.recordedFiles()
	out.made = d.recordedFiles()
	if !d.broken && d.i < len(d.b) {
		out.outputs = []byte(d.text())
	}
	if d.broken || d.i != len(d.b) {
		return nil
	}
	return out
}

// reader decodes a body. After an error it returns zeros.
type reader struct {
	b      []byte
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

// count reads the number of following items of at least size bytes.
func (d *reader) count(size int) int {
	n := d.varint()
	if n > uint64(len(d.b)-d.i)/uint64(size) {
		d.broken = true
		return 0
	}
	return int(n)
}

func (d *reader) text() string {
	n := d.count(1)
	d.i += n
	return string(d.b[d.i-n : d.i])
}

func (d *reader) recordedFiles() []recordedFile {
	out := make([]recordedFile, d.count(38))
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
	for range d.count(1) {
		if i := d.varint(); i < uint64(len(out)) {
			out[i].found = true
		} else {
			d.broken = true
		}
	}
	if d.byte() == 1 {
		for i := range out {
			out[i].hashed, out[i].young = true, d.byte() == 1
			copy(out[i].digest[:], d.bytes(sha256.Size))
		}
	}
	return out
}

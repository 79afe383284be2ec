// Package quickzip compresses lines of JSON as gzip, in a third of the time that compress/gzip
// takes at its best speed. Any reader of gzip can read the result.
//
// The time is saved in two places. Matches are searched for by six bytes, at few places only, as in
// Snappy: lines of JSON repeat each other in long pieces. And all blocks have the same Huffman
// code, which is fixed, so that bits are written as soon as a match is found. Text of another kind
// is compressed as well, but less than by its own code.
package quickzip

import (
	"encoding/binary"
	"hash/crc32"
	"io"
	"math/bits"
)

const (
	reach     = 32 << 10 // maximum distance of a match, in bytes
	room      = 96 << 10 // bytes of text in memory: those that can be matched, and more
	outSize   = 64 << 10 // bytes that are written at once, about
	tableBits = 15
	overread  = 8 // bytes that are read at once
)

// Writer compresses what is written to it. It is not safe for concurrent use.
type Writer struct {
	w    io.Writer
	err  error // the first one of w
	code *code

	text  []byte // text for matches, followed by text that is not compressed yet
	done  int    // start of the latter in text
	start uint32 // offset of text in all that was written, modulo 1<<32
	sum   uint32 // CRC-32 of all that was written
	open  bool   // a block has begun

	places [1 << tableBits]uint32 // by a hash of six bytes, where they were last in all that was written

	out  []byte // compressed bytes that are not written yet
	bits pending
}

// NewWriter returns a Writer that writes to w, which the caller owns. It writes large blocks, and
// the rest when Flush or Close is called.
func NewWriter(w io.Writer) *Writer {
	z := &Writer{w: w, code: newCode(), text: make([]byte, 0, room)}
	z.out = append(make([]byte, 0, 2*outSize), 0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 4, 255) // RFC 1952: deflate, no name, no time, fast
	return z
}

// Write compresses p. It implements [io.Writer]. After an error nothing more is written.
func (z *Writer) Write(p []byte) (int, error) {
	n := len(p)
	z.sum = crc32.Update(z.sum, crc32.IEEETable, p)
	for len(p) > 0 {
		if len(z.text) == room {
			z.compress()
			z.slide()
		}
		part := p[:min(len(p), room-len(z.text))]
		z.text = append(z.text, part...)
		p = p[len(part):]
	}
	return n, z.err
}

// Flush writes all buffered data, so that a reader gets everything that was written so far.
func (z *Writer) Flush() error {
	z.endBlock()
	z.put(symbol{0, 3}) // a stored block, empty
	z.align()
	z.out = append(z.out, 0, 0, 0xff, 0xff)
	return z.write()
}

// Close writes all buffered data, and the end of the file. It does not close the underlying writer.
// No method may be called after it.
func (z *Writer) Close() error {
	z.endBlock()
	z.put(symbol{1 | 1<<1, 10}) // the last block, with the code of RFC 1951 and nothing but its end
	z.align()
	z.out = binary.LittleEndian.AppendUint32(z.out, z.sum)
	z.out = binary.LittleEndian.AppendUint32(z.out, z.start+uint32(len(z.text)))
	return z.write()
}

// endBlock compresses the remaining text, and ends its block.
func (z *Writer) endBlock() {
	z.compress()
	if z.done < len(z.text) {
		z.begin()
		for _, c := range z.text[z.done:] {
			z.put(z.code.literals[c])
		}
		z.done = len(z.text)
	}
	if z.open {
		z.put(z.code.end)
		z.open = false
	}
}

// begin begins a block, unless one has begun.
func (z *Writer) begin() {
	if z.open {
		return
	}
	z.open = true
	z.put(symbol{0 | 2<<1, 3}) // not the last one, with its own code
	z.code.describe(z.put)
}

// slide makes room for more text.
func (z *Writer) slide() {
	drop := max(0, z.done-reach)
	z.text = z.text[:copy(z.text, z.text[drop:])]
	z.done -= drop
	z.start += uint32(drop)
}

// compress compresses the text but its last bytes.
func (z *Writer) compress() {
	text, i, end := z.text, z.done, len(z.text)-overread
	if i >= end {
		return
	}
	z.begin()
	out, to := z.out, z.bits // which stay in registers so
	for i < end {
		next := binary.LittleEndian.Uint64(text[i:])
		place := &z.places[hash(next)]
		back := z.start + uint32(i) - *place
		*place += back
		from := i - int(back)
		if back-1 >= reach || from < 0 || uint32(next) != binary.LittleEndian.Uint32(text[from:]) {
			out = to.put(out, z.code.literals[byte(next)])
			i++
			continue
		}
		n := 4
		for i+n < end {
			differ := binary.LittleEndian.Uint64(text[i+n:]) ^ binary.LittleEndian.Uint64(text[from+n:])
			if differ != 0 {
				n += bits.TrailingZeros64(differ) / 8
				break
			}
			n += 8
		}
		if i += n; i < end {
			// Matches begin inside others: before a number that differs, for one.
			z.places[hash(binary.LittleEndian.Uint64(text[i-1:]))] = z.start + uint32(i-1)
		}
		distance := z.code.distance(back)
		for ; n > longest; n -= longest - shortest { // no part is shorter than a match can be
			out = to.put(out, z.code.lengths[longest-2*shortest])
			out = to.put(out, distance)
		}
		out = to.put(out, z.code.lengths[n-shortest])
		out = to.put(out, distance)
	}
	z.out, z.bits = out, to
	z.done = i
	if len(z.out) >= outSize {
		z.write()
	}
}

// hash returns where the place of the first six bytes of text is.
func hash(text uint64) uint64 { return text << 16 * 0x9e3779b185ebca87 >> (64 - tableBits) }

// pending are the bits of an incomplete byte.
type pending struct {
	bits uint64 // the first one lowest
	n    uint   // their number, less than 32
}

// put appends s to the bits, and the bytes that are whole to out.
func (p *pending) put(out []byte, s symbol) []byte {
	p.bits |= uint64(s.bits) << p.n
	if p.n += uint(s.n); p.n >= 32 {
		out = binary.LittleEndian.AppendUint32(out, uint32(p.bits))
		p.bits >>= 32
		p.n -= 32
	}
	return out
}

func (z *Writer) put(s symbol) { z.out = z.bits.put(z.out, s) }

// align fills up a byte.
func (z *Writer) align() {
	for p := &z.bits; p.n > 0; p.n -= min(8, p.n) {
		z.out = append(z.out, byte(p.bits))
		p.bits >>= 8
	}
}

// write writes the compressed bytes.
func (z *Writer) write() error {
	if z.err == nil {
		_, z.err = z.w.Write(z.out)
	}
	z.out = z.out[:0]
	return z.err
}

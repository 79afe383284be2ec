package report

import (
	"io"
	"math"

	"github.com/weftrun/weft/internal/spool"
)

// heldInMemory is how many bytes of a held output are kept in memory.
const heldInMemory = 1 << 20

// copyBlock is the piece in which a held output is copied out of a file.
const copyBlock = 128 << 10

// held is the output of one command until it may be shown. The zero value is empty.
type held struct {
	bytes spool.Buffer
	size  int64
}

// write appends p. When no file can be had it stays in memory: slow beats lost.
func (h *held) write(p []byte) {
	if h.size == 0 {
		h.bytes.InMemory = heldInMemory
	}
	if _, err := h.bytes.WriteAt(p, h.size); err != nil {
		h.keepInMemory()
		h.bytes.WriteAt(p, h.size)
	}
	h.size += int64(len(p))
}

// keepInMemory moves everything back to memory: the disk is full.
func (h *held) keepInMemory() {
	all := make([]byte, h.size)
	if _, err := h.bytes.ReadAt(all, 0); err != nil {
		all = append(all[:0], "[output lost: "+err.Error()+"]\n"...)
	}
	h.bytes.Reset()
	h.bytes.InMemory = math.MaxInt64
	h.bytes.WriteAt(all, 0)
	h.size = int64(len(all))
}

// writeTo shows everything and empties h. Its memory is kept for the next.
func (h *held) writeTo(w *Out) {
	w.Write(h.bytes.Memory())
	if h.bytes.File() != nil {
		h.copyFile(w)
	}
	h.reset()
}

func (h *held) copyFile(w *Out) {
	off := w.splice(h.bytes.File(), 0, h.size)
	if off == h.size {
		return
	}
	rest := io.NewSectionReader(&h.bytes, off, h.size-off)
	if _, err := io.CopyBuffer(w, rest, make([]byte, copyBlock)); err != nil {
		w.Show("[output lost: " + err.Error() + "]\n") // nothing if w has ended
	}
}

// reset empties h.
func (h *held) reset() {
	h.bytes.Reset()
	h.size = 0
}

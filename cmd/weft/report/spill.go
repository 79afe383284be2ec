package report

import (
	"io"
	"os"

	"github.com/weftrun/weft/internal/unnamed"
)

// spillAt is how many bytes a spill keeps in memory.
const spillAt = 1 << 20

// copyBlock is the piece in which a spilled output is copied out.
const copyBlock = 128 << 10

// spill holds the output of one command until it may be shown: in memory up to
// spillAt, then in a file without a name, which ends with the process. The zero
// spill is empty.
type spill struct {
	mem  []byte
	file *os.File
	size int64
}

// write appends p. When no file can be had it stays in memory: slow beats lost.
func (s *spill) write(p []byte) {
	s.size += int64(len(p))
	if s.file == nil {
		if len(s.mem)+len(p) <= spillAt || !s.open() {
			s.mem = append(s.mem, p...)
			return
		}
	}
	if n, err := s.file.Write(p); err != nil {
		s.recall(int64(n), p)
	}
}

// open moves what is in memory to a file.
func (s *spill) open() bool {
	f, err := unnamed.File()
	if err != nil {
		return false
	}
	if _, err := f.Write(s.mem); err != nil {
		f.Close()
		return false
	}
	s.file, s.mem = f, s.mem[:0]
	return true
}

// recall brings everything back to memory after the file took only n bytes of p:
// the disk is full.
func (s *spill) recall(n int64, p []byte) {
	all := make([]byte, s.size-int64(len(p)), s.size)
	_, err := io.ReadFull(io.NewSectionReader(s.file, 0, int64(len(all))), all)
	if err != nil {
		all = append(all[:0], "[output lost: "+err.Error()+"]\n"...)
	}
	s.file.Close()
	s.file, s.mem = nil, append(all, p...)
}

// writeTo shows everything and empties s. Its memory is kept for the next.
func (s *spill) writeTo(w *Out) {
	w.Write(s.mem)
	if s.file != nil {
		s.copyFile(w)
	}
	s.reset()
}

func (s *spill) copyFile(w *Out) {
	off := w.splice(s.file, 0, s.size)
	if off == s.size {
		return
	}
	buf := make([]byte, copyBlock)
	for off < s.size && w.Err() == nil {
		n, err := s.file.ReadAt(buf[:min(int64(len(buf)), s.size-off)], off)
		w.Write(buf[:n])
		off += int64(n)
		if err != nil && n == 0 {
			w.Show("[output lost: " + err.Error() + "]\n")
			return
		}
	}
}

// reset empties s.
func (s *spill) reset() {
	if s.file != nil {
		s.file.Close()
	}
	*s = spill{mem: s.mem[:0]}
}

package pipe

import (
	"bytes"
	"io"
	"slices"
	"sync"

	"github.com/weftrun/weft/internal/spool"
)

// maxPartial is the largest part of an incomplete line that is held back, in bytes.
const maxPartial = 1 << 20

// Lines copies several readers to w, in whole lines and in order of arrival. A line of more
// than 1 MiB may be cut. It returns when all readers have ended, or when writing fails: then
// it calls closed, which must end the readers.
func Lines(w io.Writer, closed func(), rs ...io.Reader) error {
	var mu sync.Mutex // guards w and fault
	var fault error
	write := func(p []byte) bool {
		mu.Lock()
		defer mu.Unlock()
		if fault != nil {
			return false
		}
		if _, err := w.Write(p); err != nil {
			fault = err
			closed()
			return false
		}
		return true
	}
	var wg sync.WaitGroup
	for _, r := range rs {
		wg.Go(func() { copyLines(r, write) })
	}
	wg.Wait()
	if closedEarly(fault) {
		return nil
	}
	return fault
}

func copyLines(r io.Reader, write func([]byte) bool) {
	buf := make([]byte, 0, 64<<10)
	for {
		if len(buf) == cap(buf) {
			if cap(buf) >= maxPartial {
				if !write(buf) {
					return
				}
				buf = buf[:0]
			} else {
				buf = append(make([]byte, 0, 2*cap(buf)), buf...)
			}
		}
		n, err := r.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if end := bytes.LastIndexByte(buf, '\n') + 1; end > 0 {
			if !write(buf[:end]) {
				return
			}
			buf = buf[:copy(buf, buf[end:])]
		}
		if err != nil {
			if len(buf) > 0 { // the last line has no end
				write(append(buf, '\n'))
			}
			return
		}
	}
}

// Concat copies several readers to w, one after the other. Meanwhile it reads the later ones
// into queues, so that no program waits for another. Like Lines, it calls closed when
// writing fails.
func Concat(w io.Writer, closed func(), rs ...io.Reader) error {
	turns := slices.Clone(rs)
	var wg sync.WaitGroup
	defer wg.Wait()
	for i, r := range rs[1:] {
		q := &queue{bytes: spool.Buffer{InMemory: inMemory}}
		q.more.L = &q.mu
		defer q.Close()
		turns[i+1] = q
		wg.Go(func() { q.fill(r) })
	}
	for _, r := range turns {
		if _, err := io.Copy(w, r); err != nil {
			closed()
			if closedEarly(err) {
				return nil
			}
			return err
		}
	}
	return nil
}

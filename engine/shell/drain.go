package shell

import (
	"io"
	"os"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// linger is how long an empty pipe is still read after its program has ended,
// when something the program left behind holds it open.
const linger = 250 * time.Millisecond

// drain copies what is written into w to a writer, to the end.
type drain struct {
	r, w  *os.File
	over  atomic.Bool
	ended chan struct{}
}

func newDrain(to io.Writer) (*drain, error) {
	r, w, err := pipe()
	if err != nil {
		return nil, err
	}
	d := &drain{r: r, w: w, ended: make(chan struct{})}
	go d.copy(to)
	return d, nil
}

// pipe returns a pipe whose reading end can be waited for with a deadline; the
// writing end is for programs and blocks.
func pipe() (r, w *os.File, err error) {
	var p [2]int
	if err := unix.Pipe2(p[:], unix.O_CLOEXEC); err != nil {
		return nil, nil, os.NewSyscallError("pipe2", err)
	}
	if err := unix.SetNonblock(p[0], true); err != nil {
		unix.Close(p[0])
		unix.Close(p[1])
		return nil, nil, os.NewSyscallError("fcntl", err)
	}
	return os.NewFile(uintptr(p[0]), "|0"), os.NewFile(uintptr(p[1]), "|1"), nil
}

func (d *drain) copy(to io.Writer) {
	defer close(d.ended)
	defer d.r.Close()
	buf := make([]byte, 32<<10)
	for {
		if d.over.Load() {
			d.r.SetReadDeadline(time.Now().Add(linger))
		}
		n, err := d.r.Read(buf)
		if n > 0 {
			if _, err := to.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// finish closes the writing end and returns when everything was copied.
func (d *drain) finish() {
	d.w.Close()
	d.over.Store(true)
	d.r.SetReadDeadline(time.Now().Add(linger))
	<-d.ended
}

// feed makes a reader readable by a program. Closing both ends stops it.
func feed(from io.Reader) (in, out *os.File, err error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, nil, err
	}
	go func() {
		io.Copy(w, from)
		w.Close()
	}()
	return r, w, nil
}

package shell

import (
	"io"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/weftrun/weft/engine/proc"
)

// linger is how long an empty pipe is still read after its program has ended,
// when something the program left behind holds it open.
const linger = 250 * time.Millisecond

// drain copies what programs write into w, to the end.
type drain struct {
	r, w  *os.File
	over  atomic.Bool
	ended chan struct{}
}

func newDrain(to io.Writer) (*drain, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	d := &drain{r: r, w: w, ended: make(chan struct{})}
	go d.copy(to)
	return d, nil
}

func (d *drain) copy(to io.Writer) {
	defer close(d.ended)
	defer d.r.Close()
	size := 4 << 10 // most output is short
	buf := make([]byte, size)
	for {
		if d.over.Load() {
			// What is in the pipe is read however long it takes; only
			// waiting for more has an end.
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
		if n == size && size < 256<<10 {
			size *= 4
			buf = make([]byte, size)
		}
	}
}

// finish closes the writing end and returns when everything was copied.
func (d *drain) finish() {
	d.w.Close()
	select {
	case <-d.ended:
		return
	default:
	}
	d.over.Store(true)
	d.r.SetReadDeadline(time.Now().Add(linger))
	<-d.ended
}

const (
	pipeSize    = 1 << 20 // of a pipe between two programs
	maxEnlarged = 16      // a user may have few; above, new pipes become tiny
)

// enlarge makes the pipe that f is an end of larger, and reports whether it
// counts as one of the large ones now.
func (s *Shell) enlarge(f *os.File) bool {
	if s.enlarged.Add(1) > maxEnlarged {
		s.enlarged.Add(-1)
		return false
	}
	if err := proc.EnlargePipe(f, pipeSize); err != nil {
		s.enlarged.Add(-1)
		return false
	}
	return true
}

// openUnused opens, for a moment, the pipes of process substitutions among the
// arguments of a program that did not open them: the other side waits for that
// in open(2), where nothing else could end it. It may not have got there yet, so
// it is given a second.
func openUnused(args []string) {
	for _, a := range args {
		if !strings.Contains(a, "/sh-interp-") {
			continue
		}
		if _, err := os.Lstat(a); err != nil {
			continue // opened, used and removed: the rule
		}
		go func() {
			for wait := time.Millisecond; wait < time.Second; wait *= 2 {
				f, err := os.OpenFile(a, os.O_RDWR|nonblock, 0)
				if err != nil {
					return
				}
				f.Close()
				time.Sleep(wait)
			}
		}()
	}
}

package shell

import (
	"io"
	"os"
	"strings"
	"time"

	"github.com/weftrun/weft/engine/pipe"
)

// drain copies the output of programs to a writer, to its end.
type drain struct {
	*pipe.Source
	copied chan struct{}
}

func (s *Shell) newDrain(to io.Writer) (*drain, error) {
	source, err := pipe.NewSource(s.o.Clock)
	if err != nil {
		return nil, err
	}
	d := &drain{Source: source, copied: make(chan struct{})}
	go d.copy(to)
	return d, nil
}

func (d *drain) copy(to io.Writer) {
	defer close(d.copied)
	defer d.Close()
	size := 4 << 10 // most output is short
	buf := make([]byte, size)
	for {
		n, err := d.Read(buf)
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

// finish closes the writing end, and returns when everything was copied.
func (d *drain) finish() {
	d.Finish()
	<-d.copied
}

// openUnused opens the pipes of process substitutions among the arguments of a program that
// has not opened them, for a moment: the other side waits for that in open(2), where nothing
// else can end it. It may not have reached that yet, so openUnused repeats it for a second.
func openUnused(args []string) {
	for _, a := range args {
		if !strings.Contains(a, "/sh-interp-") {
			continue
		}
		if _, err := os.Lstat(a); err != nil {
			continue // opened, used and removed, as usual
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

package executor

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"unicode/utf8"

	"github.com/weftrun/weft/engine/pipe"
	"github.com/weftrun/weft/engine/plan"
	"github.com/weftrun/weft/schema/diag"
)

// exchange is what the steps of a run hand to one another: what they have put out, and the
// ends of their streams. The zero value is empty. It is safe for concurrent use.
type exchange struct {
	dry     bool
	outputs sync.Map // of steps that have ended: *plan.Step to *Output
	ends    sync.Map // of steps that are called and have not begun: *plan.Step to Ends
	watched watched
	gangs   gangs
}

// endsOf takes what s is connected to out of the exchange.
func (x *exchange) endsOf(s *plan.Step) (e Ends) {
	if found, ok := x.ends.LoadAndDelete(s); ok {
		e = found.(Ends)
	}
	if e.Activity == nil {
		e.Activity = x.watched.of(s)
	}
	return e
}

// watched are the calls whose callers look whether anything is written. The zero value is
// none.
type watched struct {
	some  atomic.Int32 // how many there are
	mu    sync.Mutex   // guards calls
	calls map[place]*watch
}

// place is where a task is called.
type place struct {
	from *plan.Step
	pos  diag.Pos
}

// watch is where to write what the tasks write that are called at a place.
type watch struct {
	to    io.Writer
	calls int // how many, at the same time
}

// add has to get what is written for a call at p, until the function it returns is called.
func (w *watched) add(p place, to io.Writer) (remove func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.calls == nil {
		w.calls = map[place]*watch{}
	}
	if w.calls[p] == nil {
		w.calls[p] = &watch{to: to}
	}
	w.calls[p].calls++
	w.some.Add(1)
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.some.Add(-1)
		if w.calls[p].calls--; w.calls[p].calls == 0 {
			delete(w.calls, p)
		}
	}
}

// of returns where to write what s writes, as far as the calls that it is run for are
// watched, or nil.
func (w *watched) of(s *plan.Step) io.Writer {
	if w.some.Load() == 0 {
		return nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for ; s != nil; s = s.From {
		if found := w.calls[place{s.From, s.Pos}]; found != nil {
			return found.to
		}
	}
	return nil
}

// output is what s has put out, or nil while that is not known.
func (x *exchange) output(s *plan.Step) *Output {
	if s == nil {
		return nil
	}
	o, _ := x.outputs.Load(s)
	found, _ := o.(*Output)
	return found
}

// unknown returns one of needs whose outputs are not known, because nothing runs: of several
// the first by label; or nil.
func (x *exchange) unknown(needs func(func(*plan.Step))) (unknown *plan.Step) {
	needs(func(n *plan.Step) {
		if x.output(n) == nil && (unknown == nil || n.Label < unknown.Label) {
			unknown = n
		}
	})
	return unknown
}

// unknownNeed returns a need whose outputs texts of s name, or its commands read, and that
// are not known; or nil.
func (x *exchange) unknownNeed(s *plan.Step) *plan.Step {
	return cmp.Or(x.unknown(s.EachRead), x.unknown(func(f func(*plan.Step)) {
		s.EachInput(func(n *plan.Step) {
			if n.Skip == plan.NotSkipped { // else it puts out nothing
				f(n)
			}
		})
	}))
}

// outputOf is the output name of s, or with name "" what s wrote, as text. In a dry run it
// is a placeholder.
func (x *exchange) outputOf(s *plan.Step, name string) (any, error) {
	o := x.output(s)
	switch {
	case o == nil && x.dry && name != "":
		return fmt.Sprintf("<output %s of %s>", name, s.Label), nil
	case o == nil && x.dry:
		return fmt.Sprintf("<output of %s>", s.Label), nil
	case o == nil:
		return nil, fmt.Errorf("task %q was skipped, so it has put out nothing", s.Label)
	case name == "":
		return captured(o.Stdout, s.Label)
	}
	v, ok := o.Values[name]
	if !ok {
		return nil, fmt.Errorf("task %q has put out no %q", s.Label, name)
	}
	return v, nil
}

// file opens what s has written to stdout, at its start.
func (x *exchange) file(s *plan.Step) (*os.File, error) {
	o := x.output(s)
	if o == nil || o.Stdout == nil {
		return pipe.FileOf(nil)
	}
	return o.Stdout.Open()
}

// digest is a digest of what s has written to stdout.
func (x *exchange) digest(s *plan.Step) (string, error) {
	f, err := x.file(s)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	_, err = io.Copy(h, f)
	return string(h.Sum(nil)), err
}

// captured is what task wrote into c, as text.
func captured(c *pipe.Capture, task string) (string, error) {
	if c == nil {
		return "", nil
	}
	b, err := c.Bytes()
	if err != nil {
		return "", err
	}
	return asText(b, task)
}

// asText is b, the output called name, without its last end of line.
func asText(b []byte, name string) (string, error) {
	if !utf8.Valid(b) || bytes.IndexByte(b, 0) >= 0 {
		return "", fmt.Errorf("the output of %q is binary; write it to a file (stdout: {file: …}), or read it with stdin: {output: %s}", name, name)
	}
	return strings.TrimSuffix(strings.TrimSuffix(string(b), "\n"), "\r"), nil
}

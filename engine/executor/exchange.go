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
	"github.com/weftrun/weft/engine/socket"
	"github.com/weftrun/weft/schema/diag"
)

// exchange holds what the steps of a run pass to one another: outputs, and streams. The
// zero value is empty. It is safe for concurrent use.
type exchange struct {
	dry     bool
	outputs sync.Map // of ended steps: *plan.Step to *Output
	ends    sync.Map // of called steps that have not begun: *plan.Step to Streams
	ports   sync.Map // of steps with ports: *plan.Step to *socket.Lease
	watched watched
	gangs   gangs
	inboxes inboxes
}

// endsOf removes the connections of s from the exchange and returns them.
func (x *exchange) endsOf(s *plan.Step) (e Streams) {
	if found, ok := x.ends.LoadAndDelete(s); ok {
		e = found.(Streams)
	}
	if e.Activity == nil {
		e.Activity = x.watched.of(s)
	}
	return e
}

// watched are the calls whose callers monitor output. The zero value is empty.
type watched struct {
	some  atomic.Int32 // number of calls
	mu    sync.Mutex   // guards calls
	calls map[place]*watch
}

// place identifies a called task.
type place struct {
	from *plan.Step
	pos  diag.Pos
}

// watch is the writer for the output of the tasks called at a place.
type watch struct {
	to    io.Writer
	calls int // number of concurrent calls
}

// add makes to receive all output for calls at p, until the returned function is called.
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

// of returns the writer for the output of s, if one of the calls for which it runs is watched;
// otherwise nil.
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

// output returns the output of s, or nil while it is unknown.
func (x *exchange) output(s *plan.Step) *Output {
	if s == nil {
		return nil
	}
	o, _ := x.outputs.Load(s)
	found, _ := o.(*Output)
	return found
}

// unknown returns a need whose outputs are unknown because nothing runs, the first by label; or
// nil.
func (x *exchange) unknown(needs func(func(*plan.Step))) (unknown *plan.Step) {
	needs(func(n *plan.Step) {
		if x.output(n) == nil && (unknown == nil || n.Label < unknown.Label) {
			unknown = n
		}
	})
	return unknown
}

// unknownNeed returns a need whose outputs are used by texts or commands of s and are unknown; or
// nil.
func (x *exchange) unknownNeed(s *plan.Step) *plan.Step {
	return cmp.Or(x.unknown(s.EachRead), x.unknown(func(f func(*plan.Step)) {
		s.EachInput(func(n *plan.Step) {
			if n.Skip == plan.NotSkipped { // otherwise it has no outputs
				f(n)
			}
		})
	}))
}

// outputOf returns the output name of s, or its stdout as text if name is "". In a dry run it is a
// placeholder.
func (x *exchange) outputOf(s *plan.Step, name string) (any, error) {
	o := x.output(s)
	switch {
	case o == nil && x.dry && name != "":
		return fmt.Sprintf("<output %s of %s>", name, s.Label), nil
	case o == nil && x.dry:
		return fmt.Sprintf("<output of %s>", s.Label), nil
	case o == nil:
		return nil, fmt.Errorf("task %q was skipped, so it has no output", s.Label)
	case name == "":
		return captured(o.Stdout, s.Label)
	}
	v, ok := o.Values[name]
	if !ok {
		return nil, fmt.Errorf("task %q has no output %q", s.Label, name)
	}
	return v, nil
}

// portOf returns a port of s: the preferred number if none has been assigned. In a dry run a port
// without preference is a placeholder.
func (x *exchange) portOf(s *plan.Step, name string) (any, error) {
	if lease, ok := x.ports.Load(s); ok {
		return lease.(*socket.Lease).Number(name), nil
	}
	if s.Skip != plan.NotSkipped {
		return nil, fmt.Errorf("task %q was skipped, so it has no port", s.Label)
	}
	for _, p := range s.Ports() {
		switch {
		case p.Name != name:
		case p.Requested == 0:
			return plan.PortPlaceholder(s, name), nil
		default:
			return p.Requested, nil
		}
	}
	return nil, fmt.Errorf("task %q has no port %q", s.Label, name)
}

// file opens the captured stdout of s, at its start.
func (x *exchange) file(s *plan.Step) (*os.File, error) {
	o := x.output(s)
	if o == nil || o.Stdout == nil {
		return pipe.FileOf(nil)
	}
	return o.Stdout.Open()
}

// digest returns a digest of the captured stdout of s.
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

// captured returns the contents of c as text.
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

// asText returns b, the output called name, without its last line end.
func asText(b []byte, name string) (string, error) {
	if !utf8.Valid(b) || bytes.IndexByte(b, 0) >= 0 {
		return "", fmt.Errorf("the output of %q is binary; write it to a file (stdout: {file: …}), or read it with stdin: {output: %s}", name, name)
	}
	return strings.TrimSuffix(strings.TrimSuffix(string(b), "\n"), "\r"), nil
}

package executor

import (
	"errors"
	"fmt"
	"os"
	"sync"

	"github.com/weftrun/weft/engine/cache"
	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/internal/limit"
	"github.com/weftrun/weft/internal/spool"
)

// maxMarks is the maximum number of marks of a log.
const maxMarks = 1 << 20

// logInMemory is the number of bytes of a log kept in memory.
const logInMemory = 256 << 10

// recording is the Env of a step whose log is kept: it records the output of commands as it is
// reported, which is after masking.
type recording struct {
	Env
	separate bool // the two streams of a command are shown at different places

	// mu guards the fields below. It is held while an event is passed on, so that the log has the
	// order of the events.
	mu     sync.Mutex
	bytes  spool.Buffer
	size   int64 // of bytes
	marks  []cache.Mark
	stream event.Stream // of the last bytes; 0: a command has begun since
	ended  bool         // recording has ended
	err    error        // why the log is incomplete
}

func newRecording(env Env, apart bool) *recording {
	return &recording{Env: env, separate: apart, bytes: spool.Buffer{InMemory: logInMemory}}
}

// Emit implements Env.
func (r *recording) Emit(ev event.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch ev := ev.(type) {
	case *event.CommandStarted:
		r.mark(cache.Mark{Offset: r.size, Command: int32(ev.Command) + 1})
		r.stream = 0
	case *event.Output:
		r.write(ev.Stream, ev.Data)
	}
	r.Env.Emit(ev)
}

// mark records a mark at the end of the log; r.mu is held.
func (r *recording) mark(m cache.Mark) {
	switch {
	case r.ended || r.err != nil:
	case len(r.marks) == maxMarks:
		r.err = errors.New("its output alternates too often between its two streams")
	default:
		r.marks = append(r.marks, m)
	}
}

// write records output of a command; r.mu is held.
func (r *recording) write(stream event.Stream, p []byte) {
	if r.ended || r.err != nil || len(p) == 0 {
		return
	}
	if r.size+int64(len(p)) > limit.Log {
		r.err = limit.Bytes("its output", limit.Log)
		return
	}
	if r.separate && stream == event.Merged {
		stream = event.Stdout // the command has merged them itself
	}
	if stream != r.stream {
		r.mark(cache.Mark{Offset: r.size, Stream: uint8(stream)})
		r.stream = stream
	}
	if _, err := r.bytes.WriteAt(p, r.size); err != nil {
		r.err = fmt.Errorf("its output cannot be stored: %w", err)
		return
	}
	r.size += int64(len(p))
}

// end ends the recording: output of leftover processes is not recorded any more. It returns the
// log, which close closes, or why there is none.
func (r *recording) end() (log *os.File, marks []cache.Mark, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ended = true
	if r.err == nil && r.size > 0 && r.bytes.File() == nil {
		r.err = r.bytes.ToFile()
	}
	return r.bytes.File(), r.marks, r.err
}

// close releases the resources of the recording.
func (r *recording) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ended = true
	r.bytes.Reset()
}

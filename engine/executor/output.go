package executor

import (
	"os"
	"sync/atomic"
	"time"

	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/engine/proc"
	"github.com/weftrun/weft/engine/sched"
)

const (
	chunk = 256 << 10 // bytes read at once
	// pipeSize is what the pipes of the first maxLarge relays are enlarged to:
	// more bytes a switch. An unprivileged user may have only so many of them.
	pipeSize = 1 << 20
	maxLarge = 8
	// linger is how long an empty pipe is still read after its command has
	// ended, when something the command left behind holds it open.
	linger = 250 * time.Millisecond
	// maxChunks bounds the memory of output that was read but not reported.
	maxChunks = 24
)

// buffers is a bounded pool: who wants one while all are out waits, so a slow
// terminal slows the commands that write, and nothing else.
type buffers struct {
	free  chan []byte
	spare chan struct{} // permits to allocate
	large atomic.Int32  // relays with an enlarged pipe
}

func newBuffers() *buffers {
	b := &buffers{free: make(chan []byte, maxChunks), spare: make(chan struct{}, maxChunks)}
	for range maxChunks {
		b.spare <- struct{}{}
	}
	return b
}

func (b *buffers) get() []byte {
	select {
	case p := <-b.free:
		return p
	default:
	}
	select {
	case p := <-b.free:
		return p
	case <-b.spare:
		return make([]byte, chunk)
	}
}

// relay reads what one command writes and emits it. Both streams share one
// pipe, so their order is exact.
type relay struct {
	r, w  *os.File
	over  atomic.Bool // the command has ended
	ended chan struct{}
}

// openRelay starts a relay; its w is for the command's stdout and stderr.
func (x *Executor) openRelay(env *sched.Env, command int) (*relay, error) {
	// Only our end stays non-blocking: the commands get the other one.
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	if x.buffers.large.Add(1) <= maxLarge {
		proc.EnlargePipe(w, pipeSize) // an optimisation: it may be refused
	}
	y := &relay{r: r, w: w, ended: make(chan struct{})}
	go y.read(x.buffers, env, command)
	return y, nil
}

// read emits everything until the pipe's end, or until the command has ended
// and the pipe has been empty for linger.
func (y *relay) read(pool *buffers, env *sched.Env, command int) {
	defer close(y.ended)
	defer pool.large.Add(-1)
	defer y.r.Close()
	for {
		buf := pool.get()
		if y.over.Load() {
			y.r.SetReadDeadline(time.Now().Add(linger))
		}
		n, err := y.r.Read(buf)
		if n == 0 {
			pool.free <- buf
		} else {
			env.Emit(&event.Output{Time: time.Now(), Step: env.ID, Command: command, Stream: event.Merged,
				Data: buf[:n], Release: func() { pool.free <- buf }})
		}
		if err != nil {
			return
		}
	}
}

// finish returns when everything the command wrote has been emitted.
func (y *relay) finish() {
	y.w.Close()
	y.over.Store(true)
	y.r.SetReadDeadline(time.Now().Add(linger))
	<-y.ended
}

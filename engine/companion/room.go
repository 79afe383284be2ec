package companion

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"
)

// Message is a message of a room: a line of JSON on its standard output.
type Message struct {
	Warn string `json:"warn,omitempty"` // the user is to know it
	URL  string `json:"url,omitempty"`  // address of the room's page
	Do   string `json:"do,omitempty"`   // what the user asks for there: "start", "restart", "stop", "send"
	ID   int    `json:"id,omitempty"`   // of what is asked for, which an [Answer] names
	Task string `json:"task,omitempty"` // what to start, or the number of the step; "": the run
	Text string `json:"text,omitempty"` // what to send
}

// Answer is what a room is told, as a line of JSON, about what the user has asked for there.
type Answer struct {
	ID    int    `json:"answer"`
	Error string `json:"error,omitempty"` // why it was not done; "": it was
}

// AnswerPrefix begins the line of each [Answer], and of nothing else.
const AnswerPrefix = `{"answer":`

// maxQueued is how much a room may be behind with what it is told, in bytes. One that reads is
// never that far behind, so one that is, is given up.
const maxQueued = 32 << 20

// ErrLate is the error of a Room that did not end in time, and was killed.
var ErrLate = errors.New("it did not end in time")

var errBehind = errors.New("it does not read its input fast enough")

// Room is one room of the second program, running as a process of its own: it reads what happens
// from its standard input. Nothing waits for it before Close. It is safe for
// concurrent use.
type Room struct {
	name  string
	o     Options
	said  func(Message)
	ended chan struct{} // closed when the room has ended, or could not be started

	mu      sync.Mutex // guards the fields below
	more    sync.Cond  // queue has grown, or closed or err is set
	queue   [][]byte
	queued  int // bytes
	closed  bool
	err     error     // why it is told nothing more
	process *instance // nil before it is started
}

// Open starts a room with arguments, in the background. said is called with each of its
// messages, on a goroutine of the Room, and not after Close has returned.
func Open(o Options, name string, args []string, said func(Message)) *Room {
	r := &Room{name: name, o: o, said: said, ended: make(chan struct{})}
	r.more.L = &r.mu
	go r.run(append([]string{name, o.Version()}, args...))
	return r
}

// Write tells the room b, of which it keeps a copy. It never waits. It returns why the room is
// told nothing more, if that is so.
func (r *Room) Write(b []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.err != nil:
		return 0, r.err
	case r.queued+len(b) > maxQueued:
		r.fail(errBehind)
		return 0, r.err
	}
	r.queue = append(r.queue, append([]byte(nil), b...))
	r.queued += len(b)
	r.more.Signal()
	return len(b), nil
}

// Queued returns how much the room is behind, in bytes.
func (r *Room) Queued() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.queued
}

// Ended returns a channel that is closed when the room has ended, or could not be started.
func (r *Room) Ended() <-chan struct{} { return r.ended }

// fail gives the room up. The caller holds mu.
func (r *Room) fail(err error) {
	if r.err == nil {
		r.err = err
	}
	r.queue, r.queued = nil, 0
	r.more.Signal()
	if r.process != nil {
		r.process.group.Kill(r.err)
	}
}

// Close ends the room's input, waits until it has ended, and kills it when
// patience is over. It returns why the room was not told everything, or has not ended well.
func (r *Room) Close(patience time.Duration) error {
	r.mu.Lock()
	r.closed = true
	r.more.Signal()
	r.mu.Unlock()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-r.ended:
	case <-timer.C:
		r.mu.Lock()
		r.fail(ErrLate)
		r.mu.Unlock()
		<-r.ended
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err
}

// run starts the program and feeds it until all is over.
func (r *Room) run(args []string) {
	defer close(r.ended)
	path, err := Find(r.o.Environ, r.o.Version())
	if err != nil {
		r.stop(err)
		return
	}
	i, in, err := launch(path, r.o.Environ, args)
	if err != nil {
		r.stop(&UnavailableError{What: path + " cannot be started", Why: err.Error(), Fix: install(r.o.Version()), Err: err})
		return
	}
	r.mu.Lock()
	r.process = i
	if r.err != nil {
		i.group.Kill(r.err)
	}
	r.mu.Unlock()
	heard := make(chan struct{})
	go func() {
		defer close(heard)
		r.hear(i.out)
	}()
	go func() { // it may end while there is nothing to write
		<-i.ended
		r.mu.Lock()
		defer r.mu.Unlock()
		if !r.closed {
			r.fail(r.unwell(i.status))
		}
	}()
	r.feed(in)
	in.Close()
	<-i.ended
	i.group.Close()
	i.table.Close(false)
	i.out.SetReadDeadline(time.Now().Add(leaving)) // another process may have its standard output
	<-heard
	i.out.Close()
	if i.status != ended {
		r.stop(r.unwell(i.status))
	}
}

// unwell is the error of a room that has ended although it should not have, or not well.
func (r *Room) unwell(status string) error {
	if status == mismatched {
		return &UnavailableError{What: "weft-companion has another version than weft", Fix: "install both again: " + install(r.o.Version())}
	}
	return &UnavailableError{What: fmt.Sprintf("weft-companion %s ended early", r.name), Why: status}
}

// Statuses of a program.
const (
	ended      = "exit status 0"
	mismatched = "exit status 3" // see Mismatch
)

// Mismatch is the exit status of a room that is told the version of another weft than its own.
const Mismatch = 3

func (r *Room) stop(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fail(err)
}

// feed writes what the room is told.
func (r *Room) feed(in io.Writer) {
	for {
		r.mu.Lock()
		for len(r.queue) == 0 && !r.closed && r.err == nil {
			r.more.Wait()
		}
		queue := r.queue
		r.queue = nil
		r.mu.Unlock()
		if len(queue) == 0 {
			return
		}
		for _, b := range queue {
			if _, err := in.Write(b); err != nil {
				return // why it does not read is seen by how it ends
			}
			r.mu.Lock()
			r.queued = max(0, r.queued-len(b))
			r.mu.Unlock()
		}
	}
}

// maxMessage is the longest line that a room may say, in bytes.
const maxMessage = 64 << 10

// hear handles what the room says. Lines that are not messages are passed over: a later one may
// say more than this weft knows.
func (r *Room) hear(out *os.File) {
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, maxMessage)
	for lines.Scan() {
		var m Message
		if json.Unmarshal(lines.Bytes(), &m) == nil {
			r.said(m)
		}
	}
	io.Copy(io.Discard, out)
}

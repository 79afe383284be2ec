package command

import (
	"encoding/json"
	"slices"
	"sync"
	"time"

	"github.com/weftrun/weft/engine/clock"
	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/internal/limit"
)

// Limits of what is kept of the messages of a step.
const (
	maxMessages     = 10_000
	maxMessageBytes = 64 << 20
)

var (
	errMessages     = limit.Count("the number of messages that are stored for a task (ipc)", maxMessages, "messages")
	errMessageBytes = limit.Bytes("the size of the messages that are stored for a task (ipc)", maxMessageBytes)
)

// sentMessages are the messages that the commands of a step have sent on their channels (ipc). A
// nil *sentMessages is empty.
type sentMessages struct {
	progress throttle

	mu   sync.Mutex // guards kept
	kept keeping
}

// keeping contains the messages and values needed for outputs.
type keeping struct {
	texts  [][]byte // messages used by outputs
	values []named  // in order of arrival
	count  int      // number of messages and values, kept or not
	bytes  int64    // their size
}

// named is a value with a name.
type named struct {
	name  string
	value []byte // JSON
}

// letters returns the messages of the step's commands.
func (s *step) letters() *sentMessages {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sent == nil {
		s.sent = &sentMessages{progress: throttle{clock: s.o.Clock, emit: s.Emit}}
	}
	return s.sent
}

// keep counts a message, and keeps its text if read is set.
func (l *sentMessages) keep(text []byte, read bool) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.kept.add(len(text)); err != nil {
		return err
	}
	if read {
		l.kept.texts = append(l.kept.texts, slices.Clone(text))
		limit.AddExempt(len(text))
	}
	return nil
}

// name keeps a value under a name.
func (l *sentMessages) name(name string, value []byte) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.kept.add(len(name) + len(value)); err != nil {
		return err
	}
	l.kept.values = append(l.kept.values, named{name, slices.Clone(value)})
	return nil
}

// add counts n bytes.
func (k *keeping) add(n int) error {
	switch {
	case k.count == maxMessages:
		return errMessages
	case k.bytes+int64(n) > maxMessageBytes:
		return errMessageBytes
	}
	k.count++
	k.bytes += int64(n)
	return nil
}

// mark returns the current state.
func (l *sentMessages) mark() keeping {
	if l == nil {
		return keeping{}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.kept
}

// forget restores the state at a mark.
func (l *sentMessages) forget(since keeping) {
	if l != nil {
		l.mu.Lock()
		limit.AddExempt(since.length() - l.kept.length())
		l.kept = since
		l.mu.Unlock()
	}
}

// length returns the total size of the texts.
func (k *keeping) length() (n int) {
	for _, t := range k.texts {
		n += len(t)
	}
	return n
}

// namedValues returns the last value of each name.
func (k *keeping) namedValues() map[string]json.RawMessage {
	if k.values == nil {
		return nil
	}
	all := map[string]json.RawMessage{}
	for _, v := range k.values {
		all[v.name] = v.value
	}
	return all
}

// progressEvery is the minimum interval between two progress reports of a step.
const progressEvery = time.Second

// throttle limits the progress reports of a step: the first is sent at once, then the latest one
// every progressEvery. The zero throttle with its first two fields set is ready to use.
type throttle struct {
	clock *clock.Clock
	emit  func(event.Event)

	mu      sync.Mutex      // guards the fields below
	next    *event.Progress // next report; nil: nothing new
	waiting bool            // until the interval has passed
}

func (t *throttle) report(p *event.Progress) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.waiting {
		t.next = p
		return
	}
	t.send(p)
}

// send reports p, and starts the interval; t.mu is held.
func (t *throttle) send(p *event.Progress) {
	p.Time = time.Now()
	t.emit(p)
	t.waiting = true
	t.clock.AfterFunc(progressEvery, t.passed)
}

func (t *throttle) passed() {
	t.mu.Lock()
	defer t.mu.Unlock()
	p := t.next
	t.next, t.waiting = nil, false
	if p != nil {
		t.send(p)
	}
}

// drop discards the pending report: the command has ended.
func (t *throttle) drop() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.next = nil
}

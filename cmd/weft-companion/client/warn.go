package client

import (
	"cmp"
	"strings"
	"sync"

	"github.com/weftrun/weft/engine/pipe"
	"github.com/weftrun/weft/schema/diag"
)

// maxText is how much of a server's text is shown, in bytes.
const maxText = 300

// speaker has what the user is to be told. Its methods may be called concurrently.
type speaker struct {
	server  string // as messages name it
	secrets *pipe.Secrets
	// executes means that the server executes actions: that it does not work is told with each action
	// that fails because of that, not by warnings.
	executes bool

	mu    sync.Mutex // guards the fields below
	told  map[string]bool
	queue []string // not yet sent to weft
	reads string   // why a server only reads; "": it does not, as far as is known
	down  string   // why a server that executes does not work; "": it does, as far as is known
}

// clean returns a text that came from outside as it may be shown: without secrets and control
// characters, and not too long.
func (s *speaker) clean(text string) string {
	text = s.secrets.Mask(text)
	if len(text) > maxText {
		text = strings.ToValidUTF8(text[:maxText], "") + "…"
	}
	return diag.Printable(text)
}

// warn tells the user something about the server, once for each subject. text follows the server's
// name.
func (s *speaker) warn(subject, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.told[subject] {
		return
	}
	if s.told == nil {
		s.told = map[string]bool{}
	}
	s.told[subject] = true
	s.queue = append(s.queue, s.server+" "+text)
}

// warnDown tells the user that the server does not work, unless it executes. why follows the server's
// name.
func (s *speaker) warnDown(why string) {
	if !s.executes {
		s.warn("down", why+": going on without it")
		return
	}
	s.fails(why)
}

// warnReadOnly tells the user at the end of the run that the server does not store anything, unless it
// does not work at all, or executes.
func (s *speaker) warnReadOnly(why string) {
	if s.executes {
		s.fails(why)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reads = cmp.Or(s.reads, why)
}

// fails notes why a server that executes does not work.
func (s *speaker) fails(why string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.down = why
}

// describe returns the error of a call as it may be shown: "cannot be reached (connection refused)", or
// "fails (unavailable: …)", without "fails" if the server executes: then it is the reason why a task does not
// run there.
func (s *speaker) describe(err error) string {
	text := s.clean(err.Error())
	switch {
	case is(err, unreachable), is(err, late):
		return "cannot be reached (" + text + ")"
	case is(err, passing) && !s.executes:
		return "fails (" + text + ")"
	}
	return text
}

// trouble returns why a server that executes does not work.
func (s *speaker) trouble() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return cmp.Or(s.down, "does not work")
}

// last returns the warnings at the end of a run: there is one about each server that does not do what
// it should.
func (s *speaker) last() []string {
	s.mu.Lock()
	why, down := s.reads, s.told["down"]
	s.mu.Unlock()
	if why != "" && !down {
		s.warn("writes", why+": reading only")
	}
	return s.take()
}

// take returns the warnings that were not yet taken.
func (s *speaker) take() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	q := s.queue
	s.queue = nil
	return q
}

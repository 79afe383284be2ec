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
	if s.executes && (subject == "down" || subject == "writes") {
		s.down, _, _ = strings.Cut(text, ": going on")
		return
	}
	if s.told[subject] {
		return
	}
	if s.told == nil {
		s.told = map[string]bool{}
	}
	s.told[subject] = true
	s.queue = append(s.queue, s.server+" "+text)
}

// trouble returns why a server that executes does not work.
func (s *speaker) trouble() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return cmp.Or(s.down, "does not work")
}

// take returns the warnings that were not yet taken.
func (s *speaker) take() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	q := s.queue
	s.queue = nil
	return q
}

package command

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/weftrun/weft/engine/plan"
	"github.com/weftrun/weft/engine/socket"
	"github.com/weftrun/weft/schema/diag"
)

// sockets are the listening sockets of a service, in the order of its list. They stay open while
// the service is restarted, and those at the same addresses also when it is replaced: connections
// wait for it. The zero value is empty. It is safe for concurrent use.
type sockets struct {
	mu   sync.Mutex // guards the fields below
	list []listening
	dir  string // base of relative paths
}

// listening is an entry of the list.
type listening struct {
	plan.Listener
	socket *shared // nil: not open
}

// shared is a socket used by a service, and possibly its replacement.
type shared struct {
	*socket.Listener
	mu    sync.Mutex // guards users
	users int
}

// hold adds a user, unless the socket has been closed.
func (s *shared) hold() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.users == 0 {
		return false
	}
	s.users++
	return true
}

// release removes a user; the last one closes the socket.
func (s *shared) release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.users--; s.users == 0 {
		s.Close()
	}
}

// listen opens a list of sockets, but takes over those of old, which belong to the service that is
// replaced. Addresses that old may block are opened by open, to be called when old is closed.
func (k *sockets) listen(ctx context.Context, list []plan.Listener, dir string, old *sockets) error {
	k.dir = dir
	for _, l := range list {
		k.list = append(k.list, listening{Listener: l, socket: old.at(l.Address, dir)})
	}
	err := k.open(ctx)
	var taken *socket.TakenError
	if errors.As(err, &taken) && taken.Ours && len(old.list) > 0 {
		return nil
	}
	if err != nil {
		k.close()
	}
	return err
}

// at returns the socket at an address, to be released; nil: there is none.
func (k *sockets) at(address, dir string) *shared {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, l := range k.list {
		if l.Address == address && k.dir == dir && l.socket != nil && l.socket.hold() {
			return l.socket
		}
	}
	return nil
}

// open opens the sockets that are not open yet.
func (k *sockets) open(ctx context.Context) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	for i := range k.list {
		l := &k.list[i]
		if l.socket != nil {
			continue
		}
		opened, err := socket.Listen(ctx, l.Address, k.dir)
		if err != nil {
			return notListening(&l.Listener, err)
		}
		l.socket = &shared{Listener: opened, users: 1}
	}
	return nil
}

// notListening returns the error of a service whose socket cannot be opened.
func notListening(l *plan.Listener, err error) error {
	d := &diag.Diagnostic{Pos: l.Pos, Kind: diag.Other, What: fmt.Sprintf("listen: %s cannot be opened", l.Name), Why: err.Error()}
	var taken *socket.TakenError
	if errors.As(err, &taken) {
		d.Fix = "end that, or choose another address"
	}
	return &unopened{d, err}
}

// unopened is a socket that cannot be opened, and the reason.
type unopened struct {
	*diag.Diagnostic
	err error
}

func (e *unopened) Unwrap() []error { return []error{e.Diagnostic, e.err} }

// inherit returns the files for the next program of the service; nil if there are no sockets.
func (k *sockets) inherit() (*inherited, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.list) == 0 {
		return nil, nil
	}
	in := &inherited{}
	for _, l := range k.list {
		if err := l.socket.Renew(); err != nil {
			return nil, err
		}
		in.sockets, in.names = append(in.sockets, l.socket.File), append(in.names, l.Name)
	}
	return in, nil
}

// close is called when the service has ended permanently.
func (k *sockets) close() {
	k.mu.Lock()
	defer k.mu.Unlock()
	for i := range k.list {
		if l := &k.list[i]; l.socket != nil {
			l.socket.release()
			l.socket = nil
		}
	}
}

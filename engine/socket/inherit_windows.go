package socket

import (
	"errors"
	"os"
)

func inheritable(interface{ File() (*os.File, error) }) (*os.File, error) {
	return nil, errors.New("programs cannot inherit sockets on this system")
}

// Renew has nothing to prepare: there is no such socket.
func (l *Listener) Renew() error { return nil }

package socket

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"syscall"
)

// Listener is a socket that listens until it is closed, whichever program accepts its connections.
// They wait in its queue while none does.
type Listener struct {
	// File is inherited by the programs that accept. It is theirs: weft never does.
	File *os.File
	path string // of the file that stands for it; "": none does
}

// Listen opens a socket at HOST:PORT, :PORT (all addresses of this machine), /PATH or unix:PATH,
// which may be relative to dir. A leftover socket file at the path is replaced. The error names the
// owner of the address, if known.
func Listen(ctx context.Context, text, dir string) (*Listener, error) {
	a, err := parse(text, dir)
	if err != nil {
		return nil, err
	}
	if a.network == "unix" {
		if err := removeStale(a.text); err != nil {
			return nil, err
		}
	}
	l, err := new(net.ListenConfig).Listen(ctx, a.network, a.text)
	if err != nil {
		return nil, a.explain(err)
	}
	defer l.Close() // weft has a copy
	opened := &Listener{}
	if u, ok := l.(*net.UnixListener); ok {
		u.SetUnlinkOnClose(false)
		opened.path = a.text
	}
	if opened.File, err = inheritable(l.(interface{ File() (*os.File, error) })); err != nil {
		opened.Close()
		return nil, err
	}
	return opened, nil
}

// Close stops listening: connections that were not accepted yet are refused.
func (l *Listener) Close() error {
	err := l.File.Close()
	if l.path != "" {
		err = cmp.Or(os.Remove(l.path), err)
	}
	return err
}

// explain returns why an address cannot be listened at.
func (a *address) explain(err error) error {
	var dns *net.DNSError
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return a.taken()
	case errors.Is(err, fs.ErrPermission) && a.port > 0 && a.port < 1024:
		return fmt.Errorf("port %d needs privileges that weft does not have: use a port of 1024 or above, or a proxy", a.port)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return fmt.Errorf("%s is not an address of this machine", a.text)
	case errors.As(err, &dns):
		return fmt.Errorf("the name in %s is not known: %s", a.text, dns.Err)
	}
	var op *net.OpError
	if errors.As(err, &op) {
		err = op.Err
	}
	return fmt.Errorf("weft cannot listen on %s: %w", a.text, err)
}

// removeStale removes the file of a socket at which nothing listens.
func removeStale(path string) error {
	st, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case st.Mode().Type() != fs.ModeSocket:
		return fmt.Errorf("%s exists and is not a socket", path)
	}
	c, err := net.Dial("unix", path)
	if err == nil {
		c.Close()
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		a := address{network: "unix", text: path}
		return a.taken()
	}
	return os.Remove(path)
}

// TakenError is the error of an address at which another program listens.
type TakenError struct {
	Address string
	By      string // who does; "": it cannot be seen
	Ours    bool   // it is this process
}

func (e *TakenError) Error() string {
	return fmt.Sprintf("%s is used by %s", e.Address, cmp.Or(e.By, "another process"))
}

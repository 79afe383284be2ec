package ready

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// TargetError means that a URL or an address cannot be probed at all.
type TargetError struct {
	Target string
	Why    string // with advice
}

// Error implements error.
func (e *TargetError) Error() string { return fmt.Sprintf("%q %s", e.Target, e.Why) }

// Check returns a [*TargetError] if the target of the probe cannot be probed.
func (p *Probe) Check() error {
	var err error
	switch p.Kind {
	case HTTP:
		_, err = parseURL(p.Target)
	case TCP:
		_, err = parseAddress(p.Target)
	case File:
		if p.Target == "" || strings.ContainsRune(p.Target, 0) {
			err = &TargetError{p.Target, "is not a path"}
		}
	}
	return err
}

// address is where a service accepts connections.
type address struct {
	socket string // path of a Unix socket, or ""
	host   string
	port   string
}

const unixPrefix = "unix:"

// parseAddress reads HOST:PORT or unix:/SOCKET.
func parseAddress(target string) (address, error) {
	if socket, ok := strings.CutPrefix(target, unixPrefix); ok {
		if socket == "" || strings.ContainsRune(socket, 0) {
			return address{}, &TargetError{target, "has no socket; write unix:/PATH"}
		}
		return address{socket: socket}, nil
	}
	host, port, err := net.SplitHostPort(target)
	if err != nil {
		return address{}, &TargetError{target, "is not an address; write HOST:PORT, [IPV6]:PORT or unix:/SOCKET"}
	}
	return hostPort(target, host, port)
}

func hostPort(target, host, port string) (address, error) {
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return address{}, &TargetError{target, "has no port from 1 to 65535"}
	}
	return address{host: cmp.Or(host, "localhost"), port: port}, nil
}

// resource is the resource requested by HTTP.
type resource struct {
	address
	name string // of the host, as the request names it
	path string // with the query
}

// parseURL reads http://HOST[:PORT]/PATH or unix:/SOCKET:/PATH.
func parseURL(target string) (resource, error) {
	if rest, ok := strings.CutPrefix(target, unixPrefix); ok {
		socket, path, _ := strings.Cut(rest, ":/")
		u, err := url.ParseRequestURI("/" + path)
		if err != nil || hasSpace(u.RawQuery) {
			return resource{}, &TargetError{target, "has no path for the request; write unix:/SOCKET:/PATH"}
		}
		a, err := parseAddress(unixPrefix + socket)
		if err != nil {
			return resource{}, &TargetError{target, "has no socket; write unix:/SOCKET:/PATH"}
		}
		return resource{a, "localhost", u.RequestURI()}, nil
	}
	u, err := url.Parse(target)
	switch {
	case err != nil || u.Host == "" || hasSpace(u.RawQuery) || u.Scheme != "http" && u.Scheme != "https":
		return resource{}, &TargetError{target, "is not a URL; write http://HOST[:PORT]/PATH or unix:/SOCKET:/PATH"}
	case u.Scheme == "https":
		return resource{}, &TargetError{target, "needs TLS, which weft does not support; write exec: curl -fsS " + target}
	case u.User != nil:
		return resource{}, &TargetError{target, "has a user name; write exec: curl -fsS URL"}
	}
	a, err := hostPort(target, u.Hostname(), cmp.Or(u.Port(), "80"))
	if err != nil {
		return resource{}, err
	}
	name := u.Host
	if zone, end := strings.IndexByte(name, '%'), strings.LastIndexByte(name, ']'); 0 < zone && zone < end {
		name = name[:zone] + name[end:] // which has no meaning for other machines
	}
	return resource{a, name, u.RequestURI()}, nil
}

// hasSpace reports whether a query, which is sent as it is, would end the request's first line
// or a part of it.
func hasSpace(query string) bool {
	return strings.ContainsFunc(query, func(r rune) bool { return r <= ' ' || r == 0x7f })
}

// connect connects to the service.
func (p *Probe) connect(ctx context.Context) error {
	a, err := parseAddress(p.Target)
	if err != nil {
		return err
	}
	c, err := p.dial(ctx, a)
	if err != nil {
		return err
	}
	c.Close()
	return nil
}

// dial connects to a; its errors are worded as observations. A localhost means both of its
// addresses, whatever the machine resolves it to.
func (p *Probe) dial(ctx context.Context, a address) (net.Conn, error) {
	var d net.Dialer
	if a.socket != "" {
		path := a.socket
		if !strings.HasPrefix(path, "@") { // which is none of the file system
			path = p.path(path)
		}
		c, err := d.DialContext(ctx, "unix", path)
		return c, seenError(err)
	}
	if a.host != "localhost" {
		c, err := d.DialContext(ctx, "tcp", net.JoinHostPort(a.host, a.port))
		return c, seenError(err)
	}
	c, err := d.DialContext(ctx, "tcp4", net.JoinHostPort("127.0.0.1", a.port))
	if err != nil && ctx.Err() == nil {
		if c, err := d.DialContext(ctx, "tcp6", net.JoinHostPort("::1", a.port)); err == nil {
			return c, nil
		}
	}
	return c, seenError(err)
}

func (p *Probe) path(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(p.Dir, name)
}

// exists reports whether the file, or the target of a link, exists.
func (p *Probe) exists() error {
	_, err := os.Stat(p.path(p.Target))
	if errors.Is(err, fs.ErrNotExist) {
		return errors.New("no such file")
	}
	return seenError(err)
}

// seenError returns err without operation and address, which the message contains already.
func seenError(err error) error {
	var unknown *net.DNSError
	if errors.As(err, &unknown) {
		return fmt.Errorf("host %q: %s", unknown.Name, unknown.Err)
	}
	for {
		switch e := err.(type) {
		case *net.OpError:
			err = e.Err
		case *os.SyscallError:
			err = e.Err
		case *fs.PathError:
			err = e.Err
		default:
			return err
		}
	}
}

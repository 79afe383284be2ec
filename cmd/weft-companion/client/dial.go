package client

import (
	"bufio"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"syscall"
)

// dialFunc makes a connection to a server. Its error is a [*dialError].
type dialFunc func(context.Context) (net.Conn, error)

// dialer makes the connections to one server.
type dialer struct {
	address *address
	// plain means that a connection that is not encrypted may only lead to this machine.
	plain bool
	proxy func(tls bool, host string) (*url.URL, error)
}

// dial connects. Its error is a [*dialError].
func (d *dialer) dial(ctx context.Context) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, connectLimit)
	defer cancel()
	c, err := d.connect(ctx)
	if err != nil {
		return nil, &dialError{err}
	}
	return c, nil
}

func (d *dialer) connect(ctx context.Context) (net.Conn, error) {
	n := d.system()
	if !d.address.loopback && d.address.rpc { // HTTP does this by itself
		switch p, err := d.proxy(d.address.tls, d.address.host); {
		case err != nil:
			return nil, err
		case p != nil:
			return tunnel(ctx, n, p, d.address.host)
		}
	}
	return n.DialContext(ctx, d.address.network, d.address.host)
}

// system returns what makes connections without a proxy.
func (d *dialer) system() *net.Dialer {
	n := new(net.Dialer)
	if d.plain {
		n.ControlContext = onlyHere
	}
	return n
}

// errNotHere is the error of a connection that would not be encrypted, and leaves this machine.
var errNotHere = errors.New("it is not on this machine, and the connection would not be encrypted")

// onlyHere refuses connections that leave this machine. It sees what a name was resolved to.
func onlyHere(_ context.Context, network, address string, _ syscall.RawConn) error {
	if network == "unix" {
		return nil
	}
	if a, err := netip.ParseAddrPort(address); err == nil && a.Addr().Unmap().IsLoopback() {
		return nil
	}
	return errNotHere
}

// systemProxy returns the proxy for a connection, as HTTPS_PROXY, HTTP_PROXY and NO_PROXY say; nil
// is none.
func systemProxy(tls bool, host string) (*url.URL, error) {
	scheme := "http"
	if tls {
		scheme = "https"
	}
	return http.ProxyFromEnvironment(&http.Request{URL: &url.URL{Scheme: scheme, Host: host}})
}

// tunnel connects to a host through a proxy.
func tunnel(ctx context.Context, n *net.Dialer, proxy *url.URL, host string) (net.Conn, error) {
	if proxy.Scheme != "http" {
		return nil, fmt.Errorf("a proxy with %s is not supported here, but one with http is", proxy.Scheme)
	}
	at := proxy.Host
	if proxy.Port() == "" {
		at = net.JoinHostPort(proxy.Hostname(), "80")
	}
	c, err := n.DialContext(ctx, "tcp", at)
	if err != nil {
		return nil, fmt.Errorf("the proxy %s: %w", at, err)
	}
	stop := context.AfterFunc(ctx, func() { c.Close() })
	defer stop()
	q := &http.Request{Method: http.MethodConnect, URL: &url.URL{Opaque: host}, Host: host, Header: http.Header{}}
	if u := proxy.User; u != nil {
		password, _ := u.Password()
		q.Header.Set("Proxy-Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(u.Username()+":"+password)))
	}
	if err := q.Write(c); err != nil {
		c.Close()
		return nil, fmt.Errorf("the proxy %s: %w", at, err)
	}
	// A server of TLS or HTTP/2 says nothing before the client does, so nothing of it is read here.
	a, err := http.ReadResponse(bufio.NewReader(c), q)
	if err == nil && a.StatusCode != http.StatusOK {
		err = fmt.Errorf("it answers %d", a.StatusCode)
	}
	if err != nil {
		c.Close()
		return nil, fmt.Errorf("the proxy %s: %w", at, err)
	}
	return c, nil
}

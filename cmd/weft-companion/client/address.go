package client

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"unicode/utf8"
)

// address is where a server is.
type address struct {
	rpc      bool // gRPC; otherwise HTTP
	tls      bool
	network  string        // "tcp" or "unix"
	host     string        // HOST:PORT, or the path of the socket
	path     string        // the name of the instance, or the path of the URL without a final slash
	user     *url.Userinfo // nil: none
	loopback bool          // nothing leaves this machine, or the host is called localhost
}

// parseAddress parses the URL of a server. An error does not contain it: it may have a password.
func parseAddress(text string) (a address, err error) {
	if !utf8.ValidString(text) || strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
		return a, errors.New("the URL has a space or a control character, or is not UTF-8")
	}
	if path, ok := strings.CutPrefix(text, "unix:"); ok {
		if !strings.HasPrefix(path, "/") || strings.HasPrefix(path, "//") {
			return a, errors.New("the path of the socket must be absolute: unix:/PATH")
		}
		return address{rpc: true, network: "unix", host: path, loopback: true}, nil
	}
	u, err := url.Parse(text)
	if err != nil {
		var e *url.Error
		if errors.As(err, &e) {
			err = e.Err
		}
		if u, _, ok := strings.Cut(text, "@"); ok && strings.Contains(u, ":") {
			return a, errors.New("the URL cannot be read") // the reason may quote the password
		}
		return a, fmt.Errorf("the URL cannot be read: %w", err)
	}
	a = address{network: "tcp", user: u.User, path: strings.TrimRight(u.Path, "/")}
	port := "443"
	switch u.Scheme {
	case "grpcs":
		a.rpc, a.tls = true, true
	case "grpc":
		a.rpc, port = true, "80"
	case "https":
		a.tls = true
	case "http":
		port = "80"
	default:
		return a, errors.New("the URL must begin with grpcs://, grpc://, unix:, https:// or http://")
	}
	switch {
	case u.Hostname() == "":
		return a, errors.New("the URL has no host")
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return a, errors.New("the URL cannot have a query or a fragment")
	}
	if u.Port() != "" {
		port = u.Port()
	}
	a.host = net.JoinHostPort(u.Hostname(), port)
	if a.rpc {
		a.path = strings.TrimLeft(a.path, "/")
	}
	a.loopback = strings.EqualFold(u.Hostname(), "localhost")
	if ip, err := netip.ParseAddr(u.Hostname()); err == nil {
		a.loopback = ip.Unmap().IsLoopback()
	}
	return a, nil
}

// name returns how messages name the server.
func (a *address) name() string {
	if a.network == "unix" {
		return "unix:" + a.host
	}
	return a.host
}

// url returns the root of the server, as a credential helper is asked for it.
func (a *address) url() string {
	return "https://" + strings.TrimSuffix(a.host, ":443") + "/"
}

package fetch

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"net/url"

	"github.com/weftrun/weft/engine/channel"
)

// problem converts the error of a request to one of the channel. It leaves out the URL, whose
// query may contain secrets.
func problem(err error) *channel.Error {
	var known *channel.Error
	if errors.As(err, &known) {
		return known
	}
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	e := &channel.Error{Kind: channel.Unreachable, Text: cut(err.Error(), 300)}
	var (
		network net.Error
		invalid *tls.CertificateVerificationError
		unknown x509.UnknownAuthorityError
		name    x509.HostnameError
		record  tls.RecordHeaderError
		op      *net.OpError
	)
	switch {
	case errors.As(err, &invalid), errors.As(err, &unknown), errors.As(err, &name), errors.As(err, &record), errors.Is(err, http.ErrSchemeMismatch):
		e.Kind = channel.Certificate
	case errors.As(err, &op) && op.Op == "remote error": // a TLS alert: the server does not accept us
		e.Kind = channel.Certificate
	case errors.As(err, &network) && network.Timeout():
		e.Kind = channel.TimedOut
	}
	return e
}

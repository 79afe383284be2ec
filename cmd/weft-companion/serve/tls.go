package serve

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sync/atomic"
)

// certificates has what TLS needs, from files that may be read again. It is safe for concurrent
// use. A nil *certificates stands for plain text.
type certificates struct {
	certFile, keyFile, clientCAFile string
	current                         atomic.Pointer[tls.Config]
}

// newCertificates reads the files of o; nil without TLS.
func newCertificates(o *options) (*certificates, error) {
	if o.cert == "" {
		return nil, nil
	}
	c := &certificates{certFile: o.cert, keyFile: o.key, clientCAFile: o.clientCA}
	return c, c.reload()
}

// reload reads the files again. If that fails, what was read before stays.
func (c *certificates) reload() error {
	if c == nil {
		return nil
	}
	pair, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err != nil {
		return fmt.Errorf("--tls: %w", err)
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}}
	if c.clientCAFile != "" {
		if config.ClientCAs, err = readPool(c.clientCAFile); err != nil {
			return fmt.Errorf("--client-ca: %w", err)
		}
		config.ClientAuth = tls.VerifyClientCertIfGiven
	}
	c.current.Store(byProtocol(config))
	return nil
}

// byProtocol returns a configuration that chooses the protocol. A client that offers HTTP/2 alone
// is one of gRPC; one that offers HTTP/1.1 as well, or nothing, speaks that.
func byProtocol(config *tls.Config) *tls.Config {
	http1, http2, outer := config.Clone(), config.Clone(), config.Clone()
	http1.NextProtos = []string{"http/1.1"}
	http2.NextProtos = []string{"h2"}
	outer.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		if slices.Contains(hello.SupportedProtos, "h2") && !slices.Contains(hello.SupportedProtos, "http/1.1") {
			return http2, nil
		}
		return http1, nil
	}
	return outer
}

// maxPool is the maximum size of a file of certificates, in bytes.
const maxPool = 4 << 20

func readPool(path string) (*x509.CertPool, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxPool))
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(b) {
		return nil, errors.New(path + " has no certificate in PEM")
	}
	return pool, nil
}

// config returns the configuration for a new connection.
func (c *certificates) config() *tls.Config { return c.current.Load() }

package fetch

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"sync"
	"time"

	"github.com/weftrun/weft/engine/channel"
)

// clients contains the HTTP transports of a Room, one for each set of certificates, so that
// connections are reused.
type clients struct {
	mu  sync.Mutex // guards all
	all map[certificates]*http.Transport
}

// certificates contains the paths of PEM files; "" means none.
type certificates struct {
	ca, cert, key string
}

// client returns the HTTP client of one file.
func (r *Room) client(q *channel.TaskfileRequest, origin *url.URL, headers http.Header) (*http.Client, error) {
	own, err := r.clients.transport(certificates{q.CACert, q.Cert, q.CertKey})
	if err != nil {
		return nil, err
	}
	other, err := r.clients.transport(certificates{ca: q.CACert})
	if err != nil {
		return nil, err
	}
	return &http.Client{
		Transport:     &sender{origin: origin, headers: headers, own: own, other: other},
		CheckRedirect: redirects(q, origin),
	}, nil
}

func (c *clients) transport(files certificates) (*http.Transport, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if t := c.all[files]; t != nil {
		return t, nil
	}
	config, err := files.config()
	if err != nil {
		return nil, &channel.Error{Kind: channel.Certificate, Text: err.Error()}
	}
	t := &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		TLSClientConfig:        config,
		ForceAttemptHTTP2:      true,
		MaxIdleConnsPerHost:    perHost,
		MaxResponseHeaderBytes: 256 << 10,
		IdleConnTimeout:        30 * time.Second,
	}
	c.all[files] = t
	return t, nil
}

func (c *clients) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, t := range c.all {
		t.CloseIdleConnections()
	}
}

// config reads the files.
func (f certificates) config() (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if f.ca != "" {
		pem, err := os.ReadFile(f.ca)
		if err != nil {
			return nil, fmt.Errorf("the certificate of the authority cannot be read: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("there is no certificate in PEM form in %s", f.ca)
		}
	}
	if f.cert != "" || f.key != "" {
		pair, err := tls.LoadX509KeyPair(f.cert, f.key)
		if err != nil {
			return nil, fmt.Errorf("the client certificate cannot be used: %w", err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config, nil
}

// sender sends requests. Only those to the origin have the user's headers and client certificate.
type sender struct {
	origin     *url.URL
	headers    http.Header
	own, other http.RoundTripper
}

func (s *sender) RoundTrip(req *http.Request) (*http.Response, error) {
	// The query of the previous URL may contain a token.
	if req.Header.Get("Referer") != "" {
		req = req.Clone(req.Context())
		req.Header.Del("Referer")
	}
	if !sameHost(req.URL, s.origin) || req.URL.Scheme != "https" && s.origin.Scheme == "https" {
		return s.other.RoundTrip(req)
	}
	if len(s.headers) > 0 {
		req = req.Clone(req.Context())
		for name, values := range s.headers {
			req.Header[name] = values
		}
	}
	return s.own.RoundTrip(req)
}

package client

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/weftrun/weft/engine/channel"
	"github.com/weftrun/weft/engine/pipe"
)

// tokenVariable is the variable with a token for the server.
const tokenVariable = "WEFT_CACHE_TOKEN"

// credentials are the headers that tell a server who the client is. They may be used concurrently;
// a nil pointer has none.
type credentials struct {
	fixed  []channel.Header // of the connection
	helper *helper          // nil: none
	secret func(string)     // told each value before it is used
	failed func(string)     // told why the helper has failed

	life    context.Context // done when the helper is not to run any more
	end     context.CancelFunc
	running chan struct{} // held while the helper runs

	mu      sync.Mutex // guards the fields below
	helped  []channel.Header
	expires time.Time // of helped
	runs    int       // of the helper
}

// newCredentials returns the credentials of a connection. The error contains no value.
func newCredentials(q *channel.ConnectRequest, a *address, environ []string, secrets *pipe.Secrets) (*credentials, error) {
	c := &credentials{running: make(chan struct{}, 1), secret: func(v string) { hide(secrets, v) }}
	c.life, c.end = context.WithCancel(context.Background())
	if a.user != nil {
		password, _ := a.user.Password()
		secrets.Add(password)
		c.fix("authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(a.user.Username()+":"+password)))
	}
	for _, h := range q.Headers {
		if err := checkHeaderName(h.Name); err != nil {
			return nil, err
		}
		value, err := expand(h.Value, environ)
		if err != nil {
			return nil, fmt.Errorf("the header %s: %w", h.Name, err)
		}
		c.fix(h.Name, value)
	}
	if token := lookup(environ, tokenVariable); token != "" {
		c.fix("authorization", "Bearer "+token)
	}
	for _, h := range c.fixed {
		if strings.ContainsFunc(h.Value, notInHeaders) {
			return nil, fmt.Errorf("the value of the header %s holds a character that cannot be sent, as the end of a line", h.Name)
		}
	}
	return c, nil
}

// hide has a value of a header not shown, nor what follows its scheme.
func hide(secrets *pipe.Secrets, value string) {
	secrets.Add(value)
	if _, rest, ok := strings.Cut(value, " "); ok {
		secrets.Add(strings.TrimSpace(rest))
	}
}

// fix adds a header, which replaces one of the same name.
func (c *credentials) fix(name, value string) {
	c.secret(value)
	name = strings.ToLower(name)
	for i := range c.fixed {
		if c.fixed[i].Name == name {
			c.fixed[i].Value = value
			return
		}
	}
	c.fixed = append(c.fixed, channel.Header{Name: name, Value: value})
}

// any reports whether there are any.
func (c *credentials) any() bool { return len(c.fixed) > 0 || c.helper != nil }

// headers returns the headers of a call, with names in lower case. It runs the helper if that is
// needed.
func (c *credentials) headers(ctx context.Context) []channel.Header {
	if c == nil {
		return nil
	}
	if c.helper == nil {
		return c.fixed
	}
	c.mu.Lock()
	helped, valid := c.helped, time.Now().Before(c.expires)
	c.mu.Unlock()
	if !valid {
		helped = c.run(ctx, func() bool { return !time.Now().Before(c.expires) })
	}
	return merge(c.fixed, helped)
}

// run runs the helper, if it is still needed when nobody else runs it, and returns its headers.
func (c *credentials) run(ctx context.Context, needed func() bool) []channel.Header {
	select {
	case c.running <- struct{}{}:
	case <-ctx.Done():
		return nil
	}
	c.mu.Lock()
	helped, run := c.helped, needed()
	c.mu.Unlock()
	if !run {
		<-c.running
		return helped
	}
	done := make(chan []channel.Header, 1)
	go func() {
		defer func() { <-c.running }()
		done <- c.ask()
	}()
	select {
	case helped := <-done:
		return helped
	case <-ctx.Done(): // others may still want it
		return nil
	}
}

// ask runs the helper.
func (c *credentials) ask() []channel.Header {
	helped, expires, err := c.helper.get(c.life)
	if err != nil && c.life.Err() == nil {
		c.failed(err.Error())
	}
	for _, h := range helped {
		c.secret(h.Value)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.helped, c.expires = helped, expires
	c.runs++
	return helped
}

// close ends the helper, if it runs, and waits for that.
func (c *credentials) close() {
	c.end()
	c.running <- struct{}{}
}

// merge returns a with the headers of b, which replace those of the same names.
func merge(a, b []channel.Header) []channel.Header {
	var all []channel.Header
	for _, h := range a {
		replaced := false
		for _, other := range b {
			replaced = replaced || other.Name == h.Name
		}
		if !replaced {
			all = append(all, h)
		}
	}
	return append(all, b...)
}

// prepare runs the helper, if that is needed, and returns the generation of the credentials.
func (c *credentials) prepare(ctx context.Context) (generation int) {
	c.headers(ctx)
	return c.generation()
}

// generation tells the credentials of now from others.
func (c *credentials) generation() int {
	if c == nil {
		return 0
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.runs
}

// renew gets other credentials than those of a generation, which the server did not accept, and
// reports whether there may be some.
func (c *credentials) renew(ctx context.Context, generation int) bool {
	if c == nil || c.helper == nil {
		return false
	}
	c.run(ctx, func() bool { return c.runs == generation })
	return ctx.Err() == nil && c.generation() != generation
}

// expand replaces $NAME and ${NAME} in a value by variables. Any other dollar sign stays.
func expand(value string, environ []string) (string, error) {
	var b strings.Builder
	for {
		before, after, ok := strings.Cut(value, "$")
		b.WriteString(before)
		if !ok {
			return b.String(), nil
		}
		name, rest := after[:nameLength(after)], after[nameLength(after):]
		if inner, ok := strings.CutPrefix(after, "{"); ok {
			n := nameLength(inner)
			if n > 0 && strings.HasPrefix(inner[n:], "}") {
				name, rest = inner[:n], inner[n+1:]
			}
		}
		if name == "" {
			b.WriteByte('$')
		} else if v, ok := find(environ, name); ok {
			b.WriteString(v)
		} else {
			return "", fmt.Errorf("the variable %s is not set", name)
		}
		value = rest
	}
}

// nameLength returns the length of the name of a variable that s begins with.
func nameLength(s string) int {
	for i, r := range s {
		if r != '_' && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (i == 0 || r < '0' || r > '9') {
			return i
		}
	}
	return len(s)
}

// find returns a variable of an environment.
func find(environ []string, name string) (value string, ok bool) {
	for i := len(environ) - 1; i >= 0; i-- {
		if k, v, _ := strings.Cut(environ[i], "="); k == name || runtime.GOOS == "windows" && strings.EqualFold(k, name) {
			return v, true
		}
	}
	return "", false
}

func lookup(environ []string, name string) string {
	v, _ := find(environ, name)
	return v
}

// checkHeaderName returns an error for a name that is none (RFC 9110, 5.6.2), or that of a header
// that the protocol itself needs.
func checkHeaderName(name string) error {
	if name == "" || len(name) > 100 || strings.ContainsFunc(name, func(r rune) bool {
		return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("!#$%&'*+-.^_`|~", r))
	}) {
		return fmt.Errorf("%.100q is not the name of a header", name)
	}
	switch lower := strings.ToLower(name); {
	case strings.HasPrefix(lower, "grpc-"), strings.HasPrefix(lower, "content-"), strings.HasPrefix(lower, "accept"),
		lower == "host", lower == "te", lower == "connection", lower == "transfer-encoding", lower == "upgrade", lower == "trailer", lower == "user-agent", lower == metadataKey:
		return fmt.Errorf("the header %s is set by weft itself", name)
	}
	return nil
}

// readableByOthers reports whether other users of this machine can read a file.
func readableByOthers(file string) bool {
	info, err := os.Stat(file)
	return err == nil && runtime.GOOS != "windows" && info.Mode()&0o077 != 0
}

func notInHeaders(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }

// checkExposure refuses to send credentials, or anything, where others could read them.
func checkExposure(q *channel.ConnectRequest, a *address, c *credentials) error {
	hasTLS := q.CA != "" || q.Cert != "" || q.Key != "" || q.ServerName != ""
	switch {
	case q.Insecure && (c.any() || hasTLS):
		return errors.New("insecure does not go with credentials or tls: anybody on the way could read them")
	case (q.Cert == "") != (q.Key == ""):
		return errors.New("a client certificate and its key belong together")
	case hasTLS && !a.tls:
		return errors.New("tls is set, but the URL has none: it would begin with grpcs:// or https://")
	case !a.tls && !a.loopback && !q.Insecure:
		return errors.New("the connection would not be encrypted: use grpcs:// or https://, or set insecure")
	}
	return nil
}

// tlsConfig returns how to encrypt a connection; nil is not at all. certificate is false for
// connections to others than the configured host.
func tlsConfig(q *channel.ConnectRequest, a *address, certificate bool) (*tls.Config, error) {
	if !a.tls {
		return nil, nil
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if certificate {
		config.ServerName = q.ServerName
	}
	if q.CA != "" {
		pem, err := os.ReadFile(q.CA)
		if err != nil {
			return nil, fmt.Errorf("the certificate of the authority cannot be read: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("there is no certificate in PEM form in %s", q.CA)
		}
	}
	if q.Cert != "" && certificate {
		pair, err := tls.LoadX509KeyPair(q.Cert, q.Key)
		if err != nil {
			return nil, fmt.Errorf("the client certificate cannot be used: %w", err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config, nil
}

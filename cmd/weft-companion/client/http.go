package client

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/weftrun/weft/cmd/weft-companion/packing"
	"github.com/weftrun/weft/engine/cache"
	"github.com/weftrun/weft/engine/channel"
)

const (
	maxRedirects = 3
	maxResult    = 16 << 20 // bytes
	// headFrom is the size in bytes of a blob for which it is worth asking whether the server has it.
	headFrom = 64 << 10
	// maxRefusal is how much of the body of an answer that is no success is read, in bytes.
	maxRefusal = 4 << 10
)

// webServer is a server of the Bazel HTTP cache protocol: GET and PUT of URL/ac/HASH and
// URL/cas/HASH. Nothing else is assumed of it.
type webServer struct {
	base    *url.URL
	near    bool // on this machine
	client  *http.Client
	sender  *sender
	traffic *traffic
	codecs  packing.Codecs
	noHead  atomic.Bool // it does not answer HEAD
}

// newWeb returns the server at an address. It connects with the first call.
func newWeb(a *address, d *dialer, q *channel.ConnectRequest, auth *credentials, t *traffic) (*webServer, error) {
	own, err := newTransport(a, d, q, true)
	if err != nil {
		return nil, err
	}
	other, err := newTransport(a, d, q, false)
	if err != nil {
		return nil, err
	}
	scheme := "http"
	if a.tls {
		scheme = "https"
	}
	base := &url.URL{Scheme: scheme, Host: strings.TrimSuffix(a.host, map[string]string{"http": ":80", "https": ":443"}[scheme]), Path: a.path}
	s := &sender{origin: base, auth: auth, own: own, other: other}
	return &webServer{base: base, near: a.loopback, sender: s, traffic: t, client: &http.Client{Transport: s, CheckRedirect: checkRedirect}}, nil
}

// newTransport returns the connections to the configured host, which own says, or to others.
func newTransport(a *address, d *dialer, q *channel.ConnectRequest, own bool) (*http.Transport, error) {
	config, err := tlsConfig(q, a, own)
	if err != nil {
		return nil, err
	}
	t := &http.Transport{
		TLSClientConfig:        config,
		TLSHandshakeTimeout:    connectLimit,
		ForceAttemptHTTP2:      true,
		DisableCompression:     true, // it would decompress what a name is the digest of
		MaxConnsPerHost:        maxCalls,
		MaxIdleConnsPerHost:    maxCalls,
		MaxResponseHeaderBytes: 256 << 10,
		IdleConnTimeout:        90 * time.Second,
		WriteBufferSize:        64 << 10,
		ReadBufferSize:         64 << 10,
	}
	if !d.plain {
		t.Proxy = func(q *http.Request) (*url.URL, error) { return d.proxy(q.URL.Scheme == "https", q.URL.Host) }
	}
	t.DialContext = func(ctx context.Context, network, host string) (net.Conn, error) {
		ctx, cancel := context.WithTimeout(ctx, connectLimit)
		defer cancel()
		c, err := d.system().DialContext(ctx, network, host)
		if err != nil {
			return nil, &dialError{err}
		}
		return c, nil
	}
	return t, nil
}

// checkRedirect allows few redirects, none of which gives up encryption or makes another request.
func checkRedirect(q *http.Request, via []*http.Request) error {
	first := via[0]
	switch {
	case len(via) > maxRedirects:
		return unusable("it redirects more than %d times", maxRedirects)
	case first.URL.Scheme == "https" && q.URL.Scheme != "https":
		return unusable("it redirects to a connection without encryption")
	case q.Method != first.Method:
		return http.ErrUseLastResponse
	}
	return nil
}

// sender sends requests, with the credentials and the client certificate only to the host that they
// are for.
type sender struct {
	origin     *url.URL
	auth       *credentials
	own, other *http.Transport
}

// RoundTrip implements [http.RoundTripper].
func (s *sender) RoundTrip(q *http.Request) (*http.Response, error) {
	q = q.Clone(q.Context())
	q.Header.Del("Referer")
	if !strings.EqualFold(q.URL.Host, s.origin.Host) || q.URL.Scheme != s.origin.Scheme {
		return s.other.RoundTrip(q)
	}
	for _, h := range s.auth.headers(q.Context()) {
		q.Header.Add(h.Name, h.Value)
	}
	return s.own.RoundTrip(q)
}

// Close implements [Server].
func (s *webServer) Close() error {
	s.sender.own.CloseIdleConnections()
	s.sender.other.CloseIdleConnections()
	return nil
}

// Negotiate implements [Server]. There is nothing to ask.
func (s *webServer) Negotiate(context.Context) (Abilities, error) {
	return Abilities{API: "HTTP", Writes: true, MaxMissing: 100, PackedStreams: !s.near}, nil
}

// request makes a request for a name below "ac" or "cas". The body of the answer, which is a
// success, must be closed.
func (s *webServer) request(ctx context.Context, method, kind, hash string, prepare func(*http.Request)) (*http.Response, error) {
	u := *s.base
	u.Path += "/" + kind + "/" + hash
	q, err := http.NewRequestWithContext(ctx, method, u.String(), nil)
	if err != nil {
		return nil, wrong("%v", err)
	}
	q.Header.Set("User-Agent", "weft")
	if prepare != nil {
		prepare(q)
	}
	a, err := s.client.Do(q)
	if err != nil {
		return nil, webFailure(ctx, err)
	}
	if a.StatusCode/100 == 2 && (method != http.MethodGet || a.StatusCode == http.StatusOK) {
		return a, nil
	}
	defer a.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(a.Body, maxRefusal))
	if strings.HasPrefix(http.DetectContentType(text), "text/html") {
		text = nil // a page for people
	}
	line, _, _ := strings.Cut(strings.TrimSpace(string(text)), "\n")
	return nil, answerFailure(a, strings.ToValidUTF8(line, ""))
}

// Result implements [Server].
func (s *webServer) Result(ctx context.Context, _ Call, action cache.Digest) ([]byte, error) {
	a, err := s.request(ctx, http.MethodGet, "ac", action.Hex(), nil)
	if err != nil {
		return nil, err
	}
	defer a.Body.Close()
	b, err := io.ReadAll(io.LimitReader(a.Body, maxResult+1))
	s.traffic.down.Add(int64(len(b)))
	switch {
	case err != nil:
		return nil, webFailure(ctx, err)
	case len(b) > maxResult:
		return nil, unusable("a result has more than %d MiB", maxResult>>20)
	}
	return b, nil
}

// PutResult implements [Server].
func (s *webServer) PutResult(ctx context.Context, _ Call, action cache.Digest, result []byte) error {
	return s.put(ctx, "ac", action.Hex(), int64(len(result)), func() (io.Reader, error) { return bytes.NewReader(result), nil })
}

// put uploads size bytes.
func (s *webServer) put(ctx context.Context, kind, hash string, size int64, content func() (io.Reader, error)) error {
	var failed atomic.Pointer[error] // of reading the content
	body := func() (io.ReadCloser, error) {
		r, err := content()
		if err != nil {
			failed.Store(&err)
			return nil, err
		}
		return io.NopCloser(readerFunc(func(b []byte) (int, error) {
			n, err := r.Read(b)
			s.traffic.up.Add(int64(n))
			if err != nil && err != io.EOF {
				failed.Store(&err)
			}
			return n, err
		})), nil
	}
	first, err := body()
	if err != nil {
		return err
	}
	a, err := s.request(ctx, http.MethodPut, kind, hash, func(q *http.Request) {
		q.Body, q.GetBody, q.ContentLength = first, body, size
		if size == 0 {
			q.Body = http.NoBody
		}
		q.Header.Set("Content-Type", "application/octet-stream")
	})
	if e := failed.Load(); e != nil {
		return *e
	}
	if err != nil {
		return err
	}
	io.Copy(io.Discard, io.LimitReader(a.Body, maxRefusal)) // so that the connection can be used again
	return a.Body.Close()
}

// Missing implements [Server]. Small blobs are not asked for: uploading them costs as much.
func (s *webServer) Missing(ctx context.Context, _ Call, blobs []cache.Digest) (missing []cache.Digest, err error) {
	for _, b := range blobs {
		has, err := s.has(ctx, b)
		if err != nil {
			return nil, err
		}
		if !has {
			missing = append(missing, b)
		}
	}
	return missing, nil
}

func (s *webServer) has(ctx context.Context, blob cache.Digest) (bool, error) {
	if blob.Size < headFrom || s.noHead.Load() {
		return false, nil
	}
	a, err := s.request(ctx, http.MethodHead, "cas", blob.Hex(), nil)
	switch {
	case err == nil:
		a.Body.Close()
		return a.ContentLength < 0 || a.ContentLength == blob.Size, nil
	case is(err, absent):
		return false, nil
	case is(err, unsupported):
		s.noHead.Store(true)
		return false, nil
	}
	return false, err
}

// ReadBatch implements [Server]: there are no batches.
func (s *webServer) ReadBatch(context.Context, Call, []cache.Digest, func(cache.Digest, []byte, error)) error {
	return errNoBatches
}

// WriteBatch implements [Server]: there are no batches.
func (s *webServer) WriteBatch(context.Context, Call, []Content) ([]error, error) {
	return nil, errNoBatches
}

var errNoBatches = &Failure{Class: unsupported, Tries: 1, Text: "HTTP has no batches"}

// Read implements [Server]. It begins at from, which must be 0: not every server has ranges.
func (s *webServer) Read(ctx context.Context, _ Call, blob cache.Digest, from int64, packed bool, w io.Writer) error {
	a, err := s.request(ctx, http.MethodGet, "cas", blob.Hex(), func(q *http.Request) {
		if packed {
			q.Header.Set("Accept-Encoding", "zstd")
		}
	})
	if err != nil {
		return err
	}
	defer a.Body.Close()
	body := readerFunc(func(b []byte) (int, error) {
		n, err := a.Body.Read(b)
		s.traffic.down.Add(int64(n))
		if err != nil && err != io.EOF {
			err = webFailure(ctx, err)
		}
		return n, err
	})
	switch coding := a.Header.Get("Content-Encoding"); {
	case strings.EqualFold(coding, "zstd") && packed:
		return unpackTo(&s.codecs, w, body)
	case coding != "" && !strings.EqualFold(coding, "identity"):
		return wrong("a blob is compressed in a way that was not asked for")
	}
	if from > 0 {
		if _, err := io.CopyN(io.Discard, body, from); err != nil {
			return err
		}
	}
	buffer := buffers.Get().(*[bufferSize]byte)
	defer buffers.Put(buffer)
	_, err = io.CopyBuffer(struct{ io.Writer }{w}, body, buffer[:])
	return err
}

// Write implements [Server]. It never compresses: a plain server would keep compressed bytes under
// the wrong name.
func (s *webServer) Write(ctx context.Context, _ Call, u *Upload) error {
	return s.put(ctx, "cas", u.Blob.Hex(), u.Blob.Size, u.Content)
}

// Written implements [Server]: an upload cannot be resumed.
func (s *webServer) Written(context.Context, Call, *Upload) (int64, error) {
	return 0, &Failure{Class: unsupported, Tries: 1, Text: "HTTP cannot resume uploads"}
}

// readerFunc is a function as an [io.Reader].
type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(b []byte) (int, error) { return f(b) }

//go:build unix

package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	bspb "google.golang.org/genproto/googleapis/bytestream"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/weftrun/weft/engine/cache"
)

// relay stands between weft and a server that listens on a socket. It keeps everything that it receives from
// weft, and can change what the server answers.
type relay struct {
	rpc, web string // addresses, HOST:PORT

	conn  *grpc.ClientConn // to the server
	pumps sync.WaitGroup   // of calls

	mu   sync.Mutex // guards the fields below
	sent []received
	lies map[string][]byte // blobs that weft gets in place of those of the server, by their hashes
	// change returns what weft gets in place of a message or body that the server has sent. method is the
	// last part of the name of the call, or "GET ac". nil: the same.
	change func(method string, answer []byte) []byte
}

// received is one thing that a relay has received.
type received struct {
	call    string      // name of the method, or method and path
	headers http.Header // of the call; nil: it is a part of one
	body    []byte      // a message, not decoded, or the body of a request
}

// newRelay starts a relay for the server on a socket, until the test ends.
func newRelay(t *testing.T, socket string) *relay {
	t.Helper()
	r := &relay{lies: map[string][]byte{}}
	conn, err := grpc.NewClient("unix:"+socket, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithDefaultCallOptions(grpc.ForceCodec(rawCodec{}), grpc.MaxCallRecvMsgSize(64<<20)))
	if err != nil {
		t.Fatal(err)
	}
	r.conn = conn
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g := grpc.NewServer(grpc.ForceServerCodec(rawCodec{}), grpc.MaxRecvMsgSize(64<<20), grpc.UnknownServiceHandler(func(_ any, s grpc.ServerStream) error { return r.call(s) }))
	var serving sync.WaitGroup
	serving.Go(func() { g.Serve(l) })
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}}
	to, _ := url.Parse("http://localhost")
	proxy := &httputil.ReverseProxy{Rewrite: func(q *httputil.ProxyRequest) { q.SetURL(to) }, Transport: transport, ModifyResponse: r.answer}
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		b, err := io.ReadAll(q.Body)
		if err != nil {
			return // the client is gone
		}
		r.keep(received{q.Method + " " + q.URL.String(), q.Header.Clone(), b})
		if lie := r.lie([]byte(q.URL.Path)); lie != nil && q.Method == http.MethodGet {
			w.Write(lie)
			return
		}
		q.Body = io.NopCloser(bytes.NewReader(b))
		proxy.ServeHTTP(w, q)
	}))
	r.rpc, r.web = l.Addr().String(), site.Listener.Addr().String()
	t.Cleanup(func() {
		g.Stop()
		serving.Wait()
		r.pumps.Wait()
		conn.Close()
		site.Close()
		transport.CloseIdleConnections()
	})
	return r
}

// rewrite makes weft get other answers from now on.
func (r *relay) rewrite(change func(method string, answer []byte) []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.change = change
}

// rewritten returns an answer as weft gets it.
func (r *relay) rewritten(method string, answer []byte) []byte {
	r.mu.Lock()
	change := r.change
	r.mu.Unlock()
	if change == nil {
		return answer
	}
	return change(method, answer)
}

func (r *relay) keep(what received) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sent = append(r.sent, what)
}

// all returns everything that was received, in order.
func (r *relay) all() []received {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.sent)
}

// lie returns the lie about a blob that a request names; nil if there is none.
func (r *relay) lie(request []byte) []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	for hash, b := range r.lies {
		if bytes.Contains(request, []byte(hash)) {
			return b
		}
	}
	return nil
}

// tell makes weft get b in place of the blob of a digest, whose batches fail from now on.
func (r *relay) tell(about cache.Digest, b []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lies[about.Hex()] = b
}

// blob returns a blob of the server, by the name of a stream.
func (r *relay) blob(ctx context.Context, name string) (all []byte, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s, err := r.conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true}, "/google.bytestream.ByteStream/Read")
	if err != nil {
		return nil, err
	}
	q, err := proto.Marshal(&bspb.ReadRequest{ResourceName: name})
	if err == nil {
		err = s.SendMsg(q)
	}
	if err == nil {
		err = s.CloseSend()
	}
	for err == nil {
		var b []byte
		if err = s.RecvMsg(&b); err == io.EOF {
			return all, nil
		}
		var m bspb.ReadResponse
		if err == nil {
			err = proto.Unmarshal(b, &m)
		}
		all = append(all, m.Data...)
	}
	return nil, err
}

// call relays one call.
func (r *relay) call(from grpc.ServerStream) error {
	full, _ := grpc.MethodFromServerStream(from)
	method := full[strings.LastIndexByte(full, '/')+1:]
	md, _ := metadata.FromIncomingContext(from.Context())
	r.keep(received{method, http.Header(maps.Clone(md)), nil})
	headers := md.Copy()
	maps.DeleteFunc(headers, func(name string, _ []string) bool {
		return strings.HasPrefix(name, ":") || name == "content-type" || name == "user-agent" || name == "te"
	})
	ctx, cancel := context.WithCancel(metadata.NewOutgoingContext(from.Context(), headers))
	defer cancel()
	r.mu.Lock()
	lying := len(r.lies) > 0
	r.mu.Unlock()
	if lying && method == "BatchReadBlobs" {
		return status.Error(codes.Unimplemented, "")
	}
	if lying && method == "Read" {
		var q []byte
		if err := from.RecvMsg(&q); err != nil {
			return err
		}
		b := r.lie(q)
		if b == nil {
			var m bspb.ReadRequest
			if err := proto.Unmarshal(q, &m); err != nil {
				return err
			}
			var err error
			if b, err = r.blob(from.Context(), m.ResourceName); err != nil {
				return err
			}
		}
		m, err := proto.Marshal(&bspb.ReadResponse{Data: b})
		if err != nil {
			return err
		}
		return from.SendMsg(m)
	}
	to, err := r.conn.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, full)
	if err != nil {
		return err
	}
	r.pumps.Go(func() { // it ends when this call has
		defer to.CloseSend()
		for {
			var m []byte
			if from.RecvMsg(&m) != nil {
				return
			}
			r.keep(received{method, nil, m})
			if to.SendMsg(m) != nil {
				return
			}
		}
	})
	for {
		var m []byte
		if err := to.RecvMsg(&m); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		if err := from.SendMsg(r.rewritten(method, m)); err != nil {
			return err
		}
	}
}

// answer changes the answer to a request.
func (r *relay) answer(a *http.Response) error {
	if a.StatusCode != http.StatusOK || a.Request.Method != http.MethodGet {
		return nil
	}
	b, err := io.ReadAll(a.Body)
	if err != nil {
		return err
	}
	a.Body.Close()
	parts := strings.Split(a.Request.URL.Path, "/")
	b = r.rewritten("GET "+parts[len(parts)-2], b)
	a.Body, a.ContentLength = io.NopCloser(bytes.NewReader(b)), int64(len(b))
	a.Header.Set("Content-Length", strconv.Itoa(len(b)))
	return nil
}

// rawCodec leaves messages as they are.
type rawCodec struct{}

func (rawCodec) Name() string { return "proto" }

func (rawCodec) Marshal(v any) ([]byte, error) {
	if b, ok := v.([]byte); ok {
		return b, nil
	}
	return nil, fmt.Errorf("%T", v)
}

func (rawCodec) Unmarshal(data []byte, v any) error {
	*v.(*[]byte) = bytes.Clone(data)
	return nil
}

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

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
)

// relay stands between weft and a server that listens on a socket. It keeps everything that it receives from
// weft, and can change what the server answers.
type relay struct {
	rpc, web string // addresses, HOST:PORT

	// rewrite returns what weft gets in place of a message or body that the server has sent. method is the last
	// part of the name of the call, or "GET ac". request is the first message from weft, or the path. nil: the
	// same.
	rewrite func(method string, request, answer []byte) []byte

	mu    sync.Mutex // guards sent
	sent  []received
	pumps sync.WaitGroup // of calls
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
	r := new(relay)
	conn, err := grpc.NewClient("unix:"+socket, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithDefaultCallOptions(grpc.ForceCodec(rawCodec{}), grpc.MaxCallRecvMsgSize(64<<20)))
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g := grpc.NewServer(grpc.ForceServerCodec(rawCodec{}), grpc.MaxRecvMsgSize(64<<20), grpc.UnknownServiceHandler(func(_ any, s grpc.ServerStream) error { return r.call(s, conn) }))
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

// call relays one call.
func (r *relay) call(from grpc.ServerStream, conn *grpc.ClientConn) error {
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
	to, err := conn.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, full)
	if err != nil {
		return err
	}
	first := make(chan []byte, 1)
	r.pumps.Go(func() { // it ends when this call has
		defer to.CloseSend()
		for n := 0; ; n++ {
			var m []byte
			if from.RecvMsg(&m) != nil {
				return
			}
			r.keep(received{method, nil, m})
			if n == 0 {
				first <- m
			}
			if to.SendMsg(m) != nil {
				return
			}
		}
	})
	var request []byte
	for {
		var m []byte
		if err := to.RecvMsg(&m); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		if r.rewrite != nil {
			if request == nil {
				request = <-first
			}
			m = r.rewrite(method, request, m)
		}
		if err := from.SendMsg(m); err != nil {
			return err
		}
	}
}

// answer changes the answer to a request.
func (r *relay) answer(a *http.Response) error {
	if r.rewrite == nil || a.StatusCode != http.StatusOK || a.Request.Method != http.MethodGet {
		return nil
	}
	b, err := io.ReadAll(a.Body)
	if err != nil {
		return err
	}
	a.Body.Close()
	parts := strings.Split(a.Request.URL.Path, "/")
	b = r.rewrite("GET "+parts[len(parts)-2], []byte(a.Request.URL.Path), b)
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

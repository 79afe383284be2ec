package serve

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	repb "github.com/bazelbuild/remote-apis/build/bazel/remote/execution/v2"
	bspb "google.golang.org/genproto/googleapis/bytestream"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/tap"
)

const (
	maxMessage = 16 << 20 // bytes of a message that is received
	maxHeaders = 64 << 10 // bytes of the headers of a call
	maxStreams = 250      // calls of a connection at a time
)

// rpcMethod returns the last part of the full name of a method, and the right that it needs. Those
// of the health service need none, nor does what is not known, which is called "other".
func rpcMethod(full string) (method string, need right) {
	switch method = full[strings.LastIndexByte(full, '/')+1:]; method {
	case "BatchUpdateBlobs", "UpdateActionResult", "Write", "QueryWriteStatus", "SpliceBlob", "RegisterChunkMapping":
		return method, mayWrite
	case "GetCapabilities", "FindMissingBlobs", "BatchReadBlobs", "GetTree", "SplitBlob", "GetChunkMapping", "Read", "GetActionResult":
		return method, mayRead
	case "Check", "Watch", "List":
		return method, mayNothing
	}
	return "other", mayNothing
}

// rpcServer answers gRPC.
type rpcServer struct{ *server }

// newGRPC returns the gRPC server of s.
func newGRPC(s *server) *grpc.Server {
	r := rpcServer{s}
	g := grpc.NewServer(
		grpc.Creds(handshaken{}),
		grpc.MaxRecvMsgSize(maxMessage),
		grpc.MaxHeaderListSize(maxHeaders),
		grpc.MaxConcurrentStreams(maxStreams),
		grpc.ConnectionTimeout(s.o.greeting),
		grpc.KeepaliveParams(keepalive.ServerParameters{MaxConnectionIdle: idle}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 10 * time.Second, PermitWithoutStream: true}),
		grpc.InTapHandle(r.admit),
		grpc.UnaryInterceptor(r.unary),
		grpc.StreamInterceptor(r.stream),
	)
	repb.RegisterCapabilitiesServer(g, capabilities{r})
	repb.RegisterContentAddressableStorageServer(g, blobService{rpcServer: r})
	repb.RegisterActionCacheServer(g, actions{rpcServer: r})
	bspb.RegisterByteStreamServer(g, byteStream{rpcServer: r})
	healthpb.RegisterHealthServer(g, health.NewServer())
	return g
}

// caller returns who makes the call with this context.
func (r rpcServer) caller(ctx context.Context) (caller, error) {
	var c shown
	if md, ok := metadata.FromIncomingContext(ctx); ok {
		if values := md["authorization"]; len(values) > 0 {
			c.authorization = values[0]
		}
	}
	if p, ok := peer.FromContext(ctx); ok {
		if info, ok := p.AuthInfo.(credentials.TLSInfo); ok && len(info.State.VerifiedChains) > 0 {
			c.certificate = info.State.PeerCertificates[0]
		}
	}
	return r.access.who(c)
}

// newCall returns the call of a method.
func (r rpcServer) newCall(ctx context.Context, method string) *call {
	c := &call{method: method, started: time.Now()}
	if p, ok := peer.FromContext(ctx); ok {
		c.from = p.Addr.String()
	}
	return c
}

// finishRPC notes that a call has ended, and returns err as it is sent.
func (r rpcServer) finishRPC(c *call, err error) error {
	sent := statusOf(err)
	r.finish(c, status.Code(sent).String(), err)
	return sent
}

// admit refuses a call before its message is read, if it lacks the right.
func (r rpcServer) admit(ctx context.Context, info *tap.Info) (context.Context, error) {
	method, need := rpcMethod(info.FullMethodName)
	caller, err := r.caller(ctx)
	if err == nil {
		err = caller.check(need)
	}
	if err == nil || need == mayNothing {
		return ctx, nil
	}
	c := r.newCall(ctx, method)
	c.caller = caller
	return ctx, r.finishRPC(c, err)
}

// unary is the frame of every call that has one message and one answer.
func (r rpcServer) unary(ctx context.Context, message any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (answer any, err error) {
	err = r.framed(ctx, info.FullMethod, func(c *call) (err error) {
		c.about = message
		answer, err = handle(ctx, message)
		return err
	})
	return answer, err
}

// stream is the frame of every other call.
func (r rpcServer) stream(service any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handle grpc.StreamHandler) error {
	return r.framed(stream.Context(), info.FullMethod, func(c *call) error {
		return handle(service, &firstSeen{stream, c})
	})
}

// framed does what a call does, and counts and logs it.
func (r rpcServer) framed(ctx context.Context, full string, do func(*call) error) (err error) {
	method, _ := rpcMethod(full)
	c := r.newCall(ctx, method)
	c.caller, _ = r.caller(ctx) // it may have changed since admit, which does not matter
	defer func() {
		if v := recover(); v != nil {
			err = r.recovered(v)
		}
		err = r.finishRPC(c, err)
	}()
	if err := r.calls.begin(); err != nil {
		return err
	}
	defer r.calls.end()
	return do(c)
}

// firstSeen is a stream whose first message says what the call is about.
type firstSeen struct {
	grpc.ServerStream
	call *call
}

// RecvMsg implements [grpc.ServerStream].
func (s *firstSeen) RecvMsg(m any) error {
	err := s.ServerStream.RecvMsg(m)
	if err == nil && s.call.about == nil {
		s.call.about = named(m)
	}
	return err
}

// named returns a message of a stream without what it carries.
func named(message any) any {
	switch m := message.(type) {
	case *bspb.WriteRequest:
		return m.ResourceName
	case *bspb.ReadRequest:
		return m.ResourceName
	}
	return ""
}

// describe returns what a call is about, for the log.
func describe(about any) string {
	switch m := about.(type) {
	case string:
		return strconv.Quote(m)
	case *repb.FindMissingBlobsRequest:
		return fmt.Sprintf("%q %d blobs", m.InstanceName, len(m.BlobDigests))
	case *repb.BatchReadBlobsRequest:
		return fmt.Sprintf("%q %d blobs", m.InstanceName, len(m.Digests))
	case *repb.BatchUpdateBlobsRequest:
		return fmt.Sprintf("%q %d blobs", m.InstanceName, len(m.Requests))
	case *repb.GetActionResultRequest:
		return fmt.Sprintf("%q %s", m.InstanceName, m.ActionDigest.GetHash())
	case *repb.UpdateActionResultRequest:
		return fmt.Sprintf("%q %s", m.InstanceName, m.ActionDigest.GetHash())
	case *bspb.QueryWriteStatusRequest:
		return fmt.Sprintf("%q", m.ResourceName)
	}
	return ""
}

// handshaken is the transport of connections whose handshake, if they need one, is over.
type handshaken struct{}

// plain means that a connection has no TLS.
type plain struct{ credentials.CommonAuthInfo }

// AuthType implements [credentials.AuthInfo].
func (plain) AuthType() string { return "none" }

// ServerHandshake implements [credentials.TransportCredentials].
func (handshaken) ServerHandshake(c net.Conn) (net.Conn, credentials.AuthInfo, error) {
	if t, ok := c.(*tls.Conn); ok {
		return c, credentials.TLSInfo{
			State:          t.ConnectionState(),
			CommonAuthInfo: credentials.CommonAuthInfo{SecurityLevel: credentials.PrivacyAndIntegrity},
		}, nil
	}
	return c, plain{credentials.CommonAuthInfo{SecurityLevel: credentials.NoSecurity}}, nil
}

// ClientHandshake implements [credentials.TransportCredentials]. It is never called.
func (handshaken) ClientHandshake(context.Context, string, net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return nil, nil, errors.ErrUnsupported
}

// Info implements [credentials.TransportCredentials].
func (handshaken) Info() credentials.ProtocolInfo { return credentials.ProtocolInfo{} }

// Clone implements [credentials.TransportCredentials].
func (h handshaken) Clone() credentials.TransportCredentials { return h }

// OverrideServerName implements [credentials.TransportCredentials].
func (handshaken) OverrideServerName(string) error { return nil }

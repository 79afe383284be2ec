package client

import (
	"context"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"net"
	"strings"
	"sync"
	"sync/atomic"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	repb "github.com/bazelbuild/remote-apis/build/bazel/remote/execution/v2"
	bspb "google.golang.org/genproto/googleapis/bytestream"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	rpccreds "google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/weftrun/weft/cmd/weft-companion/packing"
	"github.com/weftrun/weft/engine/cache"
)

const (
	// maxMessage is the size in bytes of the largest message that is received.
	maxMessage = 64 << 20
	// maxBatchAnswer is that of an answer with small blobs, several of which are in memory at a time.
	maxBatchAnswer = batchLimit + 1<<20
	// metadataKey is where every call says what it is for.
	metadataKey = "build.bazel.remote.execution.v2.requestmetadata-bin"
)

// grpcServer is a server of REAPI. It has a second connection for large blobs, so that small calls
// do not wait for these.
type grpcServer struct {
	instance string
	near     bool // on this machine
	auth     *credentials
	tool     *repb.ToolDetails
	run      string
	traffic  *traffic
	trouble  trouble
	codecs   packing.Codecs

	packedBatches atomic.Bool // negotiated

	small, large *grpc.ClientConn
	capabilities repb.CapabilitiesClient
	results      repb.ActionCacheClient
	blobs        repb.ContentAddressableStorageClient
	smallStreams bspb.ByteStreamClient
	largeStreams bspb.ByteStreamClient
	executions   repb.ExecutionClient
	operations   longrunningpb.OperationsClient
}

// identity is what a server is told about this client.
type identity struct {
	version string // of weft
	run     string // of this run
}

// newGRPC returns the server at an address. It connects with the first call. config is nil without
// TLS.
func newGRPC(a *address, dial dialFunc, config *tls.Config, auth *credentials, who identity, t *traffic) (*grpcServer, error) {
	g := &grpcServer{instance: a.path, near: a.loopback, auth: auth, traffic: t, run: who.run, tool: &repb.ToolDetails{ToolName: "weft", ToolVersion: who.version}}
	transport := insecure.NewCredentials()
	if config != nil {
		transport = &watchedTLS{rpccreds.NewTLS(config), &g.trouble}
	}
	target := "passthrough:///" + a.host
	if a.network == "unix" {
		target = "passthrough:///localhost"
	}
	connect := func() (*grpc.ClientConn, error) {
		return grpc.NewClient(target,
			grpc.WithTransportCredentials(transport),
			grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) {
				c, err := dial(ctx)
				g.trouble.set(err)
				return c, err
			}),
			grpc.WithUserAgent("weft/"+who.version),
			grpc.WithDisableRetry(),
			grpc.WithDisableServiceConfig(),
			grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessage), grpc.MaxCallSendMsgSize(maxMessage)),
		)
	}
	var err error
	if g.small, err = connect(); err != nil {
		return nil, err
	}
	if g.large, err = connect(); err != nil {
		g.small.Close()
		return nil, err
	}
	g.capabilities, g.results, g.blobs = repb.NewCapabilitiesClient(g.small), repb.NewActionCacheClient(g.small), repb.NewContentAddressableStorageClient(g.small)
	g.smallStreams, g.largeStreams = bspb.NewByteStreamClient(g.small), bspb.NewByteStreamClient(g.large)
	g.executions, g.operations = repb.NewExecutionClient(g.small), longrunningpb.NewOperationsClient(g.small)
	return g, nil
}

// Close implements [Server].
func (g *grpcServer) Close() error { return errors.Join(g.small.Close(), g.large.Close()) }

// trouble is why there is no connection now. gRPC itself tells that only in words.
type trouble struct {
	mu  sync.Mutex // guards err
	err error      // nil: there is one, or none was tried
}

func (t *trouble) set(err error) {
	if errors.Is(err, context.Canceled) {
		return
	}
	t.mu.Lock()
	t.err = err
	t.mu.Unlock()
}

func (t *trouble) get() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.err
}

// watchedTLS remembers why a handshake fails.
type watchedTLS struct {
	rpccreds.TransportCredentials
	trouble *trouble
}

// ClientHandshake implements [rpccreds.TransportCredentials].
func (w *watchedTLS) ClientHandshake(ctx context.Context, authority string, c net.Conn) (net.Conn, rpccreds.AuthInfo, error) {
	conn, info, err := w.TransportCredentials.ClientHandshake(ctx, authority, c)
	w.trouble.set(err)
	return conn, info, err
}

// Clone implements [rpccreds.TransportCredentials].
func (w *watchedTLS) Clone() rpccreds.TransportCredentials {
	return &watchedTLS{w.TransportCredentials.Clone(), w.trouble}
}

// failure returns the error of a call whose context is ctx.
func (g *grpcServer) failure(ctx context.Context, err error) error {
	if status.Code(err) == codes.Unavailable && ctx.Err() == nil {
		if why := g.trouble.get(); why != nil {
			return unreached(why)
		}
	}
	return rpcFailure(ctx, err)
}

// outgoing returns the context of a call, with the credentials and what it is for.
func (g *grpcServer) outgoing(ctx context.Context, c Call) context.Context {
	m, err := proto.Marshal(&repb.RequestMetadata{ToolDetails: g.tool, ToolInvocationId: g.run, ActionId: c.Action, TargetId: strings.ToValidUTF8(c.Task, "?"), ConfigurationId: strings.ToValidUTF8(c.Profile, "?")})
	if err != nil {
		m = nil
	}
	md := metadata.Pairs(metadataKey, string(m))
	for _, h := range g.auth.headers(ctx) {
		md.Append(h.Name, h.Value)
	}
	return metadata.NewOutgoingContext(ctx, md)
}

// Result implements [Server].
func (g *grpcServer) Result(ctx context.Context, c Call, action cache.Digest) ([]byte, error) {
	r, err := g.results.GetActionResult(g.outgoing(ctx, c), &repb.GetActionResultRequest{InstanceName: g.instance, ActionDigest: sent(action), DigestFunction: repb.DigestFunction_SHA256})
	if err != nil {
		return nil, g.failure(ctx, err)
	}
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(r)
	switch {
	case err != nil:
		return nil, wrong("the result cannot be encoded: %v", err)
	case len(b) > cache.MaxResult:
		return nil, unusable("a result has %d bytes", len(b))
	}
	g.traffic.down.Add(int64(len(b)))
	return b, nil
}

// PutResult implements [Server].
func (g *grpcServer) PutResult(ctx context.Context, c Call, action cache.Digest, result []byte) error {
	r := new(repb.ActionResult)
	if err := proto.Unmarshal(result, r); err != nil {
		return wrong("the result cannot be read: %v", err)
	}
	_, err := g.results.UpdateActionResult(g.outgoing(ctx, c), &repb.UpdateActionResultRequest{InstanceName: g.instance, ActionDigest: sent(action), ActionResult: r, DigestFunction: repb.DigestFunction_SHA256})
	if err == nil {
		g.traffic.up.Add(int64(len(result)))
	}
	return g.failure(ctx, err)
}

// Missing implements [Server].
func (g *grpcServer) Missing(ctx context.Context, c Call, blobs []cache.Digest) ([]cache.Digest, error) {
	q := &repb.FindMissingBlobsRequest{InstanceName: g.instance, BlobDigests: make([]*repb.Digest, len(blobs)), DigestFunction: repb.DigestFunction_SHA256}
	for i, b := range blobs {
		q.BlobDigests[i] = sent(b)
	}
	a, err := g.blobs.FindMissingBlobs(g.outgoing(ctx, c), q)
	if err != nil {
		return nil, g.failure(ctx, err)
	}
	var missing []cache.Digest
	for _, d := range a.MissingBlobDigests {
		if b, ok := received(d); ok {
			missing = append(missing, b)
		}
	}
	return missing, nil
}

// ReadBatch implements [Server].
func (g *grpcServer) ReadBatch(ctx context.Context, c Call, blobs []cache.Digest, got func(cache.Digest, []byte, error)) error {
	q := &repb.BatchReadBlobsRequest{InstanceName: g.instance, Digests: make([]*repb.Digest, len(blobs)), DigestFunction: repb.DigestFunction_SHA256}
	if g.packedBatches.Load() {
		q.AcceptableCompressors = []repb.Compressor_Value{repb.Compressor_ZSTD}
	}
	for i, b := range blobs {
		q.Digests[i] = sent(b)
	}
	a, err := g.blobs.BatchReadBlobs(g.outgoing(ctx, c), q, grpc.MaxCallRecvMsgSize(maxBatchAnswer))
	if err != nil {
		return g.failure(ctx, err)
	}
	for _, r := range a.Responses {
		blob, ok := received(r.GetDigest())
		if !ok {
			continue
		}
		if s := status.FromProto(r.Status); s.Code() != codes.OK {
			got(blob, nil, statusFailure(s, s.Err()))
			continue
		}
		g.traffic.down.Add(int64(len(r.Data)))
		data, err := r.Data, error(nil)
		if r.Compressor != repb.Compressor_IDENTITY {
			data, err = g.unpackPart(r, blob.Size)
		}
		got(blob, data, err)
	}
	return nil
}

func (g *grpcServer) unpackPart(r *repb.BatchReadBlobsResponse_Response, size int64) ([]byte, error) {
	if r.Compressor != repb.Compressor_ZSTD {
		return nil, wrong("a blob is compressed in a way that was not asked for")
	}
	return unpack(&g.codecs, r.Data, size)
}

// WriteBatch implements [Server].
func (g *grpcServer) WriteBatch(ctx context.Context, c Call, blobs []Content) ([]error, error) {
	q := &repb.BatchUpdateBlobsRequest{InstanceName: g.instance, DigestFunction: repb.DigestFunction_SHA256}
	size, at := int64(0), make(map[cache.Digest]int, len(blobs))
	for i, b := range blobs {
		one := &repb.BatchUpdateBlobsRequest_Request{Digest: sent(b.Blob), Data: b.Data}
		if g.packedBatches.Load() {
			if packed, ok := g.codecs.Pack(b.Data); ok {
				one.Data, one.Compressor = packed, repb.Compressor_ZSTD
			}
		}
		size += int64(len(one.Data))
		q.Requests = append(q.Requests, one)
		at[b.Blob] = i
	}
	a, err := g.blobs.BatchUpdateBlobs(g.outgoing(ctx, c), q)
	if err != nil {
		return nil, g.failure(ctx, err)
	}
	g.traffic.up.Add(size)
	errs := make([]error, len(blobs))
	for i := range errs {
		errs[i] = wrong("the server does not say whether it keeps a blob")
	}
	for n, r := range a.Responses {
		blob, ok := received(r.GetDigest())
		i, asked := at[blob]
		if r.GetDigest() == nil && len(a.Responses) == len(blobs) {
			i, ok, asked = n, true, true // Bazel's RemoteWorker names no blob, and keeps the order
		}
		if !ok || !asked {
			continue
		}
		errs[i] = nil
		if s := status.FromProto(r.Status); s.Code() != codes.OK && s.Code() != codes.AlreadyExists {
			errs[i] = statusFailure(s, s.Err())
		}
	}
	return errs, nil
}

// sent returns a digest as it is sent.
func sent(d cache.Digest) *repb.Digest { return &repb.Digest{Hash: d.Hex(), SizeBytes: d.Size} }

// received returns a digest that was received. ok is false if it is none.
func received(d *repb.Digest) (blob cache.Digest, ok bool) {
	if d == nil || d.SizeBytes < 0 || len(d.Hash) != hex.EncodedLen(len(blob.Hash)) {
		return blob, false
	}
	if _, err := hex.Decode(blob.Hash[:], []byte(d.Hash)); err != nil {
		return blob, false
	}
	blob.Size = d.SizeBytes
	return blob, true
}

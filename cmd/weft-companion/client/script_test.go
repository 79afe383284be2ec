package client

import (
	"bytes"
	"context"
	"io"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	repb "github.com/bazelbuild/remote-apis/build/bazel/remote/execution/v2"
	"github.com/bazelbuild/remote-apis/build/bazel/semver"
	"github.com/klauspost/compress/zstd"
	bspb "google.golang.org/genproto/googleapis/bytestream"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/proto"

	"github.com/weftrun/weft/cmd/weft-companion/packing"
	"github.com/weftrun/weft/engine/cache"
	"github.com/weftrun/weft/engine/channel"
	"github.com/weftrun/weft/engine/pipe"
)

// script is a gRPC server that does what a test wants. Its fields are set before it is used.
type script struct {
	repb.UnimplementedCapabilitiesServer
	repb.UnimplementedActionCacheServer
	repb.UnimplementedContentAddressableStorageServer
	bspb.UnimplementedByteStreamServer
	repb.UnimplementedExecutionServer
	longrunningpb.UnimplementedOperationsServer

	caps *repb.ServerCapabilities
	// before is called with the method and its count, from 1, at each call; its error is the answer.
	before func(ctx context.Context, method string, n int) error
	// read answers a Read in place of the script; nil: it answers as it should.
	read func(n int, blob []byte, q *bspb.ReadRequest, stream bspb.ByteStream_ReadServer) error
	// batch changes the answer of BatchReadBlobs.
	batch func(*repb.BatchReadBlobsResponse)
	// kept changes the answer of BatchUpdateBlobs.
	kept func(*repb.BatchUpdateBlobsResponse)
	// breakWrite is how many bytes of the first upload are taken before it breaks; 0: all.
	breakWrite int
	// scenes are the answers to Execute and WaitExecution, in order.
	scenes []scene
	// early answers uploads at their first message.
	early bool

	mu      sync.Mutex // guards the fields below
	calls   map[string]int
	blobs   map[string][]byte // by HASH/SIZE
	results map[string]*repb.ActionResult
	partial map[string][]byte
	seen    []metadata.MD
	starts  []int64  // offsets of uploads
	largest int      // batch, in bytes
	plays   []string // Execute, WaitExecution and CancelOperation, with what they were about
}

func newScript() *script {
	return &script{
		caps: &repb.ServerCapabilities{
			CacheCapabilities: &repb.CacheCapabilities{
				DigestFunctions:               []repb.DigestFunction_Value{repb.DigestFunction_SHA256},
				ActionCacheUpdateCapabilities: &repb.ActionCacheUpdateCapabilities{UpdateEnabled: true},
			},
			LowApiVersion: &semver.SemVer{Major: 2}, HighApiVersion: &semver.SemVer{Major: 2, Minor: 3},
		},
		calls: map[string]int{}, blobs: map[string][]byte{}, results: map[string]*repb.ActionResult{}, partial: map[string][]byte{},
	}
}

// enter notes a call.
func (s *script) enter(ctx context.Context, method string) (n int, err error) {
	s.mu.Lock()
	s.calls[method]++
	n = s.calls[method]
	md, _ := metadata.FromIncomingContext(ctx)
	s.seen = append(s.seen, md)
	s.mu.Unlock()
	if s.before != nil {
		err = s.before(ctx, method, n)
	}
	return n, err
}

// count returns how often a method was called.
func (s *script) count(method string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls[method]
}

func (s *script) GetCapabilities(ctx context.Context, _ *repb.GetCapabilitiesRequest) (*repb.ServerCapabilities, error) {
	if _, err := s.enter(ctx, "GetCapabilities"); err != nil {
		return nil, err
	}
	if s.caps == nil {
		return nil, status.Error(codes.Unimplemented, "")
	}
	return s.caps, nil
}

func (s *script) GetActionResult(ctx context.Context, q *repb.GetActionResultRequest) (*repb.ActionResult, error) {
	if _, err := s.enter(ctx, "GetActionResult"); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.results[q.ActionDigest.Hash]; r != nil {
		return r, nil
	}
	return nil, status.Error(codes.NotFound, "")
}

func (s *script) UpdateActionResult(ctx context.Context, q *repb.UpdateActionResultRequest) (*repb.ActionResult, error) {
	if _, err := s.enter(ctx, "UpdateActionResult"); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.results[q.ActionDigest.Hash] = q.ActionResult
	return q.ActionResult, nil
}

func keyOf(d *repb.Digest) string {
	return cache.Digest{Hash: hashOf(d.Hash), Size: d.SizeBytes}.String()
}

func hashOf(text string) (h [32]byte) {
	d, _ := received(&repb.Digest{Hash: text})
	return d.Hash
}

func (s *script) FindMissingBlobs(ctx context.Context, q *repb.FindMissingBlobsRequest) (*repb.FindMissingBlobsResponse, error) {
	if _, err := s.enter(ctx, "FindMissingBlobs"); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	a := new(repb.FindMissingBlobsResponse)
	for _, d := range q.BlobDigests {
		if _, ok := s.blobs[keyOf(d)]; !ok {
			a.MissingBlobDigests = append(a.MissingBlobDigests, d)
		}
	}
	return a, nil
}

func (s *script) BatchReadBlobs(ctx context.Context, q *repb.BatchReadBlobsRequest) (*repb.BatchReadBlobsResponse, error) {
	if _, err := s.enter(ctx, "BatchReadBlobs"); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	a := new(repb.BatchReadBlobsResponse)
	size := 0
	for _, d := range q.Digests {
		b, ok := s.blobs[keyOf(d)]
		r := &repb.BatchReadBlobsResponse_Response{Digest: d, Data: b}
		if !ok {
			r.Status = status.New(codes.NotFound, "").Proto()
		}
		size += len(b)
		a.Responses = append(a.Responses, r)
	}
	s.largest = max(s.largest, size)
	if s.batch != nil {
		s.batch(a)
	}
	return a, nil
}

func (s *script) BatchUpdateBlobs(ctx context.Context, q *repb.BatchUpdateBlobsRequest) (*repb.BatchUpdateBlobsResponse, error) {
	if _, err := s.enter(ctx, "BatchUpdateBlobs"); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.largest = max(s.largest, proto.Size(q))
	a := new(repb.BatchUpdateBlobsResponse)
	for _, r := range q.Requests {
		data := r.Data
		if r.Compressor == repb.Compressor_ZSTD {
			var err error
			if data, err = unpack(new(packing.Codecs), data, r.Digest.SizeBytes); err != nil {
				return nil, err
			}
		}
		s.blobs[cache.DigestOf(data).String()] = data
		a.Responses = append(a.Responses, &repb.BatchUpdateBlobsResponse_Response{Digest: r.Digest})
	}
	if s.kept != nil {
		s.kept(a)
	}
	return a, nil
}

// resourceOf returns the blob that the name of a stream has.
func resourceOf(name string) (blob string, packed bool) {
	parts := strings.Split(name, "/")
	return strings.Join(parts[len(parts)-2:], "/"), strings.Contains(name, "compressed-blobs/zstd/")
}

func (s *script) Read(q *bspb.ReadRequest, stream bspb.ByteStream_ReadServer) error {
	n, err := s.enter(stream.Context(), "Read")
	if err != nil {
		return err
	}
	name, packed := resourceOf(q.ResourceName)
	s.mu.Lock()
	b, ok := s.blobs[name]
	s.mu.Unlock()
	if s.read != nil {
		return s.read(n, b, q, stream)
	}
	if !ok {
		return status.Error(codes.NotFound, "")
	}
	b = b[q.ReadOffset:]
	if packed {
		b = packBytes(b)
	}
	return sendBytes(stream, b)
}

func sendBytes(stream bspb.ByteStream_ReadServer, b []byte) error {
	for len(b) > 0 {
		n := min(len(b), 100_000)
		if err := stream.Send(&bspb.ReadResponse{Data: b[:n]}); err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}

func packBytes(b []byte) []byte {
	e, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	if err != nil {
		panic(err)
	}
	return e.EncodeAll(b, nil)
}

func (s *script) Write(stream bspb.ByteStream_WriteServer) error {
	n, err := s.enter(stream.Context(), "Write")
	if err != nil {
		if m, e := stream.Recv(); e == nil {
			s.mu.Lock()
			s.starts = append(s.starts, m.WriteOffset)
			s.mu.Unlock()
		}
		return err
	}
	var name string
	var got []byte
	for {
		m, err := stream.Recv()
		if err == io.EOF {
			return status.Error(codes.InvalidArgument, "no finish_write")
		}
		if err != nil {
			return err
		}
		if m.ResourceName != "" {
			name = m.ResourceName
			s.mu.Lock()
			got = bytes.Clone(s.partial[name])
			s.starts = append(s.starts, m.WriteOffset)
			s.mu.Unlock()
		}
		if s.early {
			return stream.SendAndClose(&bspb.WriteResponse{CommittedSize: uploadSize(name)})
		}
		if m.WriteOffset != int64(len(got)) {
			return status.Error(codes.InvalidArgument, "offset")
		}
		got = append(got, m.Data...)
		if s.breakWrite > 0 && n == 1 && len(got) >= s.breakWrite {
			s.mu.Lock()
			s.partial[name] = got[:s.breakWrite]
			s.mu.Unlock()
			return status.Error(codes.Unavailable, "broken")
		}
		if m.FinishWrite {
			break
		}
	}
	blob, packed := resourceOf(name)
	committed := int64(len(got))
	if packed {
		r, err := zstd.NewReader(bytes.NewReader(got), zstd.WithDecoderConcurrency(1))
		if err != nil {
			return err
		}
		defer r.Close()
		if got, err = io.ReadAll(r); err != nil {
			return status.Error(codes.InvalidArgument, err.Error())
		}
		committed = -1
	}
	if d := cache.DigestOf(got); d.String() != blob {
		return status.Errorf(codes.InvalidArgument, "it is %s", d)
	}
	s.mu.Lock()
	s.blobs[blob] = got
	s.mu.Unlock()
	return stream.SendAndClose(&bspb.WriteResponse{CommittedSize: committed})
}

func uploadSize(name string) (n int64) {
	for _, c := range name[strings.LastIndexByte(name, '/')+1:] {
		n = 10*n + int64(c-'0')
	}
	return n
}

func (s *script) QueryWriteStatus(ctx context.Context, q *bspb.QueryWriteStatusRequest) (*bspb.QueryWriteStatusResponse, error) {
	if _, err := s.enter(ctx, "QueryWriteStatus"); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	b, ok := s.partial[q.ResourceName]
	if !ok {
		return nil, status.Error(codes.NotFound, "")
	}
	return &bspb.QueryWriteStatusResponse{CommittedSize: int64(len(b))}, nil
}

// put has the server keep a blob.
func (s *script) put(b []byte) cache.Digest {
	d := cache.DigestOf(b)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.blobs[d.String()] = b
	return d
}

// lab is a Cache of a script, in memory: it can run in a bubble of synctest.
type lab struct {
	*Cache
	t      testing.TB
	script *script
	queue  *queue
	dialed func() error // called before each connection; nil: nothing
}

// newLab starts a script and returns a Cache of it. far makes the server one that is not on this
// machine.
func newLab(t testing.TB, s *script, far bool) *lab {
	t.Helper()
	l := bufconn.Listen(256 << 10)
	g := grpc.NewServer(grpc.MaxRecvMsgSize(64 << 20))
	repb.RegisterCapabilitiesServer(g, s)
	repb.RegisterActionCacheServer(g, s)
	repb.RegisterContentAddressableStorageServer(g, s)
	bspb.RegisterByteStreamServer(g, s)
	repb.RegisterExecutionServer(g, s)
	longrunningpb.RegisterOperationsServer(g, s)
	var serving sync.WaitGroup
	serving.Go(func() { g.Serve(l) })
	lab := &lab{t: t, script: s}
	dial := func(ctx context.Context) (net.Conn, error) {
		if lab.dialed != nil {
			if err := lab.dialed(); err != nil {
				return nil, &dialError{err}
			}
		}
		return l.DialContext(ctx)
	}
	lab.connect(&address{rpc: true, network: "tcp", host: "server:1", path: "team/a", loopback: !far}, dial, func() {
		g.Stop()
		l.Close()
		serving.Wait()
	})
	return lab
}

// connect makes the client of a server at an address. end is called after the client has ended.
func (l *lab) connect(a *address, dial dialFunc, end func()) {
	l.t.Helper()
	counted := new(traffic)
	server, err := newGRPC(a, dial, nil, nil, identity{"v1", "run-1"}, counted)
	if err != nil {
		l.t.Fatal(err)
	}
	disk, err := cache.Open(filepath.Join(l.t.TempDir(), "cache"))
	if err != nil {
		l.t.Fatal(err)
	}
	l.Cache = newCache(server, disk, true, &speaker{server: a.name(), secrets: new(pipe.Secrets)}, nil, counted)
	l.queue = newQueue(l.storeGroup)
	l.t.Cleanup(func() {
		l.queue.close()
		server.Close()
		l.screen.ended.Wait()
		end()
		disk.Close()
	})
}

// keep puts a blob into the local cache.
func (l *lab) keep(b []byte) cache.Digest {
	l.t.Helper()
	d, err := l.local.Put(b)
	if err != nil {
		l.t.Fatal(err)
	}
	return d
}

// has fails unless a blob is in the local cache, whole.
func (l *lab) has(blobs ...cache.Digest) {
	l.t.Helper()
	for _, b := range blobs {
		f, err := l.local.OpenBlob(l.t.Context(), b)
		if err != nil {
			l.t.Error(err)
			continue
		}
		f.Close()
	}
}

// put stores a result with these blobs, and returns the error.
func (l *lab) put(blobs ...cache.Digest) error {
	l.t.Helper()
	action := l.keep([]byte("action"))
	r := cache.ActionResult{Stdout: action}
	return l.Cache.put(l.t.Context(), &storage{action: action, blobs: append(blobs, action), result: r.Append(nil)})
}

var _ channel.CacheHandler = (*Room)(nil)

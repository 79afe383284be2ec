package serve

import (
	"context"

	repb "github.com/bazelbuild/remote-apis/build/bazel/remote/execution/v2"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/weftrun/weft/engine/cache"
)

// blobService is the content-addressable storage: of all instances, there is one. GetTree, and the
// methods about parts of blobs, it does not have.
type blobService struct {
	rpcServer
	repb.UnimplementedContentAddressableStorageServer
}

// checkFunction returns a refusal if a client wants another digest function than SHA-256.
func checkFunction(f repb.DigestFunction_Value) error {
	if f != repb.DigestFunction_UNKNOWN && f != repb.DigestFunction_SHA256 {
		return refuse(malformed, "digests must be SHA-256, not %s", f)
	}
	return nil
}

// FindMissingBlobs implements [repb.ContentAddressableStorageServer].
func (s blobService) FindMissingBlobs(ctx context.Context, q *repb.FindMissingBlobsRequest) (*repb.FindMissingBlobsResponse, error) {
	if err := checkFunction(q.DigestFunction); err != nil {
		return nil, err
	}
	a := new(repb.FindMissingBlobsResponse)
	for _, d := range q.BlobDigests {
		digest, err := readDigest(d)
		if err != nil {
			return nil, err
		}
		if !s.store.has(digest) {
			a.MissingBlobDigests = append(a.MissingBlobDigests, d)
		}
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
	}
	return a, nil
}

// BatchUpdateBlobs implements [repb.ContentAddressableStorageServer].
func (s blobService) BatchUpdateBlobs(ctx context.Context, q *repb.BatchUpdateBlobsRequest) (*repb.BatchUpdateBlobsResponse, error) {
	if err := checkFunction(q.DigestFunction); err != nil {
		return nil, err
	}
	total := 0
	for _, b := range q.Requests {
		total += len(b.GetData())
	}
	if total > maxBatch {
		return nil, refuse(tooLarge, "a batch may have at most %d bytes, not %d", maxBatch, total)
	}
	a := new(repb.BatchUpdateBlobsResponse)
	for _, b := range q.Requests {
		err := s.update(b)
		a.Responses = append(a.Responses, &repb.BatchUpdateBlobsResponse_Response{Digest: b.GetDigest(), Status: status.Convert(s.inBatch(err)).Proto()})
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
	}
	return a, nil
}

// inBatch returns the error of one blob as it is sent. The call itself succeeds, so it is counted
// and logged here.
func (s blobService) inBatch(err error) error {
	if err == nil {
		return nil
	}
	why, ok := reasonOf(err)
	if ok && why != absent {
		s.metrics.refused(why)
	}
	if why == internal {
		s.log.say("a blob of a batch failed: %v", err)
	}
	return statusOf(err)
}

// update keeps one blob of a batch.
func (s blobService) update(b *repb.BatchUpdateBlobsRequest_Request) error {
	d, err := readDigest(b.GetDigest())
	if err != nil {
		return err
	}
	switch b.Compressor {
	case repb.Compressor_IDENTITY:
		return s.store.put(d, b.Data)
	case repb.Compressor_ZSTD:
		if s.store.has(d) {
			return nil
		}
		data, err := unpack(b.Data, d.Size)
		if err != nil {
			return err
		}
		return s.store.put(d, data)
	}
	return refuse(malformed, "the compressor %s is not supported", b.Compressor)
}

// BatchReadBlobs implements [repb.ContentAddressableStorageServer].
func (s blobService) BatchReadBlobs(ctx context.Context, q *repb.BatchReadBlobsRequest) (*repb.BatchReadBlobsResponse, error) {
	if err := checkFunction(q.DigestFunction); err != nil {
		return nil, err
	}
	zstd := false
	for _, c := range q.AcceptableCompressors {
		zstd = zstd || c == repb.Compressor_ZSTD
	}
	digests := make([]cache.Digest, len(q.Digests))
	var total int64
	for i, d := range q.Digests {
		digest, err := readDigest(d)
		if err != nil {
			return nil, err
		}
		if total += digest.Size; digest.Size > maxBatch || total > maxBatch {
			return nil, refuse(tooLarge, "a batch may have at most %d bytes", maxBatch)
		}
		digests[i] = digest
	}
	a := new(repb.BatchReadBlobsResponse)
	for i, d := range digests {
		one := &repb.BatchReadBlobsResponse_Response{Digest: q.Digests[i]}
		data, err := s.store.read(d, maxBatch)
		s.metrics.looked(err == nil)
		if err == nil {
			s.metrics.sent.Add(d.Size)
			one.Data = data
			if packed, ok := codecs.Pack(data); zstd && ok {
				one.Data, one.Compressor = packed, repb.Compressor_ZSTD
			}
		}
		one.Status = status.Convert(s.inBatch(err)).Proto()
		a.Responses = append(a.Responses, one)
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
	}
	return a, nil
}

// GetTree implements [repb.ContentAddressableStorageServer].
func (blobService) GetTree(*repb.GetTreeRequest, repb.ContentAddressableStorage_GetTreeServer) error {
	return status.Error(codes.Unimplemented, "GetTree is not supported: read the directories as blobs")
}

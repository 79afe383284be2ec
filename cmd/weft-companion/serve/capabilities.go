package serve

import (
	"context"

	repb "github.com/bazelbuild/remote-apis/build/bazel/remote/execution/v2"
	semver "github.com/bazelbuild/remote-apis/build/bazel/semver"
)

// maxBatch is the maximum size in bytes of the blobs in a batch: clients in Java receive at most 4
// MiB, and a message is more than its blobs.
const maxBatch = 4<<20 - 64<<10

// capabilities returns the capabilities of the server.
type capabilities struct{ rpcServer }

// GetCapabilities implements [repb.CapabilitiesServer].
func (s capabilities) GetCapabilities(ctx context.Context, q *repb.GetCapabilitiesRequest) (*repb.ServerCapabilities, error) {
	if _, err := readInstance(q.InstanceName); err != nil {
		return nil, err
	}
	who, err := s.caller(ctx)
	if err != nil {
		return nil, err
	}
	zstd := []repb.Compressor_Value{repb.Compressor_ZSTD}
	return &repb.ServerCapabilities{
		CacheCapabilities: &repb.CacheCapabilities{
			DigestFunctions:                 []repb.DigestFunction_Value{repb.DigestFunction_SHA256},
			ActionCacheUpdateCapabilities:   &repb.ActionCacheUpdateCapabilities{UpdateEnabled: who.right == mayWrite},
			MaxBatchTotalSizeBytes:          maxBatch,
			MaxCasBlobSizeBytes:             s.o.maxBlob,
			SymlinkAbsolutePathStrategy:     repb.SymlinkAbsolutePathStrategy_ALLOWED,
			SupportedCompressors:            zstd,
			SupportedBatchUpdateCompressors: zstd,
		},
		LowApiVersion:  &semver.SemVer{Major: 2},
		HighApiVersion: &semver.SemVer{Major: 2, Minor: 3},
	}, nil
}

package client

import (
	"context"
	"fmt"
	"slices"

	repb "github.com/bazelbuild/remote-apis/build/bazel/remote/execution/v2"
	"github.com/bazelbuild/remote-apis/build/bazel/semver"
)

// unlimitedBatch is the size in bytes of a call to a server that states no limit.
const unlimitedBatch = 4 << 20

// maxMissing is the number of digests in a call.
const maxMissing = 10_000

// Negotiate implements [Server]. A server without GetCapabilities is a cache of API 2.0.
func (g *grpcServer) Negotiate(ctx context.Context) (Abilities, error) {
	caps, err := g.capabilities.GetCapabilities(g.outgoing(ctx, Call{}), &repb.GetCapabilitiesRequest{InstanceName: g.instance})
	if err = g.failure(ctx, err); is(err, unsupported) {
		return Abilities{API: "2.0", Writes: true, MaxBatch: unlimitedBatch, MaxMissing: maxMissing}, nil
	}
	if err != nil {
		return Abilities{}, err
	}
	a, err := abilitiesOf(caps)
	if g.near { // compressing costs more than sending
		a.PackedStreams, a.PackedBatches = false, false
	}
	g.packedBatches.Store(a.PackedBatches)
	return a, err
}

// abilitiesOf returns what capabilities mean for this client. The error is a [*Failure].
func abilitiesOf(caps *repb.ServerCapabilities) (Abilities, error) {
	low, high := orTwo(caps.GetLowApiVersion()), orTwo(caps.GetHighApiVersion())
	if low.Major > 2 || high.Major < 2 {
		return Abilities{}, unusable("it speaks version %s of the API, but not 2", versions(low, high))
	}
	c := caps.GetCacheCapabilities()
	if c == nil {
		return Abilities{}, unusable("it is no cache")
	}
	if !slices.Contains(c.DigestFunctions, repb.DigestFunction_SHA256) {
		return Abilities{}, unusable("its digests are not SHA-256")
	}
	a := Abilities{
		API:           versions(low, high),
		Writes:        c.GetActionCacheUpdateCapabilities().GetUpdateEnabled(),
		Executes:      caps.GetExecutionCapabilities().GetExecEnabled(),
		MaxBatch:      c.MaxBatchTotalSizeBytes,
		MaxMissing:    maxMissing,
		MaxBlob:       max(c.MaxCasBlobSizeBytes, 0),
		PackedStreams: slices.Contains(c.SupportedCompressors, repb.Compressor_ZSTD),
		PackedBatches: slices.Contains(c.SupportedBatchUpdateCompressors, repb.Compressor_ZSTD),
	}
	if a.MaxBatch <= 0 {
		a.MaxBatch = unlimitedBatch
	}
	return a, nil
}

func unusable(format string, args ...any) *Failure {
	return &Failure{Class: refused, Tries: 1, Text: fmt.Sprintf(format, args...)}
}

// orTwo returns a version; one that is not set is 2.0.
func orTwo(v *semver.SemVer) *semver.SemVer {
	if v.GetMajor() == 0 && v.GetMinor() == 0 {
		return &semver.SemVer{Major: 2}
	}
	return v
}

func versions(low, high *semver.SemVer) string {
	text := fmt.Sprintf("%d.%d", low.Major, low.Minor)
	if high.Major != low.Major || high.Minor != low.Minor {
		text += fmt.Sprintf("-%d.%d", high.Major, high.Minor)
	}
	return text
}

package serve

import (
	"context"
	"slices"

	repb "github.com/bazelbuild/remote-apis/build/bazel/remote/execution/v2"
)

// maxInline is the maximum size in bytes of blobs inlined in a result on request.
const maxInline = 1 << 20

// actions is the action cache: each instance has its own.
type actions struct {
	rpcServer
	repb.UnimplementedActionCacheServer
}

// GetActionResult implements [repb.ActionCacheServer].
func (s actions) GetActionResult(ctx context.Context, q *repb.GetActionResultRequest) (*repb.ActionResult, error) {
	k, _, err := actionKey(q.InstanceName, q.ActionDigest, q.DigestFunction)
	if err != nil {
		return nil, err
	}
	r, err := s.lookUp(k)
	if err != nil {
		return nil, err
	}
	if action, ok := parseKey(q.ActionDigest.GetHash()); ok {
		s.store.blobs.use(action) // weft asks for many actions first, to look for the results of those that are here
	}
	if err := s.inline(r, q); err != nil {
		return nil, err
	}
	return r, nil
}

// UpdateActionResult implements [repb.ActionCacheServer].
func (s actions) UpdateActionResult(ctx context.Context, q *repb.UpdateActionResultRequest) (*repb.ActionResult, error) {
	k, instance, err := actionKey(q.InstanceName, q.ActionDigest, q.DigestFunction)
	if err != nil {
		return nil, err
	}
	who, err := s.caller(ctx)
	if err == nil {
		err = who.checkInstance(instance)
	}
	switch {
	case err != nil:
		return nil, err
	case q.ActionResult == nil:
		return nil, refuse(malformed, "there is no result")
	}
	return q.ActionResult, s.store.putResult(k, q.ActionResult)
}

// actionKey returns what the result of an action is stored by, and the name of the instance.
func actionKey(name string, d *repb.Digest, f repb.DigestFunction_Value) (k key, instance string, err error) {
	if err := checkFunction(f); err != nil {
		return k, "", err
	}
	instance, err = readInstance(name)
	if err != nil {
		return k, "", err
	}
	action, ok := parseKey(d.GetHash())
	if !ok {
		return k, "", refuse(malformed, "%.70q is not a SHA-256 in lower case hexadecimal", d.GetHash())
	}
	return resultKey(instance, action), instance, nil
}

// lookUp returns a result, and counts whether it was there.
func (s *server) lookUp(k key) (*repb.ActionResult, error) {
	r, err := s.store.result(k)
	switch why, _ := reasonOf(err); {
	case err == nil:
		s.metrics.resultHits.Add(1)
	case why == absent:
		s.metrics.resultMisses.Add(1)
	}
	return r, err
}

// inline puts blobs into a result that the client wants there, as far as they are small enough.
func (s actions) inline(r *repb.ActionResult, q *repb.GetActionResultRequest) error {
	left := int64(maxInline)
	take := func(d *repb.Digest, into *[]byte) error {
		digest, err := readDigest(d)
		if err != nil || len(*into) > 0 || digest.Size > left {
			return err
		}
		*into, err = s.store.read(digest, left)
		left -= digest.Size
		s.metrics.sent.Add(digest.Size)
		return err
	}
	if q.InlineStdout && r.StdoutDigest != nil {
		if err := take(r.StdoutDigest, &r.StdoutRaw); err != nil {
			return err
		}
	}
	if q.InlineStderr && r.StderrDigest != nil {
		if err := take(r.StderrDigest, &r.StderrRaw); err != nil {
			return err
		}
	}
	for _, f := range r.OutputFiles {
		if slices.Contains(q.InlineOutputFiles, f.GetPath()) {
			if err := take(f.GetDigest(), &f.Contents); err != nil {
				return err
			}
		}
	}
	return nil
}

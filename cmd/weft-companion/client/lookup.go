package client

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"time"

	"github.com/weftrun/weft/engine/cache"
)

const (
	// lookupLimit is how long it may take to ask for a result, with everything that belongs to it.
	lookupLimit = 5 * time.Second
	// maxInline is the size in bytes of the largest result that is not stored as a blob.
	maxInline = 1 << 20
)

// found is a result: its message, or the digest of one that is in the local cache since it is large.
type found struct {
	message []byte
	large   cache.Digest
}

// lookup returns the result of an action. The error of one that the server does not have is a
// [*Failure] of the class absent.
func (c *Cache) lookup(ctx context.Context, call Call, action cache.Digest) (found, error) {
	message, err := c.result(ctx, call, action)
	if err != nil {
		return found{}, err
	}
	inner, wrapped := unwrap(message)
	switch {
	case wrapped:
		return c.inner(ctx, call, inner)
	case c.say.executes: // a runner has always left one
		return found{}, &Failure{Class: absent, Text: "the result is not that of a runner"}
	}
	return c.place(message)
}

// inner returns the result that is a blob of the server.
func (c *Cache) inner(ctx context.Context, call Call, inner cache.Digest) (found, error) {
	missing, err := c.fetch(ctx, call, []cache.Digest{inner})
	if err == nil && len(missing) > 0 {
		err = &Failure{Class: absent, Text: "the blob with the result is missing"}
	}
	if err != nil || inner.Size > maxInline {
		return found{large: inner}, err
	}
	message, err := c.read(inner)
	return found{message: message}, err
}

// result asks the server for a result.
func (c *Cache) result(ctx context.Context, call Call, action cache.Digest) (message []byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, lookupLimit)
	defer cancel()
	if err := c.ready(ctx); err != nil {
		return nil, err
	}
	lacking := c.lacks(ctx, action)
	if lacking && c.screen.trusts() {
		return nil, &Failure{Class: absent, Text: "there is no such action"}
	}
	err = c.do(ctx, asking, func(ctx context.Context) (err error) {
		message, err = c.server.Result(ctx, call, action)
		return err
	})
	c.screen.note(err, lacking)
	if is(err, unsupported) {
		c.giveUp("it keeps no results")
		c.say.warnDown(fmt.Sprintf("keeps no results (%s)", c.say.clean(err.Error())))
	}
	return message, err
}

// place puts a result into the local cache if it is too large for a message to weft.
func (c *Cache) place(message []byte) (f found, err error) {
	if len(message) <= maxInline {
		return found{message: message}, nil
	}
	f.large, err = c.local.Put(message)
	return f, err
}

// read returns a blob of the local cache.
func (c *Cache) read(blob cache.Digest) ([]byte, error) {
	f, err := c.local.OpenUnverified(blob)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readBlob(f, blob)
}

// readBlob reads a blob, and compares it with its digest.
func readBlob(f io.ReaderAt, blob cache.Digest) ([]byte, error) {
	b := make([]byte, blob.Size)
	if n, err := f.ReadAt(b, 0); n < len(b) {
		if err == io.EOF {
			err = errChanged
		}
		return nil, err
	}
	if cache.DigestOf(b) != blob {
		return nil, errChanged
	}
	return b, nil
}

// A large result is stored like that of a run elsewhere: as a blob that a small result names. A
// Tree, which is one more blob, names everything that the large one names, so that the server keeps
// all of it together.
const (
	wrappedResult = ".weft/out/result"
	wrappedBlobs  = ".weft/out/cas"
)

// unwrap returns the blob with the result that a result, of a success, stands for, if it does.
func unwrap(message []byte) (inner cache.Digest, ok bool) {
	if !bytes.Contains(message, []byte(wrappedResult)) {
		return inner, false
	}
	r, err := cache.DecodeActionResult(message)
	if err != nil || r.ExitCode != 0 || len(r.Files) != 1 || r.Files[0].Path != wrappedResult || r.Files[0].Digest.Size > cache.MaxResult {
		return inner, false
	}
	return r.Files[0].Digest, true
}

// wrap returns the small result that stands for one that is a blob of the local cache, and the Tree
// of the blobs that this names.
func wrap(inner cache.Digest, blobs []cache.Digest) (message, tree []byte) {
	root := cache.Directory{}
	for _, b := range sortedByHash(blobs) {
		root.Files = append(root.Files, cache.FileNode{Name: b.Hex(), Digest: b})
	}
	t := cache.Tree{Root: root}
	tree = t.Append(nil)
	r := cache.ActionResult{
		Files:       []cache.OutputFile{{Path: wrappedResult, Digest: inner}},
		Directories: []cache.OutputDirectory{{Path: wrappedBlobs, Tree: cache.DigestOf(tree)}},
		Metadata:    cache.ExecutedActionMetadata{Worker: "weft/1"},
	}
	return r.Append(nil), tree
}

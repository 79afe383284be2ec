package serve

import (
	"strings"

	"github.com/weftrun/weft/engine/cache"
)

// resource is the parsed name of a stream:
//
//	[INSTANCE/]uploads/UUID/blobs/HASH/SIZE[/…]
//	[INSTANCE/]uploads/UUID/compressed-blobs/zstd/HASH/SIZE[/…]
//	[INSTANCE/]blobs/HASH/SIZE
//	[INSTANCE/]compressed-blobs/zstd/HASH/SIZE
//
// The name of an instance may have slashes, but none of these words as a part. Nothing of the name
// becomes the name of a file but the hash.
type resource struct {
	instance string
	upload   string // UUID; "" if the blob is to be read
	zstd     bool
	digest   cache.Digest
}

// maxResource is the maximum length of a name, in bytes.
const maxResource = 4 << 10

// parseResource parses a name; the error is a refusal.
func parseResource(name string) (resource, error) {
	wrong := refuse(malformed, "%.200q is not the name of a blob or an upload", name)
	if len(name) > maxResource {
		return resource{}, wrong
	}
	parts := strings.Split(name, "/")
	at := 0
	for ; at < len(parts); at++ {
		if p := parts[at]; p == "uploads" || p == "blobs" || p == "compressed-blobs" {
			break
		}
	}
	var r resource
	var err error
	if r.instance, err = readInstance(strings.Join(parts[:at], "/")); err != nil {
		return resource{}, err
	}
	parts = parts[at:]
	upload := len(parts) > 2 && parts[0] == "uploads"
	if upload {
		if r.upload = parts[1]; r.upload == "" {
			return resource{}, wrong
		}
		parts = parts[2:]
	}
	switch {
	case len(parts) >= 3 && parts[0] == "blobs":
		parts = parts[1:]
	case len(parts) >= 4 && parts[0] == "compressed-blobs" && parts[1] == "zstd":
		r.zstd = true
		parts = parts[2:]
	default:
		return resource{}, wrong
	}
	if len(parts) > 2 && !upload { // after an upload a client may write what it likes
		return resource{}, wrong
	}
	r.digest, err = parseDigest(parts[0], parts[1])
	return r, err
}

package serve

import (
	"encoding/hex"
	"strconv"

	repb "github.com/bazelbuild/remote-apis/build/bazel/remote/execution/v2"

	"github.com/weftrun/weft/engine/cache"
)

// key names a file that is kept: the SHA-256 of a blob, or what a result is stored by.
type key [32]byte

// String returns the key in hexadecimal, as in the names of files.
func (k key) String() string { return hex.EncodeToString(k[:]) }

// parseKey returns the key that 64 hexadecimal digits in lower case stand for.
func parseKey(text string) (k key, ok bool) {
	if len(text) != hex.EncodedLen(len(k)) {
		return k, false
	}
	for i := range len(text) {
		if c := text[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return k, false
		}
	}
	hex.Decode(k[:], []byte(text))
	return k, true
}

// emptyBlob is the digest of no bytes. That blob always exists.
var emptyBlob = cache.DigestOf(nil)

// parseDigest returns a digest whose parts are texts, as in the name of a resource.
func parseDigest(hash, size string) (cache.Digest, error) {
	n, err := strconv.ParseInt(size, 10, 64)
	if err != nil || strconv.FormatInt(n, 10) != size {
		return cache.Digest{}, refuse(malformed, "%.40q is not a size in bytes", size)
	}
	return newDigest(hash, n)
}

// readDigest returns the digest in a message.
func readDigest(d *repb.Digest) (cache.Digest, error) {
	if d == nil {
		return cache.Digest{}, refuse(malformed, "a digest is missing")
	}
	return newDigest(d.Hash, d.SizeBytes)
}

func newDigest(hash string, size int64) (cache.Digest, error) {
	k, ok := parseKey(hash)
	d := cache.Digest{Hash: k, Size: size}
	switch {
	case !ok:
		return d, refuse(malformed, "%.70q is not a SHA-256 in lower case hexadecimal", hash)
	case size < 0:
		return d, refuse(malformed, "a blob cannot have %d bytes", size)
	case (size == 0) != (d.Hash == emptyBlob.Hash):
		return d, refuse(malformed, "the blob %.12s… cannot have %d bytes", hash, size)
	}
	return d, nil
}

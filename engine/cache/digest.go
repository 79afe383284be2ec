package cache

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"

	"github.com/weftrun/weft/internal/wire"
)

// Digest names a blob by its content. The zero Digest names none: that of the empty
// blob has a hash.
type Digest struct {
	Hash [sha256.Size]byte
	Size int64 // bytes
}

// DigestOf returns the digest of b.
func DigestOf(b []byte) Digest { return Digest{sha256.Sum256(b), int64(len(b))} }

// IsZero reports whether d names no blob.
func (d Digest) IsZero() bool { return d == Digest{} }

// Hex returns the hash in hexadecimal, as in the names of files.
//
//go:noinline
func (d Digest) Hex() string { return hex.EncodeToString(d.Hash[:]) }

// String returns the hash in hexadecimal and the size: "e3b0…/0".
func (d Digest) String() string { return d.Hex() + "/" + strconv.FormatInt(d.Size, 10) }

// Append appends the message to b.
func (d Digest) Append(b []byte) []byte {
	var hash [2 * sha256.Size]byte
	hex.Encode(hash[:], d.Hash[:])
	b = wire.AppendText(b, 1, hash[:])
	return wire.AppendInt(b, 2, d.Size)
}

// appendDigest appends d as a field, unless it names no blob.
//
//go:noinline
func appendDigest(b []byte, field int, d Digest) []byte {
	if d.IsZero() {
		return b
	}
	return wire.AppendMessage(b, field, d.Append)
}

// readDigest reads the digest in the field that d has moved to into out.
func readDigest(d *wire.Decoder, out *Digest) error {
	var got Digest
	m := wire.NewDecoder(d.Bytes())
	hashed := false
	for m.Next() {
		switch m.Field() {
		case 1:
			if err := got.setHash(m.Bytes()); err != nil {
				return err
			}
			hashed = true
		case 2:
			got.Size = m.Int()
		}
	}
	switch {
	case m.Err() != nil:
		return m.Err()
	case d.Err() != nil:
		return d.Err()
	case !hashed || got.Size < 0:
		return fmt.Errorf("%w: a digest without a hash, or with the size %d", wire.ErrMalformed, got.Size)
	}
	*out = got
	return nil
}

// setHash sets the hash from hexadecimal digits, which must be in lower case.
func (d *Digest) setHash(hexadecimal []byte) error {
	n, err := hex.Decode(d.Hash[:], hexadecimal[:min(len(hexadecimal), 2*sha256.Size)])
	if err != nil || n != sha256.Size || len(hexadecimal) != 2*sha256.Size || d.Hex() != string(hexadecimal) || d.Hash == [sha256.Size]byte{} {
		return fmt.Errorf("%w: %.70q is not a SHA-256 in lower case hexadecimal", wire.ErrMalformed, hexadecimal)
	}
	return nil
}

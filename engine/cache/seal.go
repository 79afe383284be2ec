package cache

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"slices"

	"github.com/weftrun/weft/internal/wire"
)

// A result that the store keeps has a seal: a last [Any] in its metadata with a SHA-256 of the
// digest of its Action and the message, in which the seal itself is zero. Without it, a damaged
// file could be any well-formed result.

const sealType = "weft.run/seal.v1"

// seal returns the seal of a message whose seal is zero.
func seal(action Digest, message []byte) [sha256.Size]byte {
	h := sha256.New()
	h.Write(action.Hash[:])
	h.Write(message)
	var sum [sha256.Size]byte
	h.Sum(sum[:0])
	return sum
}

// sealed returns the message with its seal. The result is not changed.
func (r *ActionResult) sealed(action Digest) []byte {
	with := *r
	var zero [sha256.Size]byte
	with.Metadata.Auxiliary = append(slices.Clip(r.Metadata.Auxiliary), Any{Type: sealType, Value: wire.AppendText(nil, 1, zero[:])})
	b := with.Append(make([]byte, 0, 1024+len(r.Files)*192))
	sum := seal(action, b)
	copy(sealIn(b), sum[:])
	return b
}

// sealIn returns the part of a message that is its seal; nil if it has none.
func sealIn(b []byte) (seal []byte) {
	read(b, func(d *wire.Decoder) error {
		if d.Field() != 9 {
			return nil
		}
		return read(d.Bytes(), func(d *wire.Decoder) error {
			if d.Field() != 11 {
				return nil
			}
			seal = nil // of these, the last one counts
			var a Any
			if err := read(d.Bytes(), a.field); err != nil || a.Type != sealType {
				return err
			}
			read(a.Value, func(d *wire.Decoder) error {
				if b := d.Bytes(); d.Field() == 1 && len(b) == sha256.Size {
					seal = b
				}
				return nil
			})
			return nil
		})
	})
	return seal
}

var errSeal = errors.New("it is damaged: its seal does not match")

// unseal returns the result in a message that sealed has made, without the seal. It changes b.
func unseal(b []byte, action Digest) (*ActionResult, error) {
	at := sealIn(b)
	if at == nil {
		return nil, errSeal
	}
	sum := [sha256.Size]byte(at)
	clear(at)
	if seal(action, b) != sum {
		return nil, errSeal
	}
	r, err := DecodeActionResult(b)
	if err != nil {
		return nil, err
	}
	// b, which may be large, is not kept.
	last := len(r.Metadata.Auxiliary) - 1
	r.Metadata.Auxiliary = slices.Clone(r.Metadata.Auxiliary[:last])
	for i := range r.Metadata.Auxiliary {
		a := &r.Metadata.Auxiliary[i]
		a.Value = bytes.Clone(a.Value)
	}
	return r, nil
}

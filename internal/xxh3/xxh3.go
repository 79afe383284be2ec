// Package xxh3 is the hash XXH3 with 128 bits, seed 0, in plain Go.
//
// The algorithm is that of the xxHash specification (Yann Collet,
// https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md). A test
// compares every path with github.com/zeebo/xxh3. That one is faster, because
// it uses the processor's vectors, but asking the processor for them when the
// program starts costs half a millisecond on a virtual machine, more than the
// rest of starting up and more than most runs hash.
package xxh3

import (
	"encoding/binary"
	"math/bits"
)

// Uint128 is a hash.
type Uint128 struct{ Hi, Lo uint64 }

// Bytes returns u with its most significant byte first.
func (u Uint128) Bytes() (b [16]byte) {
	binary.BigEndian.PutUint64(b[:8], u.Hi)
	binary.BigEndian.PutUint64(b[8:], u.Lo)
	return b
}

const (
	prime32x1 = 0x9E3779B1
	prime32x2 = 0x85EBCA77
	prime32x3 = 0xC2B2AE3D
	prime64x1 = 0x9E3779B185EBCA87
	prime64x2 = 0xC2B2AE3D27D4EB4F
	prime64x3 = 0x165667B19E3779F9
	prime64x4 = 0x85EBCA77C2B2AE63
	prime64x5 = 0x27D4EB2F165667C5
	primeMix1 = 0x165667919E3779F9
	primeMix2 = 0x9FB21C651E98DF25
)

const (
	shortest = 240 // bytes up to which an input is hashed in one piece
	stripe   = 64
	perBlock = (len(secret) - stripe) / 8 // stripes between two scrambles
)

// secret is the specification's default.
const secret = "" +
	"\xb8\xfe\x6c\x39\x23\xa4\x4b\xbe\x7c\x01\x81\x2c\xf7\x21\xad\x1c\xde\xd4\x6d\xe9\x83\x90\x97\xdb\x72\x40\xa4\xa4\xb7\xb3\x67\x1f" +
	"\xcb\x79\xe6\x4e\xcc\xc0\xe5\x78\x82\x5a\xd0\x7d\xcc\xff\x72\x21\xb8\x08\x46\x74\xf7\x43\x24\x8e\xe0\x35\x90\xe6\x81\x3a\x26\x4c" +
	"\x3c\x28\x52\xbb\x91\xc3\x00\xcb\x88\xd0\x65\x8b\x1b\x53\x2e\xa3\x71\x64\x48\x97\xa2\x0d\xf9\x4e\x38\x19\xef\x46\xa9\xde\xac\xd8" +
	"\xa8\xfa\x76\x3f\xe3\x9c\x34\x3f\xf9\xdc\xbb\xc7\xc7\x0b\x4f\x1d\x8a\x51\xe0\x4b\xcd\xb4\x59\x31\xc8\x9f\x7e\xc9\xd9\x78\x73\x64" +
	"\xea\xc5\xac\x83\x34\xd3\xeb\xc3\xc5\x81\xa0\xff\xfa\x13\x63\xeb\x17\x0d\xdd\x51\xb7\xf0\xda\x49\xd3\x16\x55\x26\x29\xd4\x68\x9e" +
	"\x2b\x16\xbe\x58\x7d\x47\xa1\xfc\x8f\xf8\xb8\xd1\x7a\xd0\x31\xce\x45\xcb\x3a\x8f\x95\x16\x04\x28\xaf\xd7\xfb\xca\xbb\x4b\x40\x7e"

// Hash128 returns the hash of b.
func Hash128(b []byte) Uint128 {
	if len(b) <= shortest {
		return short(b)
	}
	s := start
	n := (len(b) - 1) / stripe
	s.consume(b[:n*stripe])
	s.accumulate(b[len(b)-stripe:], lastKeys)
	return s.merge(uint64(len(b)))
}

func short(b []byte) Uint128 {
	switch n := len(b); {
	case n == 0:
		return Uint128{Hi: mix64(key(80) ^ key(88)), Lo: mix64(key(64) ^ key(72))}
	case n <= 3:
		return upTo3(b)
	case n <= 8:
		return upTo8(b)
	case n <= 16:
		return upTo16(b)
	case n <= 128:
		return upTo128(b)
	}
	return upTo240(b)
}

func upTo3(b []byte) Uint128 {
	n := uint32(len(b))
	lo := uint32(b[0])<<16 | uint32(b[n>>1])<<24 | uint32(b[n-1]) | n<<8
	hi := bits.RotateLeft32(bits.ReverseBytes32(lo), 13)
	return Uint128{
		Lo: mix64(uint64(lo) ^ uint64(uint32(key(0))^uint32(key(4)))),
		Hi: mix64(uint64(hi) ^ uint64(uint32(key(8))^uint32(key(12)))),
	}
}

func upTo8(b []byte) Uint128 {
	n := len(b)
	in := uint64(binary.LittleEndian.Uint32(b)) | uint64(binary.LittleEndian.Uint32(b[n-4:]))<<32
	hi, lo := bits.Mul64(in^key(16)^key(24), prime64x1+uint64(n)<<2)
	hi += lo << 1
	lo ^= hi >> 3
	lo = (lo ^ lo>>35) * primeMix2
	return Uint128{Hi: avalanche(hi), Lo: lo ^ lo>>28}
}

func upTo16(b []byte) Uint128 {
	n := len(b)
	first, last := word(b), word(b[n-8:])
	hi, lo := bits.Mul64(first^last^key(32)^key(40), prime64x1)
	lo += uint64(n-1) << 54
	last ^= key(48) ^ key(56)
	hi += last + uint64(uint32(last))*(prime32x2-1)
	lo ^= bits.ReverseBytes64(hi)
	outHi, outLo := bits.Mul64(lo, prime64x2)
	outHi += hi * prime64x2
	return Uint128{Hi: avalanche(outHi), Lo: avalanche(outLo)}
}

func upTo128(b []byte) Uint128 {
	n := len(b)
	u := Uint128{Lo: uint64(n) * prime64x1}
	for i := (n - 1) / 32; i >= 0; i-- {
		u.mix(b[16*i:], b[n-16*i-16:], 32*i)
	}
	return u.finish(n)
}

func upTo240(b []byte) Uint128 {
	n := len(b)
	u := Uint128{Lo: uint64(n) * prime64x1}
	for i := 32; i < 160; i += 32 {
		u.mix(b[i-32:], b[i-16:], i-32)
	}
	u.Hi, u.Lo = avalanche(u.Hi), avalanche(u.Lo)
	for i := 160; i <= n; i += 32 {
		u.mix(b[i-32:], b[i-16:], 3+i-160)
	}
	u.mix(b[n-16:], b[n-32:], 136-17-16)
	return u.finish(n)
}

// mix takes 16 bytes of a and of b into u, with the key at k.
func (u *Uint128) mix(a, b []byte, k int) {
	u.Lo = (u.Lo + fold(word(a)^key(k), word(a[8:])^key(k+8))) ^ (word(b) + word(b[8:]))
	u.Hi = (u.Hi + fold(word(b)^key(k+16), word(b[8:])^key(k+24))) ^ (word(a) + word(a[8:]))
}

// finish ends the hash of n mixed bytes.
func (u *Uint128) finish(n int) Uint128 {
	return Uint128{
		Lo: avalanche(u.Lo + u.Hi),
		Hi: -avalanche(u.Lo*prime64x1 + u.Hi*prime64x4 + uint64(n)*prime64x2),
	}
}

// key returns the eight bytes of the secret at i.
func key(i int) uint64 {
	s := secret[i : i+8]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}

func word(b []byte) uint64 { return binary.LittleEndian.Uint64(b) }

func fold(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	return hi ^ lo
}

func avalanche(h uint64) uint64 {
	h = (h ^ h>>37) * primeMix1
	return h ^ h>>32
}

func mix64(h uint64) uint64 {
	h = (h ^ h>>33) * prime64x2
	h = (h ^ h>>29) * prime64x3
	return h ^ h>>32
}

package xxh3

const (
	scrambleKeys = len(secret) - stripe
	lastKeys     = len(secret) - stripe - 7
	mergeKeys    = 11
)

// state is the hash of a long input on its way.
type state struct {
	acc     [8]uint64
	stripes int // since the last scramble
}

var start = state{acc: [8]uint64{prime32x3, prime64x1, prime64x2, prime64x3, prime64x4, prime32x2, prime64x5, prime32x1}}

// consume takes whole stripes; they must not be the last bytes of the input.
func (s *state) consume(b []byte) {
	for ; len(b) >= stripe; b = b[stripe:] {
		s.accumulate(b, 8*s.stripes)
		if s.stripes++; s.stripes == perBlock {
			s.scramble()
			s.stripes = 0
		}
	}
}

// accumulate takes one stripe, with the keys from k on.
func (s *state) accumulate(b []byte, k int) {
	b, a := b[:stripe:stripe], &s.acc
	var v, m uint64
	v = word(b[0:])
	m = v ^ key(k)
	a[1] += v
	a[0] += uint64(uint32(m)) * (m >> 32)
	v = word(b[8:])
	m = v ^ key(k+8)
	a[0] += v
	a[1] += uint64(uint32(m)) * (m >> 32)
	v = word(b[16:])
	m = v ^ key(k+16)
	a[3] += v
	a[2] += uint64(uint32(m)) * (m >> 32)
	v = word(b[24:])
	m = v ^ key(k+24)
	a[2] += v
	a[3] += uint64(uint32(m)) * (m >> 32)
	v = word(b[32:])
	m = v ^ key(k+32)
	a[5] += v
	a[4] += uint64(uint32(m)) * (m >> 32)
	v = word(b[40:])
	m = v ^ key(k+40)
	a[4] += v
	a[5] += uint64(uint32(m)) * (m >> 32)
	v = word(b[48:])
	m = v ^ key(k+48)
	a[7] += v
	a[6] += uint64(uint32(m)) * (m >> 32)
	v = word(b[56:])
	m = v ^ key(k+56)
	a[6] += v
	a[7] += uint64(uint32(m)) * (m >> 32)
}

func (s *state) scramble() {
	for i := range s.acc {
		a := s.acc[i]
		s.acc[i] = (a ^ a>>47 ^ key(scrambleKeys+8*i)) * prime32x1
	}
}

// merge ends the hash of n bytes.
func (s *state) merge(n uint64) Uint128 {
	u := Uint128{Lo: n * prime64x1, Hi: ^(n * prime64x2)}
	for i := 0; i < 8; i += 2 {
		u.Lo += fold(s.acc[i]^key(mergeKeys+8*i), s.acc[i+1]^key(mergeKeys+8*i+8))
		k := len(secret) - stripe - mergeKeys + 8*i
		u.Hi += fold(s.acc[i]^key(k), s.acc[i+1]^key(k+8))
	}
	return Uint128{Hi: avalanche(u.Hi), Lo: avalanche(u.Lo)}
}

// Hasher hashes what is written to it. The zero Hasher is ready to use; it is
// not safe for concurrent use.
type Hasher struct {
	state state
	long  bool // state is in use: something has left buf
	total uint64
	buf   [256]byte    // the end of what was written, never empty once long
	n     int          // bytes in buf
	tail  [stripe]byte // what left buf last
}

// Write implements io.Writer; it never fails.
func (h *Hasher) Write(p []byte) (int, error) {
	written := len(p)
	h.total += uint64(written)
	if h.n+len(p) <= len(h.buf) {
		h.n += copy(h.buf[h.n:], p)
		return written, nil
	}
	if !h.long {
		h.state, h.long = start, true
	}
	if h.n > 0 {
		p = p[copy(h.buf[h.n:], p):]
		h.take(h.buf[:])
	}
	if len(p) > len(h.buf) {
		n := (len(p) - 1) / stripe * stripe
		h.take(p[:n])
		p = p[n:]
	}
	h.n = copy(h.buf[:], p)
	return written, nil
}

// take consumes whole stripes that more bytes follow.
func (h *Hasher) take(b []byte) {
	h.state.consume(b)
	copy(h.tail[:], b[len(b)-stripe:])
}

// Sum128 returns the hash of what was written so far; more may be written.
func (h *Hasher) Sum128() Uint128 {
	if h.total <= shortest {
		return short(h.buf[:h.n])
	}
	s := h.state
	if !h.long {
		s = start
	}
	s.consume(h.buf[:(h.n-1)/stripe*stripe])
	last := h.tail
	if h.n >= stripe {
		copy(last[:], h.buf[h.n-stripe:h.n])
	} else {
		copy(last[:], h.tail[h.n:])
		copy(last[stripe-h.n:], h.buf[:h.n])
	}
	s.accumulate(last[:], lastKeys)
	return s.merge(h.total)
}

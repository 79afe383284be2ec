package schema

// slab hands out values and short slices from larger blocks, since a file may
// hold very many of them.
type slab[T any] struct{ free []T }

// take returns a zero slice of length n that nobody else holds. It is not nil:
// an empty list in the file is not the same as none.
func (s *slab[T]) take(n int) []T {
	if n == 0 {
		return []T{}
	}
	if n > len(s.free) {
		if n >= 64 {
			return make([]T, n)
		}
		s.free = make([]T, 64)
	}
	out := s.free[:n:n]
	s.free = s.free[n:]
	return out
}

// reused hands out values and slices from blocks that are used again after
// each rewind.
type reused[T any] struct {
	blocks [][]T
	block  int // from which values are taken
	used   int // of that block
}

func (u *reused[T]) rewind() { u.block, u.used = 0, 0 }

func (u *reused[T]) next() *T { return &u.take(1)[0] }

// take returns a slice of length n with whatever it had before.
func (u *reused[T]) take(n int) []T {
	for ; u.block < len(u.blocks); u.block, u.used = u.block+1, 0 {
		if b := u.blocks[u.block]; u.used+n <= len(b) {
			u.used += n
			return b[u.used-n : u.used : u.used]
		}
	}
	u.blocks = append(u.blocks, make([]T, max(n, 256)))
	u.used = n
	return u.blocks[u.block][:n:n]
}

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

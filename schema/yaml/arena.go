package yaml

// arena allocates slices from blocks, which again makes it reuse. The zero value is
// ready.
type arena[T any] struct {
	blocks [][]T
	block  int // from which values are taken
	used   int // of that block
}

// again returns a with all its blocks free.
func (a arena[T]) again() arena[T] { return arena[T]{blocks: a.blocks} }

// take returns a slice of length n, which is not cleared.
func (a *arena[T]) take(n int) []T {
	for ; a.block < len(a.blocks); a.block, a.used = a.block+1, 0 {
		if b := a.blocks[a.block]; a.used+n <= len(b) {
			a.used += n
			return b[a.used-n : a.used : a.used]
		}
	}
	a.blocks = append(a.blocks, make([]T, max(n, 256)))
	a.used = n
	return a.blocks[a.block][:n:n]
}

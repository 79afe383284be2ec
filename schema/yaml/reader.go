package yaml

// Reader reads texts one after the other, each into the memory of the one before:
// a node is valid until the next text is read, the texts it holds for ever. The
// zero value is ready. It is used by one goroutine.
type Reader struct {
	nodes arena[Node]
	lists arena[*Node]
	found []*Node // children of the collections that are being read
	made  int     // nodes of this text
}

func (r *Reader) rewind() {
	r.nodes.rewind()
	r.lists.rewind()
	r.found, r.made = r.found[:0], 0
}

// arena hands out values and slices from blocks that are used again after each
// rewind. The zero value is ready.
type arena[T any] struct {
	blocks [][]T
	block  int // from which values are taken
	used   int // of that block
}

func (a *arena[T]) rewind() { a.block, a.used = 0, 0 }

// take returns a slice of length n with whatever it had before.
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

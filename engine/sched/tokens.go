package sched

// Tokens limit the concurrency of the run together with other programs that take from the same
// source: those of make's jobserver. One job is always allowed, so a run that holds n slots holds
// n-1 tokens. Their methods must not block.
type Tokens interface {
	Take() bool // takes one if available
	Give(n int) // gives n back
	// Await returns a channel that is closed when one may be free again.
	Await() <-chan struct{}
}

// tokens are the tokens of a run. They belong to the loop.
type tokens struct {
	from Tokens // nil: only slots count
	held int
	free <-chan struct{} // closed when the next node may get a token; nil: none waits
}

// admits reports whether there are tokens for more slots. A step that runs alone needs none, so
// that the run always makes progress.
func (t *tokens) admits(s *slots, more int) bool {
	if t.from == nil || more == 0 || s.taken == s.lent {
		return true
	}
	for ; t.held < s.taken+more-1; t.held++ {
		if !t.from.Take() {
			t.free = t.from.Await()
			return false
		}
	}
	return true
}

// settle returns tokens that taken slots do not need, unless a node waits for more.
func (t *tokens) settle(taken int) {
	if more := t.held - max(taken-1, 0); more > 0 && t.free == nil {
		t.from.Give(more)
		t.held -= more
	}
}

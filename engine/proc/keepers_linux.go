package proc

import (
	"slices"
	"sync"
)

// keepers are the KEEPERs of all tables. They are weft's children beside
// others; each is waited for, and its loss dealt with, by who talks to it alone.
var keepers keeperSet

type keeperSet struct {
	mu   sync.Mutex // guards pids
	pids []int
}

// start calls fork, which makes a KEEPER, and remembers that.
func (k *keeperSet) start(fork func() (pid int, err error)) (int, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	pid, err := fork()
	if err == nil {
		k.pids = append(k.pids, pid)
	}
	return pid, err
}

// ended forgets a KEEPER that was waited for.
func (k *keeperSet) ended(pid int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.pids = slices.DeleteFunc(k.pids, func(p int) bool { return p == pid })
}

// unless calls f unless pid is a KEEPER, which it cannot become meanwhile.
func (k *keeperSet) unless(pid int, f func()) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !slices.Contains(k.pids, pid) {
		f()
	}
}

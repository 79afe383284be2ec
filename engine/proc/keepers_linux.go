package proc

import (
	"slices"
	"sync"
)

// keepers holds the KEEPERs of all tables. Only the link to a KEEPER may wait for it; other waiters
// for children exclude KEEPERs.
var keepers keeperSet

type keeperSet struct {
	mu   sync.Mutex // guards pids
	pids []int
}

// start calls fork, which starts a KEEPER, and adds it.
func (k *keeperSet) start(fork func() (pid int, err error)) (int, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	pid, err := fork()
	if err == nil {
		k.pids = append(k.pids, pid)
	}
	return pid, err
}

// ended removes a KEEPER that was waited for.
func (k *keeperSet) ended(pid int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.pids = slices.DeleteFunc(k.pids, func(p int) bool { return p == pid })
}

// callUnlessKeeper calls f unless pid is a KEEPER. No KEEPER is started while f runs.
func (k *keeperSet) callUnlessKeeper(pid int, f func()) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !slices.Contains(k.pids, pid) {
		f()
	}
}

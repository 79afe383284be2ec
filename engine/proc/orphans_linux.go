//go:build amd64 || arm64

package proc

import (
	"os"
	"os/signal"
	"syscall"
)

// ReapOrphans makes weft reap orphans, as the first process of a container must: processes
// that others have started in the container and left. It returns at once; orphans are
// reaped for as long as weft runs.
func (t *Table) ReapOrphans() {
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGCHLD)
	go func() {
		for range ended {
			for _, pid := range children() {
				keepers.callUnlessKeeper(pid, func() { syscall.Wait4(pid, nil, syscall.WNOHANG, nil) })
			}
		}
	}()
}

//go:build amd64 || arm64

package proc

import (
	"os"
	"os/signal"
	"syscall"
)

// ReapStrangers reaps, as the first process of a container has to, what the
// system makes its children: processes that somebody else started in the
// container and left. It returns at once and goes on for as long as weft runs.
func (t *Table) ReapStrangers() {
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGCHLD)
	go func() {
		for range ended {
			for _, pid := range children() {
				keepers.unless(pid, func() { syscall.Wait4(pid, nil, syscall.WNOHANG, nil) })
			}
		}
	}()
}

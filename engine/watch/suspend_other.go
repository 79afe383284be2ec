//go:build !unix

package watch

import "os"

// isSuspend returns false: there is no job control on this system.
func isSuspend(os.Signal) bool { return false }

// suspend does nothing: there is no job control on this system.
func (w *Watcher) suspend(os.Signal) {}

//go:build !unix

package watch

import "os"

// suspend does nothing: there is no Ctrl-Z here.
func (w *Watcher) suspend(os.Signal) {}

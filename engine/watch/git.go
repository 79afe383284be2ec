package watch

import (
	"context"
	"path/filepath"
	"time"

	"github.com/weftrun/weft/engine/fswatch"
)

// gitPatience is how long a checkout may take.
const gitPatience = 10 * time.Second

// afterGit returns b with all that comes until git has ended what it does: it changes many
// files, and some twice.
func (w *Watcher) afterGit(ctx context.Context, b fswatch.Batch) fswatch.Batch {
	lock := filepath.Join(w.workflow.Dir, ".git", "index.lock")
	for end := time.Now().Add(gitPatience); time.Now().Before(end); {
		if _, locked := w.files.Stat(lock); !locked {
			break
		}
		select {
		case more := <-w.changes.Batches():
			b.Lost = b.Lost || more.Lost
			b.Paths = append(b.Paths, more.Paths...)
		case <-w.clock.After(20 * time.Millisecond):
		case <-ctx.Done():
			return b
		}
	}
	return b
}

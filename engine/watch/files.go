package watch

import (
	"context"
	"os"
	"time"

	"github.com/weftrun/weft/engine/glob"
)

// files is what watching sees of files: the disk, but in tests.
type files interface {
	// Digests are those of the files that patterns match, by path.
	Digests(ctx context.Context, dir string, patterns []glob.Pattern, gitignore bool) (map[string]glob.Digest, error)
	// DigestOf is the digest of one file, or zero.
	DigestOf(ctx context.Context, path string) glob.Digest
	SetContent(path string, d glob.Digest) // tells what DigestOf was
	Changed(path string)                   // tells that a path has changed
	Dirty()                                // tells that any path may have
	Stat(path string) (s stamp, ok bool)
}

// stamp is what a file looks like without being read.
type stamp struct {
	size     int64
	modified time.Time
}

// disk is files as the runs see them, too.
type disk struct{ *glob.Tree }

func (disk) Stat(path string) (s stamp, ok bool) {
	st, err := os.Stat(path)
	if err != nil {
		return stamp{}, false
	}
	return stamp{st.Size(), st.ModTime()}, true
}

package glob

import (
	"context"
	"crypto/sha256"
	"io"
	"time"
)

// FindAndRead is Find for the first time: it expects that [Tree.Read] reads all files afterwards, and
// reads small ones as it finds them. That saves for each file one stat and the search for its path.
func (t *Tree) FindAndRead(ctx context.Context, dir string, ps []Pattern, gitignore bool) (Set, error) {
	m := reading
	for i := range ps {
		if gitignore || ps[i].Exclude {
			m = finding // what is left out later must not be read
		}
	}
	return t.findBy(ctx, dir, ps, gitignore, m)
}

// smallFiles reads small files of one directory.
type smallFiles struct {
	now      time.Time
	buf      *buffer
	left     int       // that may still be read
	contents []Content // unused ones
}

// maxSmallFiles is how many files of one directory are read while it is listed: the others are read
// by [Tree.Read], on all processors, and until its context ends.
const maxSmallFiles = 1024

func readSmall() *smallFiles {
	return &smallFiles{now: time.Now(), buf: buffers.Get().(*buffer), left: maxSmallFiles}
}

func (s *smallFiles) done() { buffers.Put(s.buf) }

// read determines the properties and the content of a small regular file in the directory fd. It
// returns false if e is anything else, or may still be changing.
func (s *smallFiles) read(e *entry, fd int) bool {
	if e.kind != isFile || e.content != nil || s.left == 0 {
		return false
	}
	f, err := openSmall(fd, e.name)
	if err != nil {
		return false
	}
	defer f.Close()
	st, err := f.stat()
	if err != nil || !st.Regular() || st.Size >= int64(len(s.buf)) || st.Recent(s.now) {
		return false
	}
	n, err := f.Read(s.buf[:])
	if err != nil && err != io.EOF || int64(n) != st.Size {
		return false
	}
	if len(s.contents) == 0 {
		s.contents = make([]Content, 64)
	}
	e.looked, e.st, e.content = true, st, &s.contents[0]
	*e.content = Content{Stat: st, Digest: sha256.Sum256(s.buf[:n])}
	s.contents = s.contents[1:]
	s.left--
	return true
}

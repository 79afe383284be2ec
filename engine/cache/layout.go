package cache

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"sync/atomic"
	"syscall"
)

// LayOut makes the inputs of an Action in the directory to, which is empty, as a worker does: files,
// which are copies of those in the directory from, or share their content, links, directories that
// may be empty, and the act. Nothing else is there. It is an error if a file differs from its digest,
// because it was changed meanwhile. in must be one that [NewRemoteKey] accepts.
func LayOut(ctx context.Context, in *Inputs, from, to string) error {
	root, err := os.OpenRoot(to)
	if err != nil {
		return err
	}
	defer root.Close()
	made := map[string]bool{".": true}
	parent := func(dir string) error {
		if made[dir] {
			return nil
		}
		made[dir] = true
		return root.MkdirAll(dir, 0o777)
	}
	for _, d := range in.Dirs {
		if err := parent(d); err != nil {
			return err
		}
	}
	for i := range in.Files {
		if err := parent(path.Dir(in.Files[i].Path)); err != nil {
			return err
		}
	}
	if err := parent(path.Dir(ActPath)); err != nil {
		return err
	}
	if err := root.WriteFile(ActPath, in.Act.Append(nil), 0o666); err != nil {
		return err
	}
	l := &layout{from: from, root: root}
	return parallel(ctx, len(in.Files), func() *placer { return &placer{layout: l} }, func(ctx context.Context, p *placer, i int) error {
		if err := p.place(ctx, &in.Files[i]); err != nil {
			return fmt.Errorf("its source %q: %w", in.Files[i].Path, err)
		}
		return nil
	})
}

type layout struct {
	from    string
	root    *os.Root
	noClone atomic.Bool // the file systems cannot share content
}

// placer makes files in one goroutine.
type placer struct {
	*layout
	c copier
}

func (p *placer) close() { p.c.close() }

func (p *placer) place(ctx context.Context, f *File) error {
	if f.Target != "" {
		return p.root.Symlink(filepath.FromSlash(f.Target), f.Path)
	}
	// O_NONBLOCK: the file may have become a pipe.
	src, err := os.OpenFile(filepath.Join(p.from, filepath.FromSlash(f.Path)), os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer src.Close()
	if st, err := src.Stat(); err != nil || !st.Mode().IsRegular() || st.Size() != f.Digest.Size {
		return errInput
	}
	perm := os.FileMode(0o666)
	if f.Executable {
		perm = 0o777
	}
	dst, err := p.root.OpenFile(f.Path, os.O_RDWR|os.O_CREATE|os.O_EXCL, perm)
	if err != nil {
		return err
	}
	var to io.Writer = dst
	var read io.Reader = src
	if !p.noClone.Load() {
		switch err := clone(dst, src); {
		case err == nil:
			to, read = nil, dst // which does not change with src
		case cannotClone(err):
			p.noClone.Store(true)
		}
	}
	got, err := p.c.copy(ctx, to, read)
	if e := dst.Close(); err == nil {
		err = e
	}
	if err == nil && got != f.Digest {
		err = errInput
	}
	return err
}

// errInput is the error of an input that is not what its digest was computed from.
var errInput = errors.New("it was changed since its digest was computed")

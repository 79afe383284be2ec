package cache

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"sort"
)

// Saving describes the results of a successful step to keep.
type Saving struct {
	Action   Digest
	Messages [][]byte // the Action and its parts, which are kept beside the result

	Root    string   // the directory that paths are relative to
	Outputs []string // in any order; a directory includes its contents

	Log  *os.File // kept from its beginning; nil: it is empty
	Meta Log

	// Secret reports whether a message contains a secret. nil: there are none.
	Secret func(message []byte) bool
}

// ErrSecret is the error of a message that contains a secret.
var ErrSecret = errors.New("it contains the value of a secret variable")

// Save keeps the outputs, the log and the result of a step, and returns the result. Outputs that
// are neither a file, a link nor a directory are omitted. An error means that there is no new
// result: an output cannot be read, was changed meanwhile or is [Unusable], a message contains a
// secret, the disk is full, and so on.
func (d *Disk) Save(ctx context.Context, s *Saving) (*ActionResult, error) {
	if slices.ContainsFunc(s.Messages, s.secret) {
		return nil, ErrSecret
	}
	if up, err := openFolder(s.Root); err == nil {
		d.removeAbandoned(up, s.Root)
		up.Close()
	}
	r, err := s.list()
	if err != nil {
		return nil, err
	}
	if err := d.saveFiles(ctx, s, r.Files); err != nil {
		return nil, err
	}
	if r.Stdout, err = d.saveLog(ctx, s.Log); err != nil {
		return nil, fmt.Errorf("the log: %w", err)
	}
	r.Metadata.Worker = "weft/1"
	r.SetLog(&s.Meta)
	b := r.sealed(s.Action)
	switch {
	case s.secret(b):
		return nil, ErrSecret
	case len(b) > MaxResult:
		return nil, &Unusable{Why: fmt.Sprintf("there are too many outputs: the result has %d bytes, more than %d", len(b), MaxResult)}
	}
	return r, d.keep(s.Action, s.Messages, b)
}

func (s *Saving) secret(message []byte) bool { return s.Secret != nil && s.Secret(message) }

// list returns a result with the outputs, without the digests of files.
func (s *Saving) list() (*ActionResult, error) {
	w, err := newWalker(s.Root)
	if err != nil {
		return nil, err
	}
	defer w.close()
	r := &ActionResult{}
	for _, p := range s.Outputs {
		if why := checkPath(p); why != "" {
			return nil, &Unusable{p, why}
		}
		dir, err := w.to(path.Dir(p))
		if err == nil {
			err = r.add(dir, path.Base(p), p)
		}
		if err != nil {
			return nil, about(p, err)
		}
	}
	// A directory and its contents may both be named.
	r.Files = r.Files[:compact(r.Files, len(r.Files), func(i int) string { return r.Files[i].Path },
		func(to, from int) { r.Files[to] = r.Files[from] })]
	r.Symlinks = r.Symlinks[:compact(r.Symlinks, len(r.Symlinks), func(i int) string { return r.Symlinks[i].Path },
		func(to, from int) { r.Symlinks[to] = r.Symlinks[from] })]
	r.Directories = r.Directories[:compact(r.Directories, len(r.Directories), func(i int) string { return r.Directories[i].Path },
		func(to, from int) { r.Directories[to] = r.Directories[from] })]
	return r, nil
}

// about returns err with the path of the output, unless it names that itself.
func about(p string, err error) error {
	if _, ok := errors.AsType[*Unusable](err); ok {
		return err
	}
	return fmt.Errorf("output %q: %w", p, err)
}

// compact sorts a list of n elements by path, and moves the first of each path to the front. It
// returns their number. As package sort it is compiled once for all types.
func compact(list any, n int, path func(i int) string, move func(to, from int)) int {
	sort.Slice(list, func(i, j int) bool { return path(i) < path(j) })
	kept := 0
	for i := range n {
		if kept == 0 || path(i) != path(kept-1) {
			move(kept, i)
			kept++
		}
	}
	return kept
}

// add adds the entry name of dir, whose path is whole, and its contents.
func (r *ActionResult) add(dir *folder, name, whole string) error {
	st, err := dir.root.Lstat(name)
	if err != nil {
		return err
	}
	switch {
	case st.IsDir():
		return r.addDirectory(dir, name, whole)
	case st.Mode().IsRegular():
		r.Files = append(r.Files, OutputFile{
			Path:       whole,
			Executable: st.Mode()&0o111 != 0,
			Properties: NodeProperties{Mode: uint32(st.Mode().Perm()), HasMode: true},
		})
	case st.Mode()&fs.ModeSymlink != 0:
		target, err := dir.root.Readlink(name)
		if err != nil {
			return err
		}
		l := OutputSymlink{Path: whole, Target: filepath.ToSlash(target)}
		if why := checkTarget(&l); why != "" {
			return &Unusable{whole, why}
		}
		r.Symlinks = append(r.Symlinks, l)
	}
	return nil
}

func (r *ActionResult) addDirectory(dir *folder, name, whole string) error {
	sub, err := dir.enter(name)
	if err != nil {
		return err
	}
	defer sub.Close()
	entries, err := sub.list(".")
	if err != nil {
		return err
	}
	if len(entries) == 0 {
		r.Directories = append(r.Directories, OutputDirectory{Path: whole, Tree: emptyTree()})
	}
	for _, e := range entries {
		if err := r.add(sub, e.Name(), whole+"/"+e.Name()); err != nil {
			return err
		}
	}
	return nil
}

// saver keeps files in one goroutine.
type saver struct {
	*Saving
	disk *Disk
	w    *walker // nil: not needed yet
	c    copier
}

func (s *saver) close() {
	s.c.close()
	if s.w != nil {
		s.w.close()
	}
}

// saveFiles keeps files, whose digests it sets.
func (d *Disk) saveFiles(ctx context.Context, s *Saving, files []OutputFile) error {
	newSaver := func() *saver { return &saver{Saving: s, disk: d} }
	return parallel(ctx, len(files), newSaver, func(ctx context.Context, s *saver, i int) (err error) {
		f := &files[i]
		if f.Digest, err = s.save(ctx, f.Path); err != nil {
			return about(f.Path, err)
		}
		return nil
	})
}

func (s *saver) save(ctx context.Context, p string) (Digest, error) {
	if s.w == nil {
		var err error
		if s.w, err = newWalker(s.Root); err != nil {
			return Digest{}, err
		}
	}
	dir, err := s.w.to(path.Dir(p))
	if err != nil {
		return Digest{}, err
	}
	f, err := openRegular(dir, path.Base(p))
	if err != nil {
		return Digest{}, err
	}
	defer f.Close()
	return s.disk.putFile(ctx, f, &s.c)
}

func (d *Disk) saveLog(ctx context.Context, f *os.File) (Digest, error) {
	if f == nil {
		return DigestOf(nil), nil
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return Digest{}, err
	}
	return d.PutFile(ctx, f)
}

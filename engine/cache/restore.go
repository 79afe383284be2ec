package cache

import (
	"context"
	"crypto/sha256"
	"errors"
	"io/fs"
	"os"
	"path"
	"runtime"
	"strings"
	"sync"
)

// Restoring configures a restore.
type Restoring struct {
	Root   string // the directory that paths are relative to
	Result *ActionResult

	// Declared reports whether a path may be written. nil allows every path below the root.
	Declared func(path string) bool

	// Stale are paths of existing files that the step has declared as its outputs. Those that are
	// not outputs of Result are removed, unless they are neither a file nor a link.
	Stale []string

	// Known returns the SHA-256 of a file, if it is known without reading it. nil: none is.
	Known func(path string) ([sha256.Size]byte, bool)
}

// Restore makes the outputs of a result in a project. Outputs that are already right are not
// touched; every other one is written and verified in a stage, and everything else that can fail is
// done, before the first one gets its name. If something fails even then, the renames are undone.
// So an error means that nothing was changed. It is a [*Damage], an [*Unusable], a [*Blocked], or
// of the system. A process that is killed while it renames leaves some outputs old and some new.
//
// Nothing is written through a link: not even one that leads to another place in the project.
//
// Others may make directories in the project meanwhile, for example a step that shares one: then it
// begins again.
func (d *Disk) Restore(ctx context.Context, how *Restoring) error {
	for try := 1; ; try++ {
		if err := d.restore(ctx, how); !errors.Is(err, errMeanwhile) || try == 10 {
			return err
		}
	}
}

// errMeanwhile is the error of a directory that was made, or removed, after the check.
var errMeanwhile = errors.New("a directory for the outputs was created or removed in the meantime")

func (d *Disk) restore(ctx context.Context, how *Restoring) error {
	outs, err := how.Result.outputs(how.Declared)
	if err != nil {
		return err
	}
	w, err := newWalker(how.Root)
	if err != nil {
		return err
	}
	r := &restore{Restoring: how, disk: d, w: w, outs: outs, stages: map[mount]*stage{}}
	defer r.close()
	r.fold()
	if err = r.plan(); err == nil {
		err = parallel(ctx, len(outs), r.newWorker, func(ctx context.Context, w *restorer, i int) error {
			return w.prepare(ctx, &r.outs[i])
		})
	}
	if err == nil {
		err = r.commit()
	}
	if r.taken != nil && errors.Is(err, fs.ErrExist) { // in a directory of the stage
		return errFolded
	}
	return err
}

// restore is one restore: first plan, then prepare for every output, then commit.
type restore struct {
	*Restoring
	disk   *Disk
	w      *walker // for plan and commit
	outs   []output
	places []place  // the first one is the root
	tops   []change // the directories that are made
	made   []change // everything, when it is done
	stages map[mount]*stage

	taken   taken
	rewrite bool // outputs that are right, too

	staleOnce sync.Once
	stale     map[string]bool // of Stale; see isStale
}

// place is a directory in which outputs are.
type place struct {
	path  string
	stage *stage

	// item is its name in the stage, where it is made with its contents. "": it exists.
	item string
}

// change is a rename: item in a stage becomes path. The previous content of path is kept in the
// stage as old.
type change struct {
	path  string
	stage *stage
	item  string // "": nothing; path is removed
	dir   bool   // item is a directory that was missing
	old   string // "": path did not exist
	done  bool   // item has its new name
}

// plan determines which directories exist, and makes missing ones in a stage.
func (r *restore) plan() error {
	root, err := r.w.to(".")
	if err != nil {
		return err
	}
	r.disk.removeAbandoned(root, r.Root)
	s, err := r.stageFor(".", root)
	if err != nil {
		return err
	}
	r.places = []place{{path: ".", stage: s}}
	chain := []int32{0} // the places that lead to the last output
	for i := range r.outs {
		o := &r.outs[i]
		dir := path.Dir(o.path)
		for !inside(dir, r.places[chain[len(chain)-1]].path) {
			chain = chain[:len(chain)-1]
		}
		for r.places[chain[len(chain)-1]].path != dir {
			p, err := r.below(r.places[chain[len(chain)-1]], dir)
			if err != nil {
				return err
			}
			chain = append(chain, int32(len(r.places)))
			r.places = append(r.places, p)
		}
		o.place = chain[len(chain)-1]
	}
	return nil
}

// inside reports whether the directory dir is parent or below it.
func inside(dir, parent string) bool {
	return parent == "." || dir == parent || strings.HasPrefix(dir, parent) && dir[len(parent)] == '/'
}

// below returns the next place on the path from parent to dir.
func (r *restore) below(parent place, dir string) (place, error) {
	rest := dir
	if parent.path != "." {
		rest = dir[len(parent.path)+1:]
	}
	name, _, _ := strings.Cut(rest, "/")
	p := place{path: path.Join(parent.path, name), stage: parent.stage}
	if parent.item == "" {
		up, err := r.w.to(parent.path)
		if err != nil {
			return p, err
		}
		st, err := up.root.Lstat(name)
		switch {
		case err == nil && st.IsDir():
			f, err := r.w.to(p.path)
			if err == nil {
				p.stage, err = r.stageFor(p.path, f)
			}
			return p, err
		case err == nil && !r.isStale(p.path):
			return p, blockedBy(p.path, st)
		case err != nil && !errors.Is(err, fs.ErrNotExist):
			return p, err
		}
		p.item = p.stage.item()
		r.tops = append(r.tops, change{path: p.path, stage: p.stage, item: p.item, dir: true})
	} else {
		p.item = parent.item + "/" + name
	}
	stage, err := p.stage.open(r.Root)
	if err != nil {
		return p, err
	}
	r.disk.changing()
	return p, stage.root.Mkdir(p.item, 0o777)
}

// stageFor returns the stage for the directory f, which is called dir.
func (r *restore) stageFor(dir string, f *folder) (*stage, error) {
	m, err := f.mount()
	if err != nil {
		return nil, err
	}
	if r.stages[m] == nil {
		r.stages[m] = &stage{disk: r.disk, in: dir}
	}
	return r.stages[m], nil
}

// isStale reports whether the path may be removed, if it is no output.
func (r *restore) isStale(p string) bool {
	r.staleOnce.Do(func() {
		r.stale = make(map[string]bool, len(r.Stale))
		for _, s := range r.Stale {
			r.stale[s] = true
		}
	})
	return r.stale[p]
}

// close removes staged files that are not needed.
func (r *restore) close() {
	for _, s := range r.stages {
		s.remove()
	}
	r.removeEmptied()
	r.w.close()
}

// restorer prepares outputs in one goroutine.
type restorer struct {
	*restore
	w      *walker // in the project; nil: not needed yet
	place  int32   // whose folder is open
	folder *os.Root
	c      copier
}

func (r *restore) newWorker() *restorer {
	return &restorer{restore: r, place: -1}
}

func (w *restorer) close() {
	w.c.close()
	if w.w != nil {
		w.w.close()
	}
	if w.folder != nil {
		w.folder.Close()
	}
}

// prepare makes an output in its stage, unless it is right.
func (w *restorer) prepare(ctx context.Context, o *output) error {
	p := &w.places[o.place]
	if p.item != "" {
		dir, err := w.staged(o.place)
		if err != nil {
			return err
		}
		return w.write(ctx, dir, path.Base(o.path), o)
	}
	right, err := w.isRight(ctx, p, o)
	if right && !w.rewrite || err != nil {
		return err
	}
	dir, err := p.stage.open(w.Root)
	if err != nil {
		return err
	}
	o.item = p.stage.item()
	return w.write(ctx, dir.root, o.item, o)
}

// staged opens the directory of a place that is being made.
func (w *restorer) staged(place int32) (*os.Root, error) {
	if w.place == place {
		return w.folder, nil
	}
	if w.folder != nil {
		w.folder.Close()
		w.folder, w.place = nil, -1
	}
	p := &w.places[place]
	dir, err := p.stage.open(w.Root)
	if err != nil {
		return nil, err
	}
	w.folder, err = dir.root.OpenRoot(p.item)
	if err != nil {
		return nil, err
	}
	w.place = place
	return w.folder, nil
}

// isRight reports whether an output exists already. It fails if another file is in its place that
// must not be replaced.
func (w *restorer) isRight(ctx context.Context, p *place, o *output) (bool, error) {
	if w.w == nil {
		var err error
		if w.w, err = newWalker(w.Root); err != nil {
			return false, err
		}
	}
	dir, err := w.w.to(p.path)
	if err != nil {
		return false, err
	}
	name := path.Base(o.path)
	st, err := dir.root.Lstat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case err != nil:
		return false, err
	case st.IsDir():
		if o.file == nil && o.link == nil {
			return true, nil
		}
		return false, w.mayRemove(dir, name, o.path)
	case st.Mode()&fs.ModeSymlink != 0:
		target, err := dir.root.Readlink(name)
		return o.link != nil && err == nil && target == o.link.Target, nil
	case !st.Mode().IsRegular():
		return false, blockedBy(o.path, st)
	}
	if o.file == nil || st.Size() != o.file.Digest.Size || !o.file.SameMode(st) {
		return false, nil
	}
	if w.Known != nil {
		if known, ok := w.Known(o.path); ok {
			return known == o.file.Digest.Hash, nil
		}
	}
	f, err := openRegular(dir, name)
	if err != nil {
		return false, nil // it cannot be read, and is replaced
	}
	defer f.Close()
	got, err := w.c.copy(ctx, nil, f)
	if ctx.Err() != nil {
		return false, context.Cause(ctx)
	}
	return err == nil && got == o.file.Digest, nil
}

// SameMode reports whether a file has the mode of f.
func (f *OutputFile) SameMode(st fs.FileInfo) bool {
	switch {
	case runtime.GOOS == "windows":
		return true
	case f.Properties.HasMode:
		return st.Mode().Perm() == fs.FileMode(f.Properties.Mode).Perm()
	}
	return (st.Mode()&0o111 != 0) == f.Executable
}

// mayRemove fails unless everything in the directory called name in dir may be removed.
func (r *restore) mayRemove(dir *folder, name, whole string) error {
	return fs.WalkDir(dir.root.FS(), name, func(p string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case e.IsDir() || r.isStale(whole+p[len(name):]):
			return nil
		}
		return &Blocked{whole, "it is a directory with files that are not outputs"}
	})
}

// write makes an output, called name in dir.
func (w *restorer) write(ctx context.Context, dir *os.Root, name string, o *output) error {
	w.disk.changing()
	switch {
	case o.link != nil:
		return dir.Symlink(o.link.Target, name)
	case o.file == nil:
		return dir.Mkdir(name, 0o777)
	}
	perm := fs.FileMode(0o666)
	if o.file.Executable {
		perm = 0o777
	}
	f, err := dir.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, perm)
	if err != nil {
		return err
	}
	err = w.disk.copyBlob(ctx, f, o.file.Digest, &w.c)
	if p := o.file.Properties; err == nil && p.HasMode {
		err = f.Chmod(fs.FileMode(p.Mode).Perm())
	}
	if e := f.Close(); err == nil {
		err = e
	}
	return err
}

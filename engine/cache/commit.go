package cache

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"sort"
)

// commit gives all staged files their names, and removes stale ones. If that fails, it undoes the
// changes.
func (r *restore) commit() error {
	changes := r.removals()
	changes = append(changes, r.tops...)
	for _, o := range r.outs {
		if p := &r.places[o.place]; o.item != "" {
			changes = append(changes, change{path: o.path, stage: p.stage, item: o.item})
		} else if p.item == "" && r.taken != nil { // it is right
			if err := r.take(o.path); err != nil {
				return err
			}
		}
	}
	for i := range changes {
		if err := r.do(&changes[i]); err != nil {
			for _, c := range slices.Backward(changes[:i+1]) {
				if e := r.undo(&c); e != nil {
					err = fmt.Errorf("%w; and %q was lost: %w", err, c.path, e)
				}
			}
			return err
		}
	}
	r.made = changes
	return nil
}

// removals returns the removals of stale files. Paths that are not files are omitted.
func (r *restore) removals() (changes []change) {
	for _, p := range r.Stale {
		if r.isOutput(p) || checkPath(p) != "" {
			continue
		}
		dir, err := r.w.to(path.Dir(p))
		if err != nil {
			continue
		}
		st, err := dir.root.Lstat(path.Base(p))
		if err != nil || !st.Mode().IsRegular() && st.Mode()&fs.ModeSymlink == 0 {
			continue
		}
		if s, err := r.stageFor(path.Dir(p), dir); err == nil {
			changes = append(changes, change{path: p, stage: s})
		}
	}
	return changes
}

// do makes one change.
func (r *restore) do(c *change) error {
	stage, err := c.stage.open(r.Root)
	if err != nil {
		return err
	}
	dir, err := r.w.to(path.Dir(c.path))
	if errors.Is(err, fs.ErrNotExist) {
		return errMeanwhile
	}
	if err != nil {
		return err
	}
	name := path.Base(c.path)
	st, err := dir.root.Lstat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return err
	case c.dir:
		return errMeanwhile
	case c.item == "" && st.IsDir():
		return nil // it was stale, and is not a file now
	case !st.IsDir() && !st.Mode().IsRegular() && st.Mode()&fs.ModeSymlink == 0:
		return blockedBy(c.path, st)
	case r.taken.has(st):
		return errFolded
	default:
		if st.IsDir() {
			if err := r.mayRemove(dir, name, c.path); err != nil {
				return err
			}
		}
		if err := r.keep(c, stage, dir, name, st.IsDir()); err != nil {
			return err
		}
	}
	if c.item == "" {
		return nil
	}
	r.disk.changing()
	err = stage.rename(c.item, dir, name)
	c.done = err == nil
	if c.dir && errors.Is(err, fs.ErrExist) || errors.Is(err, fs.ErrNotExist) {
		return errMeanwhile
	}
	if err == nil && r.taken != nil {
		err = r.take(c.path)
	}
	return err
}

// keep moves the entry name of dir to the stage. If a file replaces a file, the old one keeps its
// name until then, so that the name always exists.
func (r *restore) keep(c *change, stage, dir *folder, name string, isDir bool) error {
	old := c.stage.item()
	r.disk.changing()
	if c.item != "" && !isDir {
		if st, err := stage.root.Lstat(c.item); err == nil && !st.IsDir() && dir.link(name, stage, old) == nil {
			c.old = old
			return nil
		}
	}
	err := dir.rename(name, stage, old)
	if err == nil {
		c.old = old
	}
	return err
}

// undo undoes one change, which may be incomplete.
func (r *restore) undo(c *change) error {
	switch {
	case !c.done && c.old == "":
		return nil
	case c.done && c.dir:
		return r.removeMade(c.path)
	}
	stage, err := c.stage.open(r.Root)
	if err != nil {
		return err
	}
	dir, err := r.w.to(path.Dir(c.path))
	if err != nil {
		return err
	}
	name := path.Base(c.path)
	r.disk.changing()
	if c.done {
		if err := dir.rename(name, stage, c.stage.item()); err != nil {
			return err
		}
	}
	if c.old == "" {
		return nil
	}
	return stage.rename(c.old, dir, name)
}

// removeMade removes the outputs in a directory that was made, and directories that are empty then:
// others may have added files.
func (r *restore) removeMade(top string) error {
	for _, o := range slices.Backward(r.outs) {
		if !inside(o.path, top) {
			continue
		}
		dir, err := r.w.to(path.Dir(o.path))
		if err == nil {
			r.disk.changing()
			err = dir.root.Remove(path.Base(o.path))
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	for _, p := range slices.Backward(r.places) {
		if !inside(p.path, top) {
			continue
		}
		if up, err := r.w.to(path.Dir(p.path)); err == nil {
			r.disk.changing()
			up.root.Remove(path.Base(p.path)) // fails if it is not empty
		}
	}
	return nil
}

// isOutput reports whether p is the path of an output.
func (r *restore) isOutput(p string) bool {
	i := sort.Search(len(r.outs), func(i int) bool { return comparePaths(r.outs[i].path, p) >= 0 })
	return i < len(r.outs) && r.outs[i].path == p
}

// removeEmptied removes the directories that became empty when stale files were removed.
func (r *restore) removeEmptied() {
	for _, c := range r.made {
		for p := path.Dir(c.path); c.item == "" && p != "."; p = path.Dir(p) {
			if r.isOutput(p) {
				break
			}
			up, err := r.w.to(path.Dir(p))
			if err != nil {
				break
			}
			if st, err := up.root.Lstat(path.Base(p)); err != nil || !st.IsDir() {
				break
			}
			r.disk.changing()
			if up.root.Remove(path.Base(p)) != nil {
				break // not empty
			}
		}
	}
}

package fswatch

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// dir is a directory that is watched.
type dir struct {
	deep    bool     // including everything below it
	transit bool     // watched only because a wanted directory, or the target of a link, is below it
	subs    []string // directories that are watched because this one is
}

// maxLinkPaths limits the paths under which one directory is watched because of links; more
// paths exist only where links form loops.
const maxLinkPaths = 16

// rebuild watches the wanted directories as they are now. It reports whether one of those seen
// before was replaced, or the target of a link appeared, since they were last looked at. w.mu is
// held.
func (w *Watcher) rebuild() (replaced bool) {
	before, seen, dangling := w.dirs, w.seen, w.dangling
	for path := range seen {
		replaced = replaced || w.dirs[path] != nil && !w.watched(path)
	}
	w.dirs, w.links, w.seen, w.dangling = map[string]*dir{}, map[string][]string{}, map[string]fs.FileInfo{}, map[string]bool{}
	s := &scan{w: w, reached: map[string]int{}, found: func(string) {}}
	for _, d := range w.wanted {
		w.base(d, s)
	}
	for path := range before {
		if w.dirs[path] == nil {
			w.unwatch(path)
		}
	}
	for path, was := range seen {
		now, again := w.seen[path]
		replaced = replaced || again && !sameDirectory(was, now)
	}
	return replaced || appearedTarget(dangling)
}

// sameDirectory reports whether two results of directory are about the same one, or about none.
func sameDirectory(was, now fs.FileInfo) bool {
	if was == nil || now == nil {
		return was == nil && now == nil
	}
	return os.SameFile(was, now)
}

// appearedTarget reports whether the target of one of the dangling links exists by now.
func appearedTarget(dangling map[string]bool) bool {
	for link := range dangling {
		if _, err := os.Stat(link); err == nil {
			return true
		}
	}
	return false
}

// unwatch stops watching a path. w.mu is held.
func (w *Watcher) unwatch(path string) {
	delete(w.polled, path)
	if w.system != nil {
		w.system.Remove(path)
	}
}

// base watches a wanted directory and the directories above it, up to the next wanted one or,
// without one, up to the nearest that exists.
func (w *Watcher) base(d Dir, s *scan) {
	above := w.wantedAbove(d.Path)
	there := w.see(d.Path)
	for p, found := d.Path, there; p != above && !(found && above == ""); {
		parent := filepath.Dir(p)
		if parent == p {
			break
		}
		if p, found = parent, w.see(parent); found {
			w.addTransit(p)
		}
	}
	if !there && !w.see(d.Path) {
		return
	}
	if s.add(d.Path, d.Deep, "") {
		w.follow(d.Path)
	}
}

// see records which directory is at a path, so that verify notices a different one later, and
// reports whether there is one.
func (w *Watcher) see(path string) bool {
	info := directory(path)
	w.seen[path] = info
	return info != nil
}

// wantedAbove returns the nearest wanted directory above path, or "".
func (w *Watcher) wantedAbove(path string) (above string) {
	for _, d := range w.wanted {
		if len(d.Path) > len(above) && path != d.Path && strings.HasPrefix(path, strings.TrimSuffix(d.Path, "/")+"/") {
			above = d.Path
		}
	}
	return above
}

// directory returns the FileInfo of path if it is a directory, or nil.
func directory(path string) fs.FileInfo {
	if st, err := os.Stat(path); err == nil && st.IsDir() {
		return st
	}
	return nil
}

// addTransit watches a directory for changes of the path to something below it.
func (w *Watcher) addTransit(path string) {
	if w.dirs[path] == nil {
		w.dirs[path] = &dir{transit: true}
		w.watch(path)
	}
}

// scan is one walk through the directories to watch.
type scan struct {
	w       *Watcher
	reached map[string]int    // how many paths lead to a directory, by its path without links
	found   func(path string) // is called with each file
}

// add watches a directory, and with deep those below it. It returns false if that was the case
// before. real is the path of the directory without links, or "" if that is not known.
func (s *scan) add(path string, deep bool, real string) bool {
	w := s.w
	known := w.dirs[path]
	if known != nil && !known.transit && (known.deep || !deep) {
		return false
	}
	if real == "" {
		var err error
		if real, err = filepath.EvalSymlinks(path); err != nil {
			return false
		}
	}
	if real != path {
		if s.reached[real]++; s.reached[real] > maxLinkPaths {
			return false
		}
	}
	d := &dir{deep: deep}
	w.dirs[path] = d
	w.watch(path)
	entries, err := os.ReadDir(path)
	if err != nil {
		return true
	}
	for _, e := range entries {
		sub := filepath.Join(path, e.Name())
		switch {
		case w.o.Ignore(sub):
		case e.IsDir():
			if deep && s.add(sub, true, filepath.Join(real, e.Name())) {
				d.subs = append(d.subs, sub)
			}
		case e.Type()&fs.ModeSymlink != 0:
			w.follow(sub)
			if directory(sub) == nil {
				s.found(sub)
			} else if deep && s.addLink(sub, real) {
				d.subs = append(d.subs, sub)
			}
		default:
			s.found(sub)
		}
	}
	return true
}

// addLink is add for a link to a directory; real is the directory that contains the link. A
// link to its own directory, or to one above it, is not followed.
func (s *scan) addLink(path, real string) bool {
	to, err := filepath.EvalSymlinks(path)
	return err == nil && to != real && !strings.HasPrefix(real, strings.TrimSuffix(to, "/")+"/") && s.add(path, true, to)
}

// follow records the targets of path if it is a link: a change of one of them is reported as a
// change of path.
func (w *Watcher) follow(path string) {
	at := path
	for range maxLinkPaths {
		to, err := os.Readlink(at)
		if err != nil {
			return
		}
		if !filepath.IsAbs(to) {
			to = filepath.Dir(at) + string(filepath.Separator) + to
		}
		parent, err := filepath.EvalSymlinks(filepath.Dir(to))
		if err != nil {
			w.dangling[path] = true
			return
		}
		if at = filepath.Join(parent, filepath.Base(to)); at == path {
			return
		}
		if !slices.Contains(w.links[at], path) {
			w.links[at] = append(w.links[at], path)
		}
		if w.see(parent) {
			w.addTransit(parent)
		}
	}
}

// drop stops watching a directory and those that are watched because of it.
func (w *Watcher) drop(path string) {
	d := w.dirs[path]
	if d == nil {
		return
	}
	delete(w.dirs, path)
	w.unwatch(path)
	for _, sub := range d.subs {
		w.drop(sub)
	}
}

// watched reports whether the system or the poller still watches a directory.
func (w *Watcher) watched(path string) bool {
	return w.dirs[path] != nil && (w.polled[path] != nil || w.system != nil && w.system.Watching(path))
}

// verify watches everything again if one of the seen directories was replaced.
func (w *Watcher) verify() {
	same := true
	for path, was := range w.seen {
		now := directory(path)
		if !sameDirectory(was, now) || now != nil && w.dirs[path] != nil && !w.watched(path) {
			same = false
			w.drop(path)
		}
	}
	if !same || appearedTarget(w.dangling) {
		w.lost()
	}
}

// note handles a change at path. It watches a new directory.
func (w *Watcher) note(path string) {
	if w.o.Ignore(path) {
		return
	}
	parent, self := w.dirs[filepath.Dir(path)], w.dirs[path]
	_, seen := w.seen[path]
	if seen {
		w.verify()
	}
	if parent == nil || parent.transit {
		return
	}
	w.batcher.Add(path)
	if seen {
		return
	}
	st, err := os.Lstat(path)
	link := err == nil && st.Mode()&fs.ModeSymlink != 0
	isDir := err == nil && st.IsDir()
	if link {
		w.follow(path)
		isDir = directory(path) != nil
	}
	if self != nil {
		if isDir && !link && w.watched(path) {
			return
		}
		w.drop(path)
		w.verify() // a wanted directory may be below it
	}
	if isDir && parent.deep && w.dirs[path] == nil {
		w.appeared(path, link, parent)
	}
}

// appeared watches a new directory in parent, and reports the files that it contains already.
func (w *Watcher) appeared(path string, link bool, parent *dir) {
	s := &scan{w: w, reached: map[string]int{}, found: w.batcher.Add}
	real, err := filepath.EvalSymlinks(filepath.Dir(path))
	if err != nil {
		return
	}
	added := false
	if link {
		added = s.addLink(path, real)
	} else {
		added = s.add(path, true, filepath.Join(real, filepath.Base(path)))
	}
	if added && !slices.Contains(parent.subs, path) {
		parent.subs = append(parent.subs, path)
	}
}

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
	deep bool     // with all that is below it
	way  bool     // only for what is on the way to something: to a wanted directory, or to the end of a link
	subs []string // that are watched because this one is
}

// mostWays is how many paths of a directory are watched that is reached by links; more
// there are only where links lead back and forth.
const mostWays = 16

// rebuild watches what is wanted, as it is now. w.mu is held.
func (w *Watcher) rebuild() {
	before := w.dirs
	w.dirs, w.links, w.spots, w.dangling = map[string]*dir{}, map[string][]string{}, map[string]fs.FileInfo{}, map[string]bool{}
	s := &scan{w: w, ways: map[string]int{}, found: func(string) {}}
	for _, d := range w.wanted {
		w.base(d, s)
	}
	for path := range before {
		if w.dirs[path] == nil {
			w.unwatch(path)
		}
	}
}

// unwatch ends the watching of a path. w.mu is held.
func (w *Watcher) unwatch(path string) {
	delete(w.polled, path)
	if w.system != nil {
		w.system.Remove(path)
	}
}

// base watches a wanted directory, and the way to it: the directories above up to another
// one that is wanted, and if it is not there the nearest one that is.
func (w *Watcher) base(d Dir, s *scan) {
	above := w.wantedAbove(d.Path)
	there := w.spot(d.Path)
	for p, found := d.Path, there; p != above && !(found && above == ""); {
		parent := filepath.Dir(p)
		if parent == p {
			break
		}
		if p, found = parent, w.spot(parent); found {
			w.addWay(p)
		}
	}
	if !there && !w.spot(d.Path) {
		return
	}
	if s.add(d.Path, d.Deep, "") {
		w.follow(d.Path)
	}
}

// spot notes what directory is at a path, since another one there later is to be noticed,
// and reports whether there is one.
func (w *Watcher) spot(path string) bool {
	info := directory(path)
	w.spots[path] = info
	return info != nil
}

// wantedAbove returns the nearest directory above path that is wanted, or "".
func (w *Watcher) wantedAbove(path string) (above string) {
	for _, d := range w.wanted {
		if len(d.Path) > len(above) && path != d.Path && strings.HasPrefix(path, strings.TrimSuffix(d.Path, "/")+"/") {
			above = d.Path
		}
	}
	return above
}

// directory returns what is at path if that is a directory, or nil.
func directory(path string) fs.FileInfo {
	if st, err := os.Stat(path); err == nil && st.IsDir() {
		return st
	}
	return nil
}

// addWay watches a directory for what is on the way to something else.
func (w *Watcher) addWay(path string) {
	if w.dirs[path] == nil {
		w.dirs[path] = &dir{way: true}
		w.watch(path)
	}
}

// scan is one walk through what is watched.
type scan struct {
	w     *Watcher
	ways  map[string]int    // how many paths lead to a directory, by its path without links
	found func(path string) // gets what is there
}

// add watches a directory, and with deep those below it, and reports whether it was not
// watched so before. real is its path without links, or "" if that is not known.
func (s *scan) add(path string, deep bool, real string) bool {
	w := s.w
	known := w.dirs[path]
	if known != nil && !known.way && (known.deep || !deep) {
		return false
	}
	if real == "" {
		var err error
		if real, err = filepath.EvalSymlinks(path); err != nil {
			return false
		}
	}
	if real != path {
		if s.ways[real]++; s.ways[real] > mostWays {
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

// addLink is add for a directory that a link leads to; real is the directory that the link
// stands in. One that leads to where it stands is left alone.
func (s *scan) addLink(path, real string) bool {
	to, err := filepath.EvalSymlinks(path)
	if err != nil || to == real || strings.HasPrefix(real, strings.TrimSuffix(to, "/")+"/") {
		return false
	}
	return s.add(path, true, to)
}

// follow notes, if path is a link, the way to its end: what changes there is a change of
// path.
func (w *Watcher) follow(path string) {
	at := path
	for range mostWays {
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
		if w.spot(parent) {
			w.addWay(parent)
		}
	}
}

// drop ends the watching of a directory and of what is watched for it.
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

// watched reports whether the system, or the poller, still looks at a directory.
func (w *Watcher) watched(path string) bool {
	return w.dirs[path] != nil && (w.polled[path] != nil || w.system != nil && w.system.Watching(path))
}

// verify watches all again if a directory that matters is not what it was.
func (w *Watcher) verify() {
	same := true
	for path, was := range w.spots {
		now := directory(path)
		if (was == nil) != (now == nil) || now != nil && (!os.SameFile(was, now) || w.dirs[path] != nil && !w.watched(path)) {
			same = false
			w.drop(path)
		}
	}
	for link := range w.dangling {
		if _, err := os.Stat(link); err == nil {
			same = false
		}
	}
	if !same {
		w.lost()
	}
}

// note deals with a path at which something has changed. It watches what has appeared.
func (w *Watcher) note(path string) {
	if w.o.Ignore(path) {
		return
	}
	parent, self := w.dirs[filepath.Dir(path)], w.dirs[path]
	_, spot := w.spots[path]
	if spot {
		w.verify()
	}
	if parent == nil || parent.way {
		return
	}
	w.batcher.Add(path)
	if spot {
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
		w.verify() // what is wanted may be below it
	}
	if isDir && parent.deep && w.dirs[path] == nil {
		w.appeared(path, link, parent)
	}
}

// appeared watches a directory that has appeared in parent. Its first files may be there
// already.
func (w *Watcher) appeared(path string, link bool, parent *dir) {
	s := &scan{w: w, ways: map[string]int{}, found: w.batcher.Add}
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

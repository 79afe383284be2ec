package glob

import "os"

// named is the directory of files that were named, not found in a listing.
var named = &directory{}

// named returns the file at a path, if there is one.
func (t *Tree) named(path string) ([]File, []skipped) {
	e, err := t.file(path)
	switch {
	case err != nil:
		return nil, []skipped{{path, err}}
	case e == nil:
		return nil, nil
	}
	found := []File{{named, e}}
	if e.kind == isDangling {
		return found, []skipped{{path, errDangling}}
	}
	return found, nil
}

// file looks at one path. It returns nil if there is nothing, or a directory. It is an
// error if that cannot be told.
func (t *Tree) file(path string) (*entry, error) {
	st, err := statPath(path, false)
	if err != nil {
		if isAbsent(err) {
			return nil, nil
		}
		return nil, err
	}
	e := &entry{name: path, kind: isFile, looked: true, st: st}
	if st.IsLink() {
		e.kind = isLink
		e.extra().target, _ = os.Readlink(path)
		if e.st, err = statPath(path, true); err != nil {
			e.kind, e.st = isDangling, st
		}
	}
	if e.st.isDir() {
		return nil, nil
	}
	if t.anySameTimes.Load() {
		t.mu.Lock()
		if same, ok := t.sameTimes[path]; ok && same.as == e.st {
			e.st.Ctime = same.ctime
		}
		t.mu.Unlock()
	}
	return e, nil
}

// named adds the file at a path to what was found, if there is one.
func (w *walk) named(path string) {
	found, skipped := w.t.named(path)
	w.found = append(w.found, found...)
	for _, s := range skipped {
		w.skip(s)
	}
}

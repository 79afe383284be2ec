package fingerprint

import "path"

// doubt is a file whose content has changed while its times have not: a program has
// written it through memory (mmap), which sets them once in a while.
type doubt struct {
	was   stat  // as the system has it
	ctime int64 // what is taken for its time instead, so that it is another file
}

// Found says what the content of a file is. Where something else is known of it, and its
// times say that it is what it was, they are not believed.
func (t *Tree) Found(name string, content Digest) {
	was, err := statPath(name, true)
	if err != nil {
		return
	}
	h := t.knownOf(name)
	t.mu.Lock()
	defer t.mu.Unlock()
	believed := was
	if d, ok := t.doubts[name]; ok && d.was == was {
		believed.ctime = d.ctime
	}
	if h.st != believed || h.digest == content || h.digest == (Digest{}) {
		return
	}
	if t.doubts == nil {
		t.doubts = map[string]doubt{}
	}
	t.doubts[name] = doubt{was: was, ctime: believed.ctime + 1}
	t.doubting.Store(true)
}

// knownOf returns what is known of a file.
func (t *Tree) knownOf(name string) hashed {
	t.mu.Lock()
	h, ok := t.hashes[name]
	s := t.slots[path.Dir(name)+"/"]
	t.mu.Unlock()
	if ok || s == nil {
		return h
	}
	s.mu.Lock()
	d := s.d
	s.mu.Unlock()
	if d == nil {
		return h
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if e := d.entry(path.Base(name)); e != nil && e.hash != nil {
		h = *e.hash
	}
	return h
}

func (d *directory) entry(name string) *dent {
	for i := range d.ents {
		if d.ents[i].name == name {
			return &d.ents[i]
		}
	}
	return nil
}

// disbelieve gives the doubtful files of a directory the times that they are taken for.
func (t *Tree) disbelieve(d *directory) {
	here := map[string]doubt{}
	t.mu.Lock()
	for name, doubt := range t.doubts {
		if path.Dir(name)+"/" == d.prefix {
			here[path.Base(name)] = doubt
		}
	}
	t.mu.Unlock()
	d.mu.Lock()
	defer d.mu.Unlock()
	for name, doubt := range here {
		if e := d.entry(name); e != nil && e.looked && e.st == doubt.was {
			e.st.ctime = doubt.ctime
		}
	}
}

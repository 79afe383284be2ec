package glob

import "path"

// sameTimes is a file whose content has changed while its times have not: a program
// has written it through memory (mmap), which sets them once in a while.
type sameTimes struct {
	as    Stat  // as reported by the system
	ctime int64 // used as its time instead, so that it counts as another file
}

// SetContent sets the content of a file. If another content is known and the file's times have not
// changed, these times are no longer trusted.
func (t *Tree) SetContent(name string, content Digest) {
	st, err := statPath(name, true)
	if err != nil {
		return
	}
	known := t.contentOf(name)
	t.mu.Lock()
	defer t.mu.Unlock()
	counts := st
	if same, ok := t.sameTimes[name]; ok && same.as == st {
		counts.Ctime = same.ctime
	}
	if known.Stat != counts || known.Digest == content || known.Digest == (Digest{}) {
		return
	}
	if t.sameTimes == nil {
		t.sameTimes = map[string]sameTimes{}
	}
	t.sameTimes[name] = sameTimes{as: st, ctime: counts.Ctime + 1}
	t.anySameTimes.Store(true)
}

// contentOf returns the known content of a file.
func (t *Tree) contentOf(name string) Content {
	t.mu.Lock()
	c, ok := t.contents[name]
	s := t.slots[path.Dir(name)+"/"]
	t.mu.Unlock()
	if ok || s == nil {
		return c
	}
	s.mu.Lock()
	d := s.d
	s.mu.Unlock()
	if d == nil {
		return c
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if e := d.entry(path.Base(name)); e != nil && e.content != nil {
		c = *e.content
	}
	return c
}

func (d *directory) entry(name string) *entry {
	for i := range d.entries {
		if d.entries[i].name == name {
			return &d.entries[i]
		}
	}
	return nil
}

// correct replaces the times of those files of a directory that are in sameTimes.
func (t *Tree) correct(d *directory) {
	t.mu.Lock()
	defer t.mu.Unlock()
	d.mu.Lock()
	defer d.mu.Unlock()
	for name, same := range t.sameTimes {
		if path.Dir(name)+"/" != d.prefix {
			continue
		}
		if e := d.entry(path.Base(name)); e != nil && e.looked && e.st == same.as {
			e.st.Ctime = same.ctime
		}
	}
}

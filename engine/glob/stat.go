package glob

import "time"

// Stat identifies the content of a file without reading it. It is comparable.
type Stat struct {
	Size         int64
	Mtime, Ctime int64 // nanoseconds
	Inode        uint64
	Mode         uint32 // type and executable bits
}

// Granularity is how long a file must not have been changed before its times prove
// anything: a second change within one tick of the kernel's clock leaves the same
// times ("racy git"). File systems whose times are whole seconds are given two.
const Granularity = 50 * time.Millisecond

// Recent reports whether a file may be changed after now without its times showing
// it.
func (st *Stat) Recent(now time.Time) bool {
	limit := now.UnixNano() - int64(Granularity)
	if st.Ctime%int64(time.Second) == 0 && st.Mtime%int64(time.Second) == 0 {
		limit = now.UnixNano() - int64(2*time.Second)
	}
	return st.Ctime >= limit || st.Mtime >= limit
}

// Regular reports whether there is content to read. Reading a pipe or a device
// would not end.
func (st *Stat) Regular() bool { return st.Type() == typeReg }

// Executable reports whether any user may run the file.
func (st *Stat) Executable() bool { return st.Mode&0o111 != 0 }

// Type returns the bits of Mode that tell files, links, pipes and devices apart.
func (st *Stat) Type() uint32 { return st.Mode & typeMask }

// IsLink reports whether it is that of a link itself.
func (st *Stat) IsLink() bool { return st.Type() == typeLink }

func (st *Stat) isDir() bool { return st.Type() == typeDir }

// kind is the kind of an entry with this Stat, whose link was not followed.
func (st *Stat) kind() kind {
	switch st.Type() {
	case typeDir:
		return isDir
	case typeLink:
		return isLink
	case typeReg:
		return isFile
	}
	return isOther
}

// Restat calls each with the index and the current Stat of every file, until it returns false.
func Restat(files []File, each func(i int, now Stat, err error) bool) {
	fd, at := -1, (*directory)(nil)
	defer func() { closeDir(fd) }()
	for i, f := range files {
		var st Stat
		var err error
		if f.d.byName {
			st, err = statPath(f.Path(), !f.Dangling())
		} else {
			if f.d != at {
				closeDir(fd)
				at = f.d
				fd, err = openDir(f.d.prefix)
			}
			if err == nil {
				st, err = statAt(fd, f.d.prefix, f.e.name, !f.Dangling())
			}
		}
		if !each(i, st, err) {
			return
		}
	}
}

// WithStat returns f with another Stat.
func (f File) WithStat(st Stat) File {
	return File{f.d, &entry{name: f.e.name, kind: f.e.kind, looked: true, st: st, more: f.e.more}}
}

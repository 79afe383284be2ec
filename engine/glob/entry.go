package glob

import (
	"os"
	"strings"
)

// kind is what a name in a directory stands for.
type kind uint8

const (
	unknown kind = iota
	isFile       // or anything else that is neither directory nor link
	isDir
	isLink     // to a file, once looked at
	isLinkDir  // a link to a directory
	isDangling // a link to nothing, or to what cannot be looked at: it counts by its text
	isLoop     // a link to a directory that it stands in
)

// entry is one name in a directory. What it stands for is filled in when it is first
// needed, under the directory's lock, and does not change afterwards.
type entry struct {
	name    string
	kind    kind
	looked  bool
	st      Stat     // of the file a link leads to; if it leads nowhere, of the link
	content *Content // under the directory's lock, even afterwards
	more    *more    // nil for most: a hundred thousand entries are alive at once
}

// more holds what only few entries have.
type more struct {
	err    error  // of the look
	target string // of a link
}

func (e *entry) err() error {
	if e.more == nil {
		return nil
	}
	return e.more.err
}

func (e *entry) target() string {
	if e.more == nil {
		return ""
	}
	return e.more.target
}

func (e *entry) extra() *more {
	if e.more == nil {
		e.more = &more{}
	}
	return e.more
}

// resolve looks at one entry, through links.
func (e *entry) resolve(fd int, prefix string) {
	e.looked = true
	if e.kind == isFile {
		var err error
		if e.st, err = statAt(fd, prefix, e.name, false); err != nil {
			e.extra().err = err
		} else if e.st.isDir() {
			e.kind = isDir // replaced meanwhile
		}
		return
	}
	st, err := statAt(fd, prefix, e.name, false)
	switch {
	case err != nil:
		e.extra().err, e.kind = err, isFile
		return
	case st.isDir():
		e.kind = isDir
		return
	case !st.IsLink():
		e.kind, e.st = isFile, st
		return
	}
	e.extra().target, _ = os.Readlink(prefix + e.name)
	if e.st, err = statAt(fd, prefix, e.name, true); err != nil {
		e.kind, e.st = isDangling, st
		return
	}
	e.kind = isLink
	if e.st.isDir() {
		e.kind = isLinkDir
		if standsIn(prefix, prefix+e.name) {
			e.kind = isLoop
		}
	}
}

// standsIn reports whether the directory that link leads to is one of those of
// prefix: a walk through it would not end.
func standsIn(prefix, link string) bool {
	to, err := identify(link)
	if err != nil {
		return false
	}
	for i := len(prefix); i > 0; i = strings.LastIndexByte(prefix[:i], '/') {
		if at, err := identify(prefix[:i]); err == nil && at == to {
			return true
		}
	}
	return false
}

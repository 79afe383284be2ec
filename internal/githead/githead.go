// Package githead returns the commit that git has checked out, without starting git: it reads .git.
// It knows loose and packed branches, linked worktrees and submodules; not the format reftable.
package githead

import (
	"errors"
	"os"
	"path/filepath"
	"strings"

	"github.com/weftrun/weft/internal/fifo"
)

// Commit returns the commit that is checked out in the repository that dir, an absolute path, is
// in: 40 or 64 hexadecimal digits. It returns "" if there is no repository or no commit, or if that
// cannot be read.
func Commit(dir string) string {
	r, ok := find(dir)
	if !ok {
		return ""
	}
	text := r.read(r.dir, "HEAD", maxRef)
	for range maxSymbolic {
		ref, symbolic := strings.CutPrefix(text, "ref: ")
		if !symbolic {
			return commit(text)
		}
		if !strings.HasPrefix(ref, "refs/") || !filepath.IsLocal(ref) {
			return ""
		}
		text = r.read(r.dir, ref, maxRef)
		if text == "" && r.common != r.dir {
			text = r.read(r.common, ref, maxRef)
		}
		if text == "" {
			return r.packed(ref)
		}
	}
	return ""
}

const (
	maxRef      = 4 << 10  // bytes of HEAD and the like
	maxPacked   = 64 << 20 // bytes of packed-refs
	maxSymbolic = 5        // as in git
)

// repository holds the directories of a git repository.
type repository struct {
	dir    string // of this worktree
	common string // of all worktrees: the same for most
}

// find returns the repository that dir is in.
func find(dir string) (r repository, ok bool) {
	for ; ; dir = filepath.Dir(dir) {
		git := filepath.Join(dir, ".git")
		st, err := os.Stat(git)
		switch {
		case err == nil && st.IsDir():
			r.dir = git
		case err == nil:
			to, isLink := strings.CutPrefix(r.read(dir, ".git", maxRef), "gitdir: ")
			if !isLink {
				return r, false
			}
			r.dir = from(dir, to)
		case dir == filepath.Dir(dir):
			return r, false
		default:
			continue
		}
		r.common = r.dir
		if to := r.read(r.dir, "commondir", maxRef); to != "" {
			r.common = from(r.dir, to)
		}
		return r, true
	}
}

// from returns path relative to dir, unless it is absolute.
func from(dir, path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(dir, path)
}

var errLarge = errors.New("too large")

// read returns a small file without its newline; "" if it cannot be read.
func (repository) read(dir, name string, most int64) string {
	b, err := fifo.ReadRegular(filepath.Join(dir, name), most, errLarge)
	if err != nil {
		return ""
	}
	return strings.TrimRight(string(b), "\r\n")
}

// packed returns the commit of a packed branch.
func (r repository) packed(ref string) string {
	for line := range strings.Lines(r.read(r.common, "packed-refs", maxPacked)) {
		if id, name, ok := strings.Cut(strings.TrimRight(line, "\r\n"), " "); ok && name == ref {
			return commit(id)
		}
	}
	return ""
}

// commit returns text if it names a commit, else "".
func commit(text string) string {
	if n := len(text); n != 40 && n != 64 || strings.Trim(text, "0123456789abcdef") != "" {
		return ""
	}
	return text
}

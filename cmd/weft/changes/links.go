package changes

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// The target of a symbolic link can be reached by the link's name, too: patterns of tasks follow
// links. So its changes count under both names.

// link is a symbolic link and its target, without further links; both absolute.
type link struct{ path, target string }

// Limits of the names that links give to changed files: links to each other's directories make
// innumerable names. Beyond the limits everything below a link counts as changed.
const (
	maxChain   = 8 // nested links
	maxAliases = 20_000
	maxDirs    = 1_000 // beyond which anything may have changed
)

// addLink records a link, unless it is dangling, or leads to a directory that contains it.
func (l *lister) addLink(path string) {
	target, err := filepath.EvalSymlinks(path)
	if err != nil || below(target, path) {
		return
	}
	if at, err := filepath.EvalSymlinks(filepath.Dir(path)); err != nil || below(target, filepath.Join(at, filepath.Base(path))) {
		return
	}
	l.links = append(l.links, link{path, target})
}

// changedLink records that the target of a link has changed. If it is a link to a directory now, or
// was removed, everything below it may have changed.
func (l *lister) changedLink(path string) {
	if st, err := os.Stat(path); err != nil || st.IsDir() {
		l.c.Dirs = append(l.c.Dirs, path)
	}
}

// follow adds changed files under the names that links give them. top is the working tree without
// links, where their targets are, and root its name in paths.
func (l *lister) follow(top, root string) {
	byTarget := map[string][]string{}
	for _, k := range l.links {
		if below(top, k.target) {
			target := root + strings.TrimPrefix(k.target, top)
			byTarget[target] = append(byTarget[target], k.path)
		}
	}
	if len(byTarget) == 0 {
		return
	}
	changed := slices.Sorted(maps.Keys(l.c.entries)) // all machines produce the same names
	aliases := 0
	for chain := 0; len(changed) > 0; chain++ {
		var more []string
		for _, p := range changed {
			for at := p; ; at = filepath.Dir(at) {
				for _, name := range byTarget[at] {
					alias := name + strings.TrimPrefix(p, at)
					if _, known := l.c.entries[alias]; known {
						continue
					}
					if aliases++; chain >= maxChain || aliases > maxAliases {
						l.c.Dirs = append(l.c.Dirs, name)
						delete(byTarget, at)
						break
					}
					l.c.entries[alias] = l.c.entries[p]
					more = append(more, alias)
				}
				if at == root || at == filepath.Dir(at) {
					break
				}
			}
		}
		changed = more
	}
	l.followDirs(byTarget)
}

// followDirs adds the links to, into and around the directories in which anything may have changed.
func (l *lister) followDirs(byTarget map[string][]string) {
	targets := slices.Sorted(maps.Keys(byTarget))
	known := map[string]bool{}
	for _, dir := range l.c.Dirs {
		known[dir] = true
	}
	for i := 0; i < len(l.c.Dirs); i++ {
		if i == maxDirs {
			l.c.Dirs = []string{l.c.Root}
			return
		}
		dir := l.c.Dirs[i]
		for _, target := range targets {
			for _, name := range byTarget[target] {
				switch {
				case below(target, dir):
					name += strings.TrimPrefix(dir, target)
				case !below(dir, target):
					continue
				}
				if !known[name] {
					known[name] = true
					l.c.Dirs = append(l.c.Dirs, name)
				}
			}
		}
	}
}

// below reports whether path is dir or below it.
//
//go:noinline
func below(dir, path string) bool {
	return path == dir || strings.HasPrefix(path, strings.TrimSuffix(dir, "/")+"/")
}

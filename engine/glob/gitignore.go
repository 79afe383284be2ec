package glob

import (
	"os"
	"path"
	"slices"
	"strings"
	"time"
)

// ignores caches .gitignore files, as of an age.
type ignores struct {
	age    uint64
	scopes map[string]*scope // by prefix of the directory
	files  map[string]ignoreFile
	roots  map[string]string
}

// scope is the set of ignore rules of one directory.
type scope struct {
	all   bool   // the directory itself is ignored
	rules []rule // of the .gitignore files from the repository's root to here
}

type ignoreFile struct {
	st    Stat
	rules []rule
}

// rule is one line of a .gitignore.
type rule struct {
	prefix  string   // directory of the file
	parts   []string // between slashes; a single one matches any name
	alone   bool
	keep    bool // `!`
	dirOnly bool
}

// withoutIgnored removes the files that git would ignore: by every .gitignore
// from the root of the repository that dir is in down to the file's own
// directory. Without a repository nothing is ignored; .git/info/exclude and
// the user's own file do not count.
func (t *Tree) withoutIgnored(dir string, files []File) []File {
	if len(files) == 0 {
		return files
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	g := &t.ignores
	if age := t.age.Load(); g.age != age || g.scopes == nil {
		if g.files == nil {
			g.files = map[string]ignoreFile{}
		}
		g.age, g.scopes, g.roots = age, map[string]*scope{}, map[string]string{}
	}
	root := g.repository(dir)
	if root == "" {
		return files
	}
	var last *scope
	lastPrefix := ""
	return slices.DeleteFunc(files, func(it File) bool {
		p := it.Path()
		if !strings.HasPrefix(p, root) {
			return false
		}
		prefix := p[:strings.LastIndexByte(p, '/')+1]
		if last == nil || prefix != lastPrefix {
			last, lastPrefix = g.scope(root, prefix), prefix
		}
		return last.all || verdict(last.rules, p, false)
	})
}

// repository is the nearest directory from dir upwards that has a .git, with
// a slash.
func (g *ignores) repository(dir string) string {
	if root, ok := g.roots[dir]; ok {
		return root
	}
	root := ""
	for at := dir; ; at = path.Dir(at) {
		if _, err := os.Lstat(path.Join(at, ".git")); err == nil {
			root = strings.TrimSuffix(at, "/") + "/"
			break
		}
		if at == path.Dir(at) {
			break
		}
	}
	g.roots[dir] = root
	return root
}

// scope returns the scope of the directory with that prefix, below root.
func (g *ignores) scope(root, prefix string) *scope {
	if s := g.scopes[prefix]; s != nil {
		return s
	}
	s := &scope{}
	if prefix != root {
		dir := prefix[:len(prefix)-1]
		up := g.scope(root, dir[:strings.LastIndexByte(dir, '/')+1])
		s.rules = up.rules
		s.all = up.all || verdict(up.rules, dir, true)
	}
	if !s.all {
		if own := g.file(prefix); len(own) > 0 {
			s.rules = append(slices.Clip(s.rules), own...)
		}
	}
	g.scopes[prefix] = s
	return s
}

// file returns the rules of the .gitignore in a directory, read again only
// when it changed.
func (g *ignores) file(prefix string) []rule {
	name := prefix + ".gitignore"
	st, err := statPath(name, true)
	if err != nil || !st.Regular() {
		return nil
	}
	f, ok := g.files[prefix]
	if !ok || f.st != st || st.Recent(time.Now()) {
		src, err := os.ReadFile(name)
		if err != nil {
			return nil
		}
		f = ignoreFile{st: st, rules: parseIgnore(prefix, string(src))}
		g.files[prefix] = f
	}
	return f.rules
}

// verdict returns the effect of the last matching rule.
func verdict(rules []rule, p string, dir bool) bool {
	for i := len(rules) - 1; i >= 0; i-- {
		if r := &rules[i]; strings.HasPrefix(p, r.prefix) && r.matches(p[len(r.prefix):], dir) {
			return !r.keep
		}
	}
	return false
}

// matches reports whether r applies to the path, which is relative to r's
// directory. A rule that matches a directory matches all below it. These are
// the reference's rules, which differ from git's for `[!…]` (no negation, `[^…]`
// is), `**` inside a name (never matches), and a trailing `/**` (matches the
// directory too).
func (r *rule) matches(p string, dir bool) bool {
	if r.alone {
		for more := true; more; {
			var name string
			name, p, more = strings.Cut(p, "/")
			if match(r.parts[0], name) {
				return !r.dirOnly || dir || more
			}
		}
		return false
	}
	rest, more := p, true // more: rest has a name
	matched, anywhere := false, false
	for i, part := range r.parts {
		switch {
		case part == "**":
			if i == len(r.parts)-1 {
				return matched && (!r.dirOnly || dir || more)
			}
			anywhere = true
			continue
		case strings.Contains(part, "**") || !more:
			return false
		}
		matched = false
		for more && !matched {
			var name string
			name, rest, more = strings.Cut(rest, "/")
			matched = match(part, name)
			if !anywhere {
				break
			}
		}
		if !matched {
			return false
		}
		anywhere = false
	}
	return matched && (!r.dirOnly || dir || more)
}

func match(pattern, name string) bool {
	ok, err := path.Match(pattern, name)
	return ok && err == nil
}

func parseIgnore(prefix, src string) []rule {
	var rules []rule
	for line := range strings.Lines(src) {
		line = strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r")
		if line == "" || line[0] == '#' {
			continue
		}
		r := rule{prefix: prefix}
		if line[0] == '!' {
			r.keep, line = true, line[1:]
		}
		if !strings.HasSuffix(line, `\ `) {
			line = strings.TrimRight(line, " ")
		}
		if strings.HasSuffix(line, "/") {
			r.dirOnly, line = true, line[:len(line)-1]
		}
		if line == "" {
			continue
		}
		r.alone = !strings.Contains(line, "/")
		r.parts = slices.DeleteFunc(strings.Split(line, "/"), func(s string) bool { return s == "" })
		if len(r.parts) == 0 {
			continue
		}
		rules = append(rules, r)
	}
	return rules
}

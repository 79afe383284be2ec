package cache

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// withoutIgnored removes the files that git would ignore: by the .gitignore of
// every directory from the repository's root down to the file's own. Without a
// repository nothing is ignored. The rules are those of gitignore(5).
func (t *Tree) withoutIgnored(dir string, files []file) []file {
	root := repository(dir)
	if root == "" {
		return files
	}
	return slices.DeleteFunc(files, func(f file) bool {
		path := f.path
		if !filepath.IsAbs(path) {
			path = filepath.Join(dir, path)
		}
		return t.ignored(root, path)
	})
}

// repository is the nearest directory above that has a .git.
func repository(dir string) string {
	for {
		if _, err := os.Stat(filepath.Join(dir, ".git")); err == nil {
			return dir
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return ""
		}
		dir = parent
	}
}

// ignored asks, for the file and each directory above it, the files that have
// a say; a directory that is ignored takes everything below it along.
func (t *Tree) ignored(root, path string) bool {
	rel, err := filepath.Rel(root, path)
	if err != nil || strings.HasPrefix(rel, "..") {
		return false
	}
	parts := strings.Split(filepath.ToSlash(rel), "/")
	for n := 1; n <= len(parts); n++ {
		verdict := false
		dir := root
		for i := range n {
			if f := t.ignoreFile(dir); f != nil {
				verdict = f.verdict(strings.Join(parts[i:n], "/"), n < len(parts), verdict)
			}
			dir = filepath.Join(dir, parts[i])
		}
		if verdict {
			return true
		}
	}
	return false
}

// ignoreFile is a parsed .gitignore.
type ignoreFile struct{ rules []ignoreRule }

type ignoreRule struct {
	re      *regexp.Regexp
	keep    bool // `!`
	dirOnly bool
}

func (t *Tree) ignoreFile(dir string) *ignoreFile {
	t.mu.Lock()
	defer t.mu.Unlock()
	f, ok := t.ignores[dir]
	if !ok {
		if src, err := os.ReadFile(filepath.Join(dir, ".gitignore")); err == nil {
			f = parseIgnore(string(src))
		}
		t.ignores[dir] = f
	}
	return f
}

// verdict is what the last rule that matches says, or before.
func (f *ignoreFile) verdict(path string, isDir, before bool) bool {
	for i := len(f.rules) - 1; i >= 0; i-- {
		r := &f.rules[i]
		if (!r.dirOnly || isDir) && r.re.MatchString(path) {
			return !r.keep
		}
	}
	return before
}

func parseIgnore(src string) *ignoreFile {
	f := &ignoreFile{}
	for line := range strings.Lines(src) {
		line = strings.TrimRight(line, "\r\n")
		if !strings.HasSuffix(line, `\ `) {
			line = strings.TrimRight(line, " ")
		}
		if line == "" || line[0] == '#' {
			continue
		}
		var r ignoreRule
		if line[0] == '!' {
			r.keep, line = true, line[1:]
		}
		if strings.HasSuffix(line, "/") {
			r.dirOnly, line = true, strings.TrimSuffix(line, "/")
		}
		if re, err := regexp.Compile(ignoreExpr(line)); err == nil && line != "" {
			r.re = re
			f.rules = append(f.rules, r)
		}
	}
	return f
}

// ignoreExpr turns a pattern into a regular expression over the path relative
// to the .gitignore.
func ignoreExpr(p string) string {
	var b strings.Builder
	b.WriteString("^")
	if strings.Contains(p, "/") {
		p = strings.TrimPrefix(p, "/")
	} else {
		b.WriteString("(?:.*/)?")
	}
	for i := 0; i < len(p); i++ {
		switch c := p[i]; {
		case strings.HasPrefix(p[i:], "**/") && (i == 0 || p[i-1] == '/'):
			b.WriteString("(?:.*/)?")
			i += 2
		case p[i:] == "**" && i > 0 && p[i-1] == '/':
			b.WriteString(".*")
			i++
		case c == '*':
			b.WriteString("[^/]*")
		case c == '?':
			b.WriteString("[^/]")
		case c == '[' && strings.Contains(p[i+1:], "]"):
			end := i + 1 + strings.Index(p[i+1:], "]")
			class := p[i+1 : end]
			if strings.HasPrefix(class, "!") {
				class = "^" + class[1:]
			}
			b.WriteString("[" + strings.ReplaceAll(class, `\`, `\\`) + "]")
			i = end
		case c == '\\' && i+1 < len(p):
			i++
			b.WriteString(regexp.QuoteMeta(p[i : i+1]))
		default:
			b.WriteString(regexp.QuoteMeta(string(c)))
		}
	}
	b.WriteString("$")
	return b.String()
}

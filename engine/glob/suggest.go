package glob

import (
	"fmt"
	"path"
	"strings"
)

// IsDirectory reports whether a pattern, or one of its alternatives, is the path of a directory, with
// nothing special.
func (t *Tree) IsDirectory(dir, glob string) bool {
	for _, one := range Alternatives(glob) {
		base, rest := anchor(dir, one)
		if st, err := statPath(path.Clean(base+rest), true); plain(rest, "") && err == nil && st.isDir() {
			return true
		}
	}
	return false
}

// Suggest returns a corrected form of a pattern that matches no file; "" if none is known.
func (t *Tree) Suggest(dir string, p Pattern) string {
	glob := p.Glob
	for _, prefix := range []string{"!", "exclude:"} {
		if not, ok := strings.CutPrefix(glob, prefix); ok {
			return fmt.Sprintf("to leave files out, write {exclude: %s}", quoted(strings.TrimSpace(not)))
		}
	}
	if t.IsDirectory(dir, glob) {
		return fmt.Sprintf("it is a directory: for the files in it write %s", quoted(strings.TrimSuffix(glob, "/")+"/**/*"))
	}
	if literal := escapeNames(dir, glob); literal != "" {
		return fmt.Sprintf("its name contains special characters of patterns: write %s", quoted(literal))
	}
	return ""
}

// quoted returns a text as written in a YAML file.
func quoted(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// escapeNames returns glob with backslashes in those of its names that exist literally; "" if that
// makes no difference.
func escapeNames(dir, glob string) string {
	segs := strings.Split(glob, "/")
	at := dir
	if path.IsAbs(glob) {
		at = "/"
	}
	changed := false
	for i, seg := range segs {
		at = path.Join(at, seg)
		if _, err := statPath(at, false); err != nil {
			break // the rest may be special
		}
		if !plain(seg, "") {
			segs[i], changed = escapeSpecial.Replace(seg), true
		}
	}
	if !changed {
		return ""
	}
	return strings.Join(segs, "/")
}

// Escaped returns the pattern that matches a path and nothing else.
func Escaped(p string) string {
	if plain(p, "") {
		return p
	}
	return escapeSpecial.Replace(p)
}

var escapeSpecial = strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`, `]`, `\]`, `{`, `\{`, `}`, `\}`,
	`$`, `\$`, "`", "\\`", `'`, `\'`, `"`, `\"`, `;`, `\;`, `|`, `\|`, `<`, `\<`, `>`, `\>`)

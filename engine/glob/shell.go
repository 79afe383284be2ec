package glob

import (
	"errors"
	"io/fs"
	"path"
	"strings"
	"syscall"
	"unicode/utf8"

	"mvdan.cc/sh/v3/expand"
	"mvdan.cc/sh/v3/syntax"

	"github.com/weftrun/weft/internal/limit"
)

var errNotDir error = syscall.ENOTDIR

// shell matches a pattern by the shell's own expansion: quotes, escapes,
// variables, braces, character classes.
func (w *walk) shell(base, rest string) error {
	if limit.Shell(rest) != nil {
		return errPattern
	}
	env := inDir{w.t.environ(), base}
	get := func(name string) string { return env.Get(name).String() }
	var words []*syntax.Word
	for word, err := range syntax.NewParser().WordsSeq(strings.NewReader("./" + escape(rest))) {
		if err != nil || limit.Braces(word) != nil || limit.Expansion(word, get) != nil {
			return errPattern
		}
		words = append(words, word)
	}
	if plain(rest, "*?{") && utf8.ValidString(rest) && len(words) == 1 && !strings.Contains(strings.ReplaceAll("/"+rest+"/", "/**/", "/"), "**") {
		return w.braces(base, words[0])
	}
	cfg := &expand.Config{Env: env, ReadDir2: w.readDir, GlobStar: true, NullGlob: true}
	for field, err := range expand.FieldsSeq(cfg, words...) {
		if err != nil {
			return errPattern
		}
		if !path.IsAbs(field) {
			field = base + field
		}
		if err := w.mustExist(path.Clean(field)); err != nil {
			return err
		}
	}
	return nil
}

// escape makes these literal, without regard to the character before them: an escaped one becomes
// an escaped backslash and a special character.
func escape(s string) string {
	if !strings.ContainsAny(s, " &()") {
		return s
	}
	return strings.NewReplacer(" ", `\ `, "&", `\&`, "(", `\(`, ")", `\)`).Replace(s)
}

// braces walks every alternative of a pattern whose only special characters are braces,
// which is faster than the shell's own expansion.
func (w *walk) braces(base string, word *syntax.Word) error {
	one := *word
	if !syntax.SplitBraces(&one) {
		return w.alternative(base, &one)
	}
	for word, err := range expand.BracesSeq(&expand.Config{}, &one) {
		if err != nil {
			return errPattern
		}
		if err := w.alternative(base, word); err != nil {
			return err
		}
	}
	return nil
}

func (w *walk) alternative(base string, word *syntax.Word) error {
	var b strings.Builder
	for _, p := range word.Parts {
		lit, ok := p.(*syntax.Lit)
		if !ok {
			return errPattern
		}
		for i := 0; i < len(lit.Value); i++ {
			if lit.Value[i] == '\\' && i+1 < len(lit.Value) {
				i++ // from escape
			}
			b.WriteByte(lit.Value[i])
		}
	}
	rest := strings.TrimPrefix(b.String(), "./")
	if !strings.ContainsAny(rest, "*?") {
		return w.mustExist(path.Clean(base + rest))
	}
	return w.segments(base, rest)
}

// mustExist adds the file at a path that an expansion returned. If it does not exist, the whole
// pattern matches nothing.
func (w *walk) mustExist(p string) error {
	if w.ctx.Err() != nil {
		return w.ctx.Err()
	}
	if _, err := w.t.stat(p); err != nil && isAbsent(err) && w.t.names == nil {
		return errPattern
	}
	w.named(p)
	return nil
}

// readDir lists for the shell's expansion.
func (w *walk) readDir(dir string) ([]fs.DirEntry, error) {
	if w.ctx.Err() != nil {
		return nil, w.ctx.Err()
	}
	// Here directories that links lead to cannot be told from others: all are counted.
	if w.throughLinks++; w.throughLinks > 10*w.t.maxThroughLinks {
		if w.throughLinks == 10*w.t.maxThroughLinks+1 {
			w.skip(skipped{strings.TrimSuffix(dir, "/") + "/", errManyLinks})
		}
		return nil, errManyLinks
	}
	d := w.t.list(strings.TrimSuffix(dir, "/")+"/", func(string) bool { return false }, false)
	switch {
	case d.err == nil:
	case !isAbsent(d.err):
		w.skipDir(d)
		return nil, nil
	case errors.Is(d.err, fs.ErrNotExist):
		if st, err := w.t.stat(path.Clean(dir)); err == nil && st.IsLink() {
			return nil, errNotDir // it exists, and is dangling
		}
		return nil, d.err
	default:
		return nil, d.err
	}
	out := make([]fs.DirEntry, len(d.entries))
	for i := range d.entries {
		out[i] = dirEntry{&d.entries[i]}
	}
	return out, nil
}

// inDir is an environment with dir as working directory.
type inDir struct {
	expand.Environ
	dir string
}

func (e inDir) Get(name string) expand.Variable {
	if name == "PWD" {
		return expand.Variable{Set: true, Kind: expand.String, Str: e.dir}
	}
	return e.Environ.Get(name)
}

// dirEntry shows an entry to the shell's expansion, which needs its name and
// type. A link to a directory that contains it is shown as a file: the walk ends there.
type dirEntry struct{ e *entry }

func (d dirEntry) Name() string               { return d.e.name }
func (d dirEntry) IsDir() bool                { return d.e.kind == isDir }
func (d dirEntry) Info() (fs.FileInfo, error) { return nil, fs.ErrInvalid }

func (d dirEntry) Type() fs.FileMode {
	switch d.e.kind {
	case isDir:
		return fs.ModeDir
	case isLink, isLinkDir, isDangling:
		return fs.ModeSymlink
	}
	return 0
}

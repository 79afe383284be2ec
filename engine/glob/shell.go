package glob

import (
	"errors"
	"io/fs"
	"path"
	"strings"
	"syscall"

	"mvdan.cc/sh/v3/expand"
	"mvdan.cc/sh/v3/syntax"

	"github.com/weftrun/weft/internal/limit"
)

var errNotDir error = syscall.ENOTDIR

// shell matches a pattern by the shell's own expansion: quotes, escapes,
// variables, braces, character classes.
func (w *walk) shell(base, rest string) error {
	env := inDir{w.t.environ(), base}
	words, err := words(rest, func(name string) string { return env.Get(name).String() })
	if err != nil {
		return err
	}
	walked := walkable(rest)
	cfg := &expand.Config{Env: env, ReadDir2: w.readDir, GlobStar: true, NullGlob: true}
	for _, word := range words {
		if walked {
			err = w.alternative(base, word)
		} else {
			err = w.expanded(base, cfg, word)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// words parses a pattern, if its expansion is within limits, and returns its alternatives. get returns
// the value of a variable.
func words(rest string, get func(name string) string) (all []*syntax.Word, err error) {
	if limit.Shell(rest) != nil {
		return nil, errPattern
	}
	for word, err := range syntax.NewParser().WordsSeq(strings.NewReader("./" + escape(rest))) {
		if err != nil || limit.Braces(word) != nil || limit.Expansion(word, get) != nil {
			return nil, errPattern
		}
		syntax.SplitBraces(word)
		//lint:ignore SA1019 limit.Braces has counted them
		all = append(all, expand.Braces(word)...)
	}
	return all, nil
}

// walkable reports whether the only special characters of a pattern are those of [walk.segments], and
// braces: to walk its alternatives is faster than the shell's own expansion.
func walkable(rest string) bool { return plain(rest, "*?{") && segmented(rest) }

// Alternatives returns the patterns that the braces in a pattern stand for, if it has no special
// characters but these and wildcards; else only the pattern itself.
func Alternatives(glob string) []string {
	if walkable(glob) && strings.Contains(glob, "{") {
		words, _ := words(glob, nil)
		all := make([]string, len(words))
		for i, word := range words {
			all[i] = text(word)
		}
		return all
	}
	return []string{glob}
}

// expanded matches one alternative by the shell's own expansion.
func (w *walk) expanded(base string, cfg *expand.Config, word *syntax.Word) error {
	before := len(w.found)
	fields, err := expand.Fields(cfg, word)
	if err != nil {
		return errPattern
	}
	for i, field := range fields {
		if !path.IsAbs(field) {
			field = base + field
		}
		fields[i] = path.Clean(field)
		if err := w.mustExist(fields[i]); err != nil {
			return err
		}
	}
	if len(w.found) > before {
		return nil
	}
	for _, name := range fields {
		if err := w.inside(name+"/", "**/*"); err != nil {
			return err
		}
	}
	return nil
}

// alternative walks one alternative of a walkable pattern.
func (w *walk) alternative(base string, word *syntax.Word) (err error) {
	rest := text(word)
	before := len(w.found)
	if strings.ContainsAny(rest, "*?") {
		err = w.segments(base, rest)
	} else {
		err = w.mustExist(path.Clean(base + rest))
	}
	if err != nil || len(w.found) > before {
		return err
	}
	return w.inside(base, strings.TrimSuffix(rest, "/")+"/**/*")
}

// inside adds the files in the directories that an alternative of a generated pattern names.
func (w *walk) inside(base, rest string) error {
	if w.mode != generating {
		return nil
	}
	found, skipped := len(w.found), len(w.skipped)
	err := w.recursive(base, rest)
	if err == errNotRecursive {
		w.found, w.skipped = w.found[:found], w.skipped[:skipped]
		err = w.segments(base, rest)
	}
	if err == errPattern {
		return nil // it is no directory
	}
	return err
}

// text returns an alternative of a walkable pattern: it is all literal, with backslashes of escape only.
func text(word *syntax.Word) string {
	return strings.TrimPrefix(strings.ReplaceAll(word.Lit(), `\`, ""), "./")
}

// escape makes these literal, without regard to the character before them: an escaped one becomes
// an escaped backslash and a special character.
func escape(s string) string {
	if !strings.ContainsAny(s, " &()") {
		return s
	}
	return strings.NewReplacer(" ", `\ `, "&", `\&`, "(", `\(`, ")", `\)`).Replace(s)
}

// mustExist adds the file at a path that an expansion returned. If it does not exist, the whole
// pattern matches nothing, unless it is of generated files.
func (w *walk) mustExist(p string) error {
	if w.ctx.Err() != nil {
		return w.ctx.Err()
	}
	_, err := w.t.stat(p)
	w.literal = w.literal || err == nil
	if err != nil && isAbsent(err) && w.t.names == nil {
		if w.mode != generating {
			return errPattern
		}
		if w.missing == "" {
			w.missing = p
		}
		return nil
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

// Package glob finds the files that patterns match. It owns the patterns, git's ignore rules, and a
// run's knowledge of files: their existence, their times, and digests of their content. It knows
// nothing of tasks, and nothing of the state of files before this run.
//
// One [Tree] serves a whole run: it lists each directory, and stats and reads each file, once,
// until a command may have changed something.
//
// # Patterns
//
// A pattern is a path below a directory; it takes one of four ways.
//
//   - Without special characters: one stat of that path.
//   - PREFIX/**/NAME, with nothing special before and one more segment after: a
//     walk that NAME is matched against as path.Match does (recursive.go). It sees
//     hidden names, which shells do not. A link to a directory anywhere below sends
//     the pattern the third way.
//   - With `*`, `?` and `**` only, or these inside braces: the rules of a shell,
//     walked here (segments.go). Names with a leading dot match only a segment that
//     begins with one.
//   - With anything else: the shell's own expansion, over our listings (shell.go).
//
// The reference, go-task, has the same four ways, and its results depend on them,
// so ours must too. They differ in one thing: there, a pattern that meets an inaccessible entry
// matches nothing at all, which makes a build stale and an exclusion ineffective; here, only that
// entry is skipped (unreadable.go).
package glob

import (
	"path"
	"strings"
	"unicode/utf8"

	"github.com/weftrun/weft/schema/diag"
)

// Pattern is one glob. Patterns apply in order; an excluding one removes files that those before it
// matched.
type Pattern struct {
	Glob    string // relative to a directory; variables in it are not expanded yet
	Exclude bool
	// Generated means that the files are those that a task makes: what matches no file means all files
	// in the directories it names. Each alternative in braces counts by itself: one that names a missing
	// file does not make the others match nothing. What exists is generated, and not all that shall be.
	Generated bool
	Pos       diag.Pos // for messages
}

// anchor splits a pattern into an absolute directory with a slash, in which
// nothing is special, and the rest. It is cleaned as a path.
func anchor(dir, glob string) (base, rest string) {
	if path.IsAbs(glob) {
		return "/", strings.TrimPrefix(path.Clean(glob), "/")
	}
	rest = path.Clean(glob)
	for rest == ".." || strings.HasPrefix(rest, "../") {
		dir, rest = path.Dir(dir), strings.TrimPrefix(rest[2:], "/")
	}
	if rest == "." {
		rest = ""
	}
	return strings.TrimSuffix(dir, "/") + "/", rest
}

// plain reports whether s has no special characters except those in special.
func plain(s, special string) bool {
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c >= '0' && c <= '9', c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= 0x80:
		case strings.IndexByte("/._-+@%=:,~^!#&() ]}", c) >= 0:
		case strings.IndexByte(special, c) >= 0:
		default:
			return false
		}
	}
	return true
}

// simple reports whether s is for walk.segments.
func simple(s string) bool {
	return plain(s, "*?") && segmented(s)
}

// segmented reports whether each `**` in s is a whole segment.
func segmented(s string) bool {
	if !utf8.ValidString(s) {
		return false
	}
	for rest, seg, more := s, "", true; more; {
		seg, rest, more = strings.Cut(rest, "/")
		if seg != "**" && strings.Contains(seg, "**") {
			return false
		}
	}
	return true
}

// unquote takes the quotes and backslashes out of a pattern for walk.segments, in which
// nothing that they stand before or around is `*` or `?`. ok is false for any other. The
// shell's own expansion takes a directory's name as it is written, with the backslashes.
func unquote(s string) (literal string, ok bool) {
	if !strings.ContainsAny(s, `\'"`) || !strings.ContainsAny(s, "*?") {
		return "", false
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\' && i+1 < len(s) && strings.IndexByte("*?/", s[i+1]) < 0:
			i++
			b.WriteByte(s[i])
		case c == '\'' || c == '"':
			inner, _, closed := strings.Cut(s[i+1:], s[i:i+1])
			if !closed || strings.ContainsAny(inner, "*?\\") || c == '"' && strings.ContainsAny(inner, "$`") {
				return "", false
			}
			b.WriteString(inner)
			i += len(inner) + 1
		case plain(s[i:i+1], "*?"):
			b.WriteByte(c)
		default:
			return "", false
		}
	}
	return b.String(), segmented(b.String())
}

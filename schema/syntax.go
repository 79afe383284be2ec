package schema

import (
	"errors"
	"fmt"
	"sort"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/weftrun/weft/schema/diag"
)

// syntaxProblem says where and why file is not YAML. The library's errors name
// a line, though often not the one that is wrong, and no column.
func syntaxProblem(file *diag.File, err error) *diag.Diagnostic {
	src := file.Source
	line, text := splitYAMLError(err)
	d := &diag.Diagnostic{Kind: diag.Syntax, What: "not valid YAML: " + text}
	if line == 0 {
		// It names no line for bytes that it refuses to read at all.
		if offset, what := badByte(src); what != "" {
			d.Pos, d.What, d.Fix = posAt(file, src, offset), what, "save the file as UTF-8 text"
			return d
		}
	}
	open := ""
	switch text {
	case "did not find expected key", "did not find expected '-' indicator":
		line, d.Fix = lastLine(src, err), "check the indentation of this line"
	case "did not find expected ',' or ']'":
		line, open = line+1, "["
	case "did not find expected ',' or '}'":
		line, open = line+1, "{"
	case "did not find expected node content":
		line++
	case "found unexpected end of stream":
		open = `"'`
	}
	line = min(max(line, 1), 1+strings.Count(src, newline))
	content := lineOf(src, line)
	if line > 1 && len(strings.TrimSpace(content)) == 0 { // the end of the file is nowhere
		before := strings.TrimRight(src[:len(src)-len(from(src, line))], " \t\r\n")
		line = 1 + strings.Count(before, newline)
		content = lineOf(src, line)
	}
	column := len(content) - len(strings.TrimLeft(content, " ")) + 1
	if i := strings.LastIndexAny(content, open); open != "" && i >= 0 {
		column, d.Fix = i+1, "close what is opened here"
	}
	d.Pos = diag.Pos{File: file, Line: int32(line), Column: int32(column)}
	if d.Fix == "" {
		d.Fix = syntaxHint(text, content)
	}
	return d
}

func syntaxHint(text string, line string) string {
	switch {
	case strings.Contains(text, "cannot start any token") && strings.IndexByte(line, '\t') >= 0:
		return "indent with spaces; YAML allows no tabs there"
	case strings.Contains(text, "cannot start any token"):
		return "put quotes around the text"
	case strings.Contains(text, "mapping values are not allowed"):
		return `put quotes around a text that holds ": "`
	case strings.Contains(text, "unknown anchor"):
		return `define the anchor with "&" before it is used, or quote the text that begins with "*"`
	case strings.Contains(text, "exceeded max depth"):
		return "the file is nested too deeply"
	}
	return ""
}

// splitYAMLError takes "yaml: line 3: did not find …" apart. The line is 0
// when the error names none.
func splitYAMLError(err error) (line int, text string) {
	text = strings.TrimPrefix(err.Error(), "yaml: ")
	rest, ok := strings.CutPrefix(text, "line ")
	if !ok {
		return 0, text
	}
	num, msg, ok := strings.Cut(rest, ": ")
	n, err := strconv.Atoi(num)
	if !ok || err != nil {
		return 0, text
	}
	return n, msg
}

// lastLine finds the line that the parser had come to when it failed with err,
// which names the line where the map or list begins: it is the last line of
// the shortest beginning of src that fails the same way.
func lastLine(src string, err error) int {
	const tooLarge = 1 << 20 // to be parsed twenty times
	n := strings.Count(src, newline) + 1
	if len(src) > tooLarge {
		named, _ := splitYAMLError(err)
		return named + 1
	}
	ends := make([]int, 0, n)
	for i := 0; i < len(src); {
		i = lineEnd(src, i)
		ends = append(ends, i)
	}
	return 1 + sort.Search(len(ends), func(i int) bool {
		_, e := unmarshal([]byte(src[:ends[i]]))
		return e != nil && e.Error() == err.Error()
	})
}

// errGaveUp is what a panic of the library becomes.
var errGaveUp = errors.New("yaml: the parser gave up")

// lineOf returns line number line (from 1) of src, without its end.
func lineOf(src string, line int) string {
	src = from(src, line)
	return strings.TrimRight(src[:lineEnd(src, 0)], "\r\n")
}

// from returns src from the start of line number line on.
func from(src string, line int) string {
	for ; line > 1; line-- {
		src = src[lineEnd(src, 0):]
	}
	return src
}

// badByte finds the first byte that cannot stand in a text file.
func badByte(src string) (offset int, what string) {
	for i := 0; i < len(src); {
		c := src[i]
		if c < utf8.RuneSelf {
			if c < 0x20 && c != '\t' && c != '\n' && c != '\r' || c == 0x7f {
				return i, fmt.Sprintf("control character 0x%02x", c)
			}
			i++
			continue
		}
		r, n := utf8.DecodeRuneInString(src[i:])
		if r == utf8.RuneError && n == 1 {
			return i, fmt.Sprintf("byte 0x%02x is not UTF-8", c)
		}
		// What the library refuses beyond control characters.
		if r >= 0x80 && r < 0xa0 && r != 0x85 || r == 0xfffe || r == 0xffff {
			return i, fmt.Sprintf("character U+%04X is not allowed", r)
		}
		i += n
	}
	return 0, ""
}

func posAt(file *diag.File, src string, offset int) diag.Pos {
	before := src[:offset]
	return diag.Pos{
		File:   file,
		Line:   int32(1 + strings.Count(before, newline)),
		Column: int32(offset - strings.LastIndexByte(before, '\n')),
	}
}

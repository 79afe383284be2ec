package schema

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"

	"github.com/weftrun/weft/schema/diag"
)

// parseYAML returns the root node of the first document of src, or nil for a
// file without one. A diagnostic of kind Syntax says where src is not YAML. src
// begins after the given number of lines of file.
func parseYAML(file *diag.File, lines int32, src []byte) (root *yaml.Node, problem *diag.Diagnostic) {
	doc, err := unmarshal(src)
	if err == nil {
		if len(doc.Content) == 0 {
			return nil, nil
		}
		return doc.Content[0], nil
	}
	line, text := splitYAMLError(err)
	d := &diag.Diagnostic{
		Pos:  diag.Pos{File: file, Line: lines + int32(max(line, 1)), Column: 1},
		Kind: diag.Syntax,
		What: "not valid YAML: " + text,
	}
	// The library names no line for bytes it refuses to read at all.
	if line == 0 {
		if p, what := badByte(src); what != "" {
			d.Pos, d.What = posAt(file, src, p), what
			d.Fix = "save the file as UTF-8 text"
			return nil, d
		}
	}
	if fix := syntaxHint(src, d.Pos.Line, text); fix != "" {
		d.Fix = fix
	}
	return nil, d
}

// unmarshal guards against panics of the library: a file must never be able to
// crash the program.
func unmarshal(src []byte) (doc yaml.Node, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("yaml: the parser gave up (%v)", r)
		}
	}()
	err = yaml.Unmarshal(src, &doc)
	var te *yaml.TypeError
	if errors.As(err, &te) {
		err = nil // a Node takes any type
	}
	return doc, err
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

func syntaxHint(src []byte, line int32, text string) string {
	switch {
	case strings.Contains(text, "cannot start any token") && bytes.ContainsRune(lineOf(src, line), '\t'):
		return "indent with spaces; YAML allows no tabs there"
	case strings.Contains(text, "mapping values are not allowed"):
		return `put quotes around a text that holds ": "`
	case strings.Contains(text, "unknown anchor"):
		return `define the anchor with "&" before it is used, or quote the text that begins with "*"`
	case strings.Contains(text, "exceeded max depth"):
		return "the file is nested too deeply"
	}
	return ""
}

// lineOf returns line number line (from 1) of src, without its end.
func lineOf(src []byte, line int32) []byte {
	for ; line > 1; line-- {
		i := bytes.IndexByte(src, '\n')
		if i < 0 {
			return nil
		}
		src = src[i+1:]
	}
	if i := bytes.IndexByte(src, '\n'); i >= 0 {
		src = src[:i]
	}
	return src
}

// badByte finds the first byte that cannot stand in a text file.
func badByte(src []byte) (offset int, what string) {
	for i := 0; i < len(src); {
		c := src[i]
		if c < utf8.RuneSelf {
			if c < 0x20 && c != '\t' && c != '\n' && c != '\r' || c == 0x7f {
				return i, fmt.Sprintf("control character 0x%02x", c)
			}
			i++
			continue
		}
		r, n := utf8.DecodeRune(src[i:])
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

func posAt(file *diag.File, src []byte, offset int) diag.Pos {
	before := src[:offset]
	return diag.Pos{
		File:   file,
		Line:   int32(1 + bytes.Count(before, []byte{'\n'})),
		Column: int32(offset - bytes.LastIndexByte(before, '\n')),
	}
}

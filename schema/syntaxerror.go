package schema

import (
	"sort"
	"strings"

	"github.com/weftrun/weft/schema/diag"
	"github.com/weftrun/weft/schema/yaml"
)

// syntaxProblem returns where and why file is not YAML. The library's errors name
// a line, though often not the one that is wrong, and no column.
func syntaxProblem(file *diag.File, err yaml.Error) *diag.Diagnostic {
	src, line, text := file.Source, err.Line, err.Text
	d := &diag.Diagnostic{Kind: diag.Syntax, What: "not valid YAML: " + text}
	if line == 0 {
		// It names no line for bytes that it refuses to read at all.
		if offset, what := yaml.BadCharacter(src); what != "" {
			d.Pos, d.What, d.Fix = file.At(offset), what, "save the file as UTF-8 text"
			return d
		}
	}
	open := ""
	switch text {
	case "did not find expected key", "did not find expected '-' indicator":
		line, d.Fix = lastLine(file, err), "check the indentation of this line"
	case "did not find expected ',' or ']'":
		line, open = line+1, "["
	case "did not find expected ',' or '}'":
		line, open = line+1, "{"
	case "did not find expected node content":
		line++
	case "found unexpected end of stream":
		open = `"'`
	}
	line = min(max(line, 1), file.Lines())
	for line > 1 && strings.TrimSpace(file.Line(line)) == "" { // the end of the file is on no line
		line--
	}
	content := file.Line(line)
	column := len(content) - len(strings.TrimLeft(content, " ")) + 1
	if i := strings.LastIndexAny(content, open); open != "" && i >= 0 {
		column, d.Fix = i+1, "close what is opened here"
	}
	d.Pos = diag.Pos{File: file, Line: int32(line), Column: int32(column)}
	if strings.Contains(text, "tab character") || strings.Contains(text, "cannot start any token") {
		if at, tab := tabAt(file, line); tab > 0 {
			d.Pos.Line, d.Pos.Column = int32(at), int32(tab)
			d.What, d.Fix = "a tab in the indentation", "indent with spaces; YAML allows no tabs there"
			if strings.IndexByte(file.Line(at)[:tab], '-') >= 0 {
				d.What, d.Fix = "a tab after the dash", "write a space; YAML allows no tabs there"
			}
			return d
		}
	}
	if offset, plain := unknownAlias(src, text); offset >= 0 {
		d.Pos = file.At(offset)
		if line = int(d.Pos.Line); plain {
			d.Fix = syntaxHint(text, content) // it may well be meant for an alias
			return d
		}
	}
	if at, m := findMistake(file, err, line); m != nil {
		d.Pos.Line, d.Pos.Column = int32(at), int32(m.column)
		d.What, d.Why, d.Fix = m.what, m.why, m.fix()
		return d
	}
	if d.Fix == "" {
		d.Fix = syntaxHint(text, content)
	}
	if d.Fix == "" && line > 1 && opensBlock(file.Line(line-1)) {
		d.Fix = "indent the text of the block more than the line above"
	}
	return d
}

// opensBlock reports whether a line ends with the beginning of a block.
func opensBlock(line string) bool {
	line = strings.TrimRight(strings.TrimRight(line, " \r"), "+-0123456789")
	return strings.HasSuffix(line, " |") || strings.HasSuffix(line, " >")
}

// unknownAlias returns the offset of the alias that an error says has no anchor, or -1 for
// any other error; plain means that it is named as anchors are, and is not a pattern.
func unknownAlias(src, text string) (offset int, plain bool) {
	name, ok := strings.CutPrefix(text, "unknown anchor '")
	if !ok {
		return -1, false
	}
	name, _, _ = strings.Cut(name, "'")
	for from := 0; ; {
		i := strings.Index(src[from:], "*"+name)
		if i < 0 {
			return -1, false
		}
		if i += from; i > 0 && strings.IndexByte(" [,{", src[i-1]) >= 0 {
			return i, !strings.ContainsAny(name, "*./")
		}
		from = i + 1
	}
}

// tabAt finds a tab in the indentation, or after a dash, of a line or one of the next two:
// the library does not name the right one.
func tabAt(file *diag.File, line int) (at, column int) {
	for n := line; n <= line+2; n++ {
		content := file.Line(n)
		if i := strings.IndexByte(content, '\t'); i >= 0 && strings.Trim(content[:i], " -") == "" {
			return n, i + 1
		}
	}
	return 0, 0
}

// findMistake looks for what is wrong in the line of an error and its neighbours.
// What it finds is the cause: with the corrected line, the error is
// gone or is further down.
func findMistake(file *diag.File, err yaml.Error, line int) (at int, found *mistake) {
	if len(file.Source) > maxReparsed {
		return 0, nil
	}
	before := line - 1
	for before > 1 && strings.TrimSpace(file.Line(before)) == "" {
		before--
	}
	for _, n := range [...]int{line, before, line + 1} {
		content := file.Line(n)
		for _, m := range [...]*mistake{mistakeIn(content), missingSpace(content), missingDashSpace(content)} {
			if m != nil && cures(file, err, n, m.line) {
				return n, m
			}
		}
	}
	return 0, nil
}

// cures reports whether err is gone, or further down, when a line has another text.
func cures(file *diag.File, err yaml.Error, line int, fixed string) bool {
	from := file.Offset(line)
	changed := file.Source[:from] + fixed + file.Source[from+len(file.Line(line)):]
	return yaml.Validate(changed) != err || lastLine(&diag.File{Source: changed}, err) > line
}

func syntaxHint(text string, line string) string {
	switch {
	case strings.Contains(text, "cannot start any token"):
		return "put quotes around the text"
	case strings.Contains(text, "mapping values are not allowed") && mistakeIn(line) == nil:
		return "check the indentation of this line"
	case strings.Contains(text, "mapping values are not allowed"):
		return `put quotes around a text that contains ": "`
	case strings.Contains(text, "unknown anchor"):
		return `define the anchor with "&" before it is used, or quote the text that begins with "*"`
	case strings.Contains(text, "exceeded max depth"):
		return "the file is nested too deeply"
	}
	return ""
}

// maxReparsed is the size of a file that is not parsed many times, in bytes.
const maxReparsed = 1 << 20

// lastLine finds the line that the parser had come to when it failed with err,
// which names the line where the map or list begins: it is the last line of
// the shortest beginning of src that fails the same way.
func lastLine(file *diag.File, err yaml.Error) int {
	if len(file.Source) > maxReparsed {
		return err.Line + 1
	}
	return 1 + sort.Search(file.Lines(), func(i int) bool {
		return yaml.Validate(file.Source[:file.Offset(i+2)]) == err
	})
}

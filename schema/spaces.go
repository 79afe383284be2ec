package schema

import "strings"

// spaces are characters that look like a space, or like nothing, and are letters to YAML.
var spaces = [...]struct {
	char rune
	name string
}{
	{'\u00a0', "a non-breaking space (U+00A0)"},
	{'\u202f', "a narrow non-breaking space (U+202F)"},
	{'\u3000', "an ideographic space (U+3000)"},
	{'\u2002', "an en space (U+2002)"},
	{'\u2003', "an em space (U+2003)"},
	{'\u2009', "a thin space (U+2009)"},
	{'\u200b', "a zero-width space (U+200B)"},
	{'\u2060', "a word joiner (U+2060)"},
	{'\ufeff', "a byte order mark (U+FEFF)"},
}

// spaceName returns the name of r if it is one of spaces, and "" otherwise.
func spaceName(r rune) string {
	for i := 0; r >= 0x80 && i < len(spaces); i++ {
		if spaces[i].char == r {
			return spaces[i].name
		}
	}
	return ""
}

// oddSpace finds such a character in the indentation of a line, after a dash or after the
// colon of a key.
func oddSpace(line string) *mistake {
	name, column, changed := "", 0, false
	var b strings.Builder
	structure := true // nothing but indentation and dashes so far
	for i, r := range line {
		what := spaceName(r)
		if what != "" && (structure || i > 0 && line[i-1] == ':') {
			if name == "" {
				name, column = what, i+1
			}
			changed = true
			if r != '\u200b' && r != '\u2060' && r != '\ufeff' { // these have no width
				b.WriteByte(' ')
			}
			continue
		}
		structure = structure && (r == ' ' || r == '-')
		b.WriteRune(r)
	}
	if !changed {
		return nil
	}
	return &mistake{column: column, what: name + " instead of a space", why: "YAML treats it as a letter", line: b.String()}
}

// missingSpace finds a key without a space after its colon.
func missingSpace(line string) *mistake {
	line = strings.TrimRight(line, "\r\n \t")
	rest := strings.TrimLeft(line, " -")
	key, value, ok := strings.Cut(rest, ":")
	key = strings.TrimRight(key, " ")
	if !ok || value == "" || strings.IndexByte(" /", value[0]) >= 0 || !plainKey(key) {
		return nil
	}
	start := len(line) - len(rest)
	return &mistake{column: start + len(rest) - len(value), what: "a colon without a space after it", why: "YAML parses it not as a key, but as part of the text",
		line: line[:start] + key + ": " + value}
}

// missingDashSpace finds an item of a list without a space after its dash.
func missingDashSpace(line string) *mistake {
	line = strings.TrimRight(line, "\r\n \t")
	rest := strings.TrimLeft(line, " ")
	if len(rest) < 2 || rest[0] != '-' || rest[1] == '-' || rest[1] == ' ' {
		return nil
	}
	indent := line[:len(line)-len(rest)]
	return &mistake{column: len(indent) + 2, what: "a dash without a space after it", why: "YAML parses it not as a list item, but as part of the text", line: indent + "- " + rest[1:]}
}

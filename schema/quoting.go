package schema

import (
	"fmt"
	"slices"
	"strings"
)

// Common mistakes in YAML are texts without quotes that begin with a special character, or contain
// ": ". The functions below find such a text in the line of a problem, so that the message can say
// what is wrong, with the corrected line.

// mistake is a text that YAML does not read as it was intended.
type mistake struct {
	column int    // in bytes, from 1
	what   string // `a text that begins with "*" must be quoted`
	why    string // `YAML parses it as an alias`
	line   string // as it must be written
}

func (m *mistake) fix() string { return "write " + strings.TrimLeft(m.line, " ") }

// meaning returns YAML's interpretation of a text that begins with a special character, and "" for
// any other.
//
//go:noinline
func meaning(c byte) string {
	return map[byte]string{
		'{': "a map", '[': "a list", '*': "an alias", '&': "an anchor", '!': "a tag", '|': "the beginning of a block",
		'>': "the beginning of a block", '%': "a directive", '@': "a reserved character", '`': "a reserved character",
	}[c]
}

// mistakeIn looks for a mistake in one line of a file that is not valid.
func mistakeIn(line string) *mistake {
	line = strings.TrimRight(line, "\r\n \t")
	if m := oddSpace(line); m != nil {
		return m
	}
	start, value := valueOf(line)
	if value == "" || value[0] == '\t' {
		return nil
	}
	u := unquoted{start: start, before: line[:start]}
	u.listed = slices.Contains([]string{"cmds:", "deps:", "sources:", "generates:", "status:", "dotenv:", "aliases:", "platforms:", "set:", "shopt:"}, strings.Trim(u.before, " "))
	text, comment := value, ""
	if i := strings.Index(value, " #"); i >= 0 && !strings.ContainsAny(value[:1], `'"`) {
		text = strings.TrimRight(value[:i], " ")
		comment = value[len(text):]
	}
	u.quoted = quoteYAML(text)
	if !u.listed {
		u.quoted += comment
	}
	switch c := text[0]; c {
	case '{', '[':
		if strings.HasPrefix(text, "{{") {
			return u.begins("{{")
		}
		fixed, rest, bad := fixFlow(text)
		switch {
		case rest != "":
			return u.begins(text[:1])
		case bad != "":
			m := u.begins(bad)
			m.column += strings.Index(text, bad)
			m.line = u.before + fixed + comment
			switch c := bad[0]; {
			case c == '\'' || c == '"':
				m.what, m.why = "text follows the closing quote", "in YAML quotes must enclose the whole text"
			case meaning(c) == "":
				m.what, m.why = fmt.Sprintf("%q between brackets must be quoted", bad), "YAML parses its braces as a map"
			}
			return m
		}
	case '!':
		if tag, rest, ok := strings.Cut(text, " "); ok && strings.IndexAny(rest, `'"`) == 0 && closingQuote(rest) == len(rest)-1 {
			inner := strings.ReplaceAll(rest[1:len(rest)-1], "''", "'")
			if rest[0] == '"' {
				inner = strings.ReplaceAll(rest[1:len(rest)-1], `\"`, `"`)
			}
			u.quoted = quoteYAML(tag + " " + inner)
		}
		return u.begins("!")
	case '*', '&', '%', '@', '`':
		return u.begins(text[:1])
	case '|', '>':
		if strings.Trim(text[1:], "+-0123456789") != "" {
			return u.begins(text[:1])
		}
	case '"', '\'':
		switch end := closingQuote(text); {
		case end < 0:
		case end+1 < len(text) && !strings.HasPrefix(text[end+1:], " #"):
			return u.mistake("text follows the closing quote", "in YAML quotes must enclose the whole text", quoteYAML(text))
		case c == '"':
			if i := badEscape(text[:end]); i >= 0 {
				m := u.mistake(fmt.Sprintf("%q is not a valid escape in double quotes", text[i:i+2]), "", quoteYAML(strings.ReplaceAll(text[1:end], `\"`, `"`))+text[end+1:])
				m.column += i
				return m
			}
		}
	default:
		if i := strings.Index(text, ": "); i >= 0 || strings.HasSuffix(text, ":") {
			m := u.mistake(`a text that contains ": " must be quoted`, "YAML parses it as a map", u.quoted)
			m.column += max(i, 0)
			return m
		}
	}
	return nil
}

// unquoted is a text in a line that needs quotes, perhaps.
type unquoted struct {
	before string // in the line, of start bytes
	start  int
	listed bool   // a key is before it whose value is a list
	quoted string // what to write in place of it
}

// mistake returns the mistake that value mends.
//
//go:noinline
func (u *unquoted) mistake(what, why, value string) *mistake {
	if u.listed {
		value = "[" + value + "]"
	}
	return &mistake{column: u.start + 1, what: what, why: why, line: u.before + value}
}

// begins returns the mistake of a text that begins with c.
//
//go:noinline
func (u *unquoted) begins(c string) *mistake {
	return u.mistake(fmt.Sprintf("a text that begins with %q must be quoted", c), "YAML parses it as "+meaning(c[0]), u.quoted)
}

// valueOf returns the value that begins on a line, after its dashes and its key, and its
// offset.
func valueOf(line string) (start int, value string) {
	rest := strings.TrimLeft(line, " ")
	item := false
	for strings.HasPrefix(rest, "- ") {
		rest, item = strings.TrimLeft(rest[2:], " "), true
	}
	key, after, ok := strings.Cut(rest, ": ")
	if ok && plainKey(key) && (!item || slices.Contains(commandNames, key) || slices.Contains([]string{"sh", "msg", "name", "exclude"}, key)) {
		rest = strings.TrimLeft(after, " ")
	} else if strings.HasSuffix(rest, ":") && plainKey(rest[:len(rest)-1]) || strings.HasPrefix(rest, "#") {
		rest = ""
	}
	return len(line) - len(rest), rest
}

func plainKey(s string) bool {
	return s != "" && meaning(s[0]) == "" && !strings.ContainsAny(s, " \t'\"{}[],#")
}

// closingQuote returns the offset of the quote that ends the one s begins with, or -1.
func closingQuote(s string) int {
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == '\\' && s[0] == '"':
			i++
		case s[i] != s[0]:
		case s[0] == '\'' && i+1 < len(s) && s[i+1] == '\'':
			i++
		default:
			return i
		}
	}
	return -1
}

// badEscape returns the offset of an escape that YAML does not have, or -1.
func badEscape(s string) int {
	for i := 0; i+1 < len(s); i++ {
		if s[i] == '\\' {
			if strings.IndexByte("0abtnvfre \"/\\N_LPxuU\t", s[i+1]) < 0 {
				return i
			}
			i++
		}
	}
	return -1
}

// fixFlow quotes the texts in a list or map in brackets that need quotes. It returns the
// result, what follows the closing bracket, and the first text that needed quotes. A list
// or map without an end is returned as rest.
func fixFlow(s string) (fixed, rest, bad string) {
	var b strings.Builder
	closing := byte(']')
	if s[0] == '{' {
		closing = '}'
	}
	b.WriteByte(s[0])
	for i := 1; i < len(s); {
		switch c := s[i]; {
		case c == ' ' || c == ',':
			b.WriteByte(c)
			i++
		case c == closing:
			b.WriteByte(c)
			return b.String(), strings.TrimLeft(s[i+1:], " "), bad
		case c == '\'' || c == '"':
			end := closingQuote(s[i:])
			if end < 0 {
				return b.String(), "", bad // another kind of mistake
			}
			after := strings.TrimLeft(s[i+end+1:], " ")
			if after != "" && strings.IndexByte(",]}:", after[0]) < 0 {
				end += plainEnd(s[i+end+1:], closing)
				if b.WriteString(quoteYAML(s[i : i+end+1])); bad == "" {
					bad = s[i : i+end+1]
				}
			} else {
				b.WriteString(s[i : i+end+1])
			}
			i += end + 1
		case (c == '[' || c == '{') && !strings.HasPrefix(s[i:], "{{"):
			inner, after, innerBad := fixFlow(s[i:])
			b.WriteString(inner)
			if bad == "" {
				bad = innerBad
			}
			i = len(s) - len(after)
		default:
			end := i + plainEnd(s[i:], closing)
			text := s[i:end]
			i = end
			if key, value, ok := strings.Cut(text, ": "); ok && closing == '}' && plainKey(key) {
				b.WriteString(key + ": ")
				text = value
				if text == "" || strings.HasPrefix(text, "[") || strings.HasPrefix(text, "{") && !strings.HasPrefix(text, "{{") || strings.ContainsAny(text[:1], `'"`) {
					i = end - len(text)
					continue
				}
			}
			if strings.HasPrefix(text, "! ") && strings.ContainsAny(text[2:3], `'"`) {
				text = "! " + strings.Trim(text[2:], text[2:3])
			}
			if meaning(text[0]) == "" && !strings.Contains(text, "{{") {
				b.WriteString(text)
				continue
			}
			if bad == "" {
				bad = text
				if meaning(text[0]) != "" {
					bad = text[:1]
				}
				if strings.HasPrefix(text, "{{") {
					bad = "{{"
				}
			}
			b.WriteString(quoteYAML(text))
		}
	}
	return b.String(), "", ""
}

// plainEnd returns the length of the text without quotes that s begins with, inside
// brackets that end with closing. Templates are part of the text.
func plainEnd(s string, closing byte) int {
	for i := 0; i < len(s); i++ {
		switch {
		case strings.HasPrefix(s[i:], "{{"):
			if end := strings.Index(s[i:], "}}"); end >= 0 {
				i += end + 1
			}
		case s[i] == ',' || s[i] == closing:
			return len(strings.TrimRight(s[:i], " "))
		case strings.HasPrefix(s[i:], ": ") && i+2 < len(s) && strings.IndexByte("'\"[", s[i+2]) >= 0:
			return i + 2
		}
	}
	return len(s)
}

// curly reports whether text is in typographic quotes, which have no meaning in YAML.
func curly(text string) bool {
	for _, pair := range [...][2]string{{"“", "”"}, {"‘", "’"}, {"„", "“"}, {"”", "”"}, {"’", "’"}, {"«", "»"}} {
		if strings.HasPrefix(text, pair[0]) && strings.HasSuffix(text, pair[1]) {
			return true
		}
	}
	return false
}

// quoteYAML returns s, which is one line, as it must be written to be that text
// as a value, also between brackets: unchanged, or in quotes.
func quoteYAML(s string) string {
	plain := s != "" && s == strings.TrimSpace(s) && strings.IndexFunc(s, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune(" ./_-+=$@~^", r))
	}) < 0 && !strings.ContainsRune("-=@~$^+ ", rune(s[0]))
	if plain {
		return s
	}
	return singleQuoted(s)
}

func singleQuoted(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

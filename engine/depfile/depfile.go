// Package depfile reads the files in which compilers write what they have read, in the
// syntax of Make: gcc -MD, clang -MD, rustc --emit dep-info, protoc --dependency_out. It
// knows their syntax, and nothing of files.
//
// # Syntax
//
//	TARGET…: INPUT… \
//	  INPUT…
//
// A file has one rule or more. Inputs of all rules count, whatever their target is. A rule
// without inputs is there for Make alone (gcc -MP). `\ ` is a space, `\#` is `#`, `\:` is a
// colon, `$$` is `$`, and any other backslash is itself: it parts the directories of a Windows
// path. The colon between targets and inputs is the first one that white space follows; where
// there is none in a line, the first one that is not that of a drive (C:\x). Lines that begin
// with `#` are comments. Ninja reads the same syntax (depfile_parser.in.cc there).
package depfile

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
)

// Error is the error of a line.
type Error struct {
	Line int // from 1
	What string
}

func (e *Error) Error() string { return fmt.Sprintf("line %d: %s", e.Line, e.What) }

const cutOff = "its end is missing"

// Inputs returns the names of the inputs as they are written, unescaped, sorted, each once.
// The only errors are of type *Error. It is one if the end of the text shows that it was
// cut off.
func Inputs(text []byte) ([]string, error) {
	p := parser{text: text, line: 1}
	if i := bytes.IndexByte(text, 0); i >= 0 {
		return nil, &Error{1 + bytes.Count(text[:i], newline), "there is a NUL byte, so it is not text"}
	}
	for p.i < len(text) {
		if err := p.token(); err != nil {
			return nil, err
		}
	}
	switch {
	case p.rules == 0:
		return nil, p.fail("there is no rule (TARGET: INPUT…)")
	case p.inRule() && !p.endsWithInput:
		return nil, p.fail(cutOff)
	}
	slices.Sort(p.inputs)
	return slices.Compact(p.inputs), nil
}

var newline = []byte{'\n'}

// parser reads one file.
type parser struct {
	text   []byte
	i      int
	line   int
	inputs []string
	rules  int

	// of the rule that is being read
	targets       []string
	colon         bool // its targets are complete
	endsWithInput bool // nothing follows its last input yet, not even white space
}

// inRule reports whether a rule has begun and not ended.
func (p *parser) inRule() bool { return len(p.targets) > 0 }

func (p *parser) fail(what string) error { return &Error{p.line, what} }

// token reads white space, a comment, the end of a line or a name.
func (p *parser) token() error {
	p.endsWithInput = false
	rest := p.text[p.i:]
	switch n := lineEnd(rest); {
	case n > 0:
		if p.inRule() && !p.colon && !p.split() {
			return p.fail("there is no colon after the targets")
		}
		p.targets, p.colon = p.targets[:0], false
		p.next(n)
		return nil
	case rest[0] == ' ' || rest[0] == '\t':
		p.i++
		return nil
	case rest[0] == '\\' && lineEnd(rest[1:]) > 0:
		p.next(1 + lineEnd(rest[1:]))
		return nil
	case rest[0] == '#' && !p.inRule():
		n := bytes.IndexByte(rest, '\n')
		if n < 0 {
			n = len(rest)
		}
		p.i += n
		return nil
	}
	return p.name()
}

// next moves to the next line, n bytes further.
func (p *parser) next(n int) {
	p.i += n
	p.line++
}

// lineEnd returns the length of the end of a line that b begins with, or 0.
func lineEnd(b []byte) int {
	switch {
	case len(b) > 0 && b[0] == '\n':
		return 1
	case len(b) > 1 && b[0] == '\r' && b[1] == '\n':
		return 2
	}
	return 0
}

// blank reports whether b begins with what ends a name, or is empty.
func blank(b []byte) bool {
	return len(b) == 0 || b[0] == ' ' || b[0] == '\t' || lineEnd(b) > 0 || b[0] == '\\' && lineEnd(b[1:]) > 0
}

// name reads a name, and the colon behind it.
func (p *parser) name() error {
	var name strings.Builder
	for ended := false; !ended && !blank(p.text[p.i:]); {
		rest := p.text[p.i:]
		switch {
		case rest[0] == '\\':
			var err error
			if ended, err = p.backslashes(&name); err != nil {
				return err
			}
			continue
		case bytes.HasPrefix(rest, []byte("$$")):
			p.i++
		case rest[0] == ':' && blank(rest[1:]):
			return p.separator(name.String())
		}
		name.WriteByte(rest[0])
		p.i++
	}
	if !p.colon {
		p.targets = append(p.targets, name.String())
		return nil
	}
	p.inputs = append(p.inputs, name.String())
	p.endsWithInput = true
	return nil
}

// separator reads the colon after the last target, which is name unless it stands apart.
func (p *parser) separator(name string) error {
	if p.colon {
		return p.fail("there is a second colon in a rule")
	}
	if name != "" {
		p.targets = append(p.targets, name)
	}
	if len(p.targets) == 0 {
		return p.fail("there is no target before the colon")
	}
	p.colon = true
	p.rules++
	p.i++
	return nil
}

// split finds the colon of a rule in which white space follows none (x.o:x.c). It returns
// false if there is no colon at all.
func (p *parser) split() bool {
	for i, name := range p.targets {
		from := 0
		if len(name) > 2 && name[1] == ':' && (name[2] == '/' || name[2] == '\\') {
			from = 2 // after a drive
		}
		if c := strings.IndexByte(name[from:], ':'); c >= 0 && from+c > 0 {
			p.inputs = append(append(p.inputs, name[from+c+1:]), p.targets[i+1:]...)
			p.rules++
			return true
		}
	}
	return false
}

// backslashes reads the backslashes at p.i with what they escape, and adds to a name what
// they stand for. ended reports that white space which is not escaped follows.
func (p *parser) backslashes(name *strings.Builder) (ended bool, err error) {
	rest := p.text[p.i:]
	n := len(rest) - len(bytes.TrimLeft(rest, `\`))
	after := rest[n:]
	write := func(backslashes int, more string) { name.WriteString(strings.Repeat(`\`, backslashes) + more) }
	p.i += n
	switch {
	case len(after) == 0:
		return false, p.fail(cutOff)
	case lineEnd(after) > 0: // the last one continues the line
		write(n-1, "")
		p.i--
		return true, nil
	case after[0] == ' ' || after[0] == '\t':
		if n%2 == 0 {
			write(n, "")
			return true, nil
		}
		write(n/2, string(after[:1]))
		p.i++
	case after[0] == '#', after[0] == ':' && !blank(after[1:]):
		write(n-1, string(after[:1]))
		p.i++
	default:
		write(n, "")
	}
	return false, nil
}

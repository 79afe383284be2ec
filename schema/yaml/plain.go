package yaml

import (
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

// Why weft has its own reader. The YAML library's time for a file of a thousand tasks is half of a
// run without work. Nearly all Taskfiles use none of the features that make YAML slow to read: maps
// and lists in block style, text on one line, blocks of text and short lists in brackets. plain
// reads just that, ten times faster, into the same nodes that the library would make, comments left
// out.
//
// The library remains the authority. The reader reports no errors: at anything that it does not
// support (an anchor, a tag, text over several lines, a tab, a wrong indentation) it gives up, and
// the library reads the same text. That both agree wherever the reader does not give up is what
// FuzzPlain looks for.

const (
	maxPlainDepth = 100  // collections inside each other
	maxPlainKey   = 1000 // bytes; the library takes 1024 characters
)

// Reader reads texts one after the other, each into the memory of the one before: a node
// is valid until the next text is read, the texts it holds for ever. The zero value is
// ready. It is used by one goroutine.
type Reader struct {
	nodes arena[Node]
	lists arena[*Node]
	found []*Node // children of the collections that are being read
	made  int     // nodes of this text
	depth int     // of collections

	src  string
	wide bool // src has characters of more than one byte

	// The line that is read. column is the indentation of its first token, or -1 after the
	// last line.
	pos, start, line, column int

	// The number of characters of the line before the offset counted.
	counted, characters int
}

// plain returns the root node of src, which must be a map; or nil when the reader gives up.
// lines of the document precede src.
func (r *Reader) plain(src string, lines int) *Node {
	*r = Reader{nodes: r.nodes.again(), lists: r.lists.again(), found: r.found[:0], line: lines + 1}
	if strings.IndexByte(src, '\r') >= 0 {
		src = strings.ReplaceAll(src, "\r\n", "\n") // they mean the same
	}
	wide, ok := plainText(src)
	if !ok {
		return nil
	}
	r.src, r.wide = src, wide
	if !r.nextLine() && !r.opened() || r.column < 0 {
		return nil
	}
	root := r.mapping(r.column, nil)
	if root == nil || r.column >= 0 {
		return nil
	}
	return root
}

// plainText reports whether the library takes all characters of src, none of them
// a strange break of lines, and whether any is longer than a byte.
func plainText(src string) (wide, ok bool) {
	i := 0
	for ; i+8 <= len(src) && isPlain8(src[i:i+8]); i += 8 {
	}
	for ; i < len(src); i++ {
		c := src[i]
		if c < ' ' && c != '\n' && c != '\t' {
			return false, false
		}
		wide = wide || c >= 0x7f
	}
	if wide {
		if _, what := BadCharacter(src); what != "" || strangeLines(src) || strings.Contains(src, "\ufeff") {
			return true, false
		}
	}
	return wide, true
}

// isPlain8 reports whether the eight bytes of s are printable ASCII, newlines and tabs. It
// looks at all of them at once, by the highest bit of each.
func isPlain8(s string) bool {
	const ones, high = 0x0101010101010101, 0x8080808080808080
	_ = s[7]
	x := uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 | uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
	if x&high != 0 {
		return false
	}
	control := ^((x | high) - ones*' ')
	notNewline := (x ^ (ones * '\n') | high) - ones
	notTab := (x ^ (ones * '\t') | high) - ones
	del := x + ones
	return (control&notNewline&notTab|del)&high == 0
}

// at returns the byte i after the current one, '\n' after the end.
func (r *Reader) at(i int) byte {
	if r.pos+i < len(r.src) {
		return r.src[r.pos+i]
	}
	return '\n'
}

func isBreak(c byte) bool { return c == ' ' || c == '\n' }

// nextLine goes from the start of a line, or the end of one, to the first
// token after it. It gives up at a marker of documents and at a directive.
func (r *Reader) nextLine() bool {
	for r.pos < len(r.src) {
		if r.src[r.pos] == '\n' {
			r.newLine()
			continue
		}
		i := r.pos
		for i < len(r.src) && r.src[i] == ' ' {
			i++
		}
		r.column, r.pos = i-r.start, i
		switch c := r.at(0); {
		case c == '\n':
		case c == '#':
			r.pos += len(r.rest())
		case r.column == 0 && (c == '%' || strings.HasPrefix(r.src[i:], "---") || strings.HasPrefix(r.src[i:], "...")):
			return false
		default:
			return c != '\t'
		}
	}
	r.column = -1
	return true
}

// opened skips the marker that opens a document, if it is alone on its line.
func (r *Reader) opened() bool {
	if r.column != 0 || r.rest() != "---" {
		return false
	}
	r.pos += len("---")
	return r.nextLine()
}

func (r *Reader) newLine() {
	r.pos++
	r.start = r.pos
	r.line++
}

// rest returns the remaining part of the line.
func (r *Reader) rest() string {
	s := r.src[r.pos:]
	if n := strings.IndexByte(s, '\n'); n >= 0 {
		return s[:n]
	}
	return s
}

// endLine advances to the next token when the rest of the line is empty or a comment. The position
// must be right after a token.
func (r *Reader) endLine() bool {
	r.skipBlanks()
	switch c := r.at(0); {
	case c == '\n':
	case c == '#' && r.src[r.pos-1] == ' ':
		r.pos += len(r.rest())
	default:
		return false
	}
	return r.nextLine()
}

func (r *Reader) skipBlanks() {
	for r.at(0) == ' ' {
		r.pos++
	}
}

// node makes a node for what begins at offset from of the current line.
func (r *Reader) node(kind yaml.Kind, style yaml.Style, tag, value string, from int) *Node {
	column := from - r.start + 1
	if r.wide {
		if from < r.counted || r.start > r.counted {
			r.counted, r.characters = r.start, 0
		}
		r.characters += utf8.RuneCountInString(r.src[r.counted:from])
		r.counted, column = from, r.characters+1
	}
	r.made++
	n := &r.nodes.take(1)[0]
	// Other fields of a reused node were never set.
	n.Kind, n.Style, n.Tag, n.Value, n.Line, n.Column, n.Content = kind, style, tag, value, r.line, column, nil
	return n
}

// plainNode makes a node of text without quotes.
func (r *Reader) plainNode(value string, from int) *Node {
	return r.node(ScalarNode, 0, typeOf(value), value, from)
}

// gather makes the children found since mark those of n.
func (r *Reader) gather(n *Node, mark int) *Node {
	if found := r.found[mark:]; len(found) > 0 {
		n.Content = r.lists.take(len(found))
		copy(n.Content, found)
		r.found = r.found[:mark]
	}
	r.depth--
	return n
}

package schema

import (
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

// Why a reader of our own. What the YAML library takes for a file of a thousand
// tasks is half of a run that has nothing to do. Nearly all of what Taskfiles
// are written in needs none of what makes YAML slow to read: maps and lists in
// block style, text on one line, literal blocks and short lists in brackets.
// plainReader reads just that, ten times faster, into the same nodes that the
// library would make, comments left out.
//
// The library stays the judge. The reader knows no errors: at anything that it
// does not know for sure (an anchor, a tag, text over several lines, a tab, a
// wrong indentation) it gives up, and the library reads the same text. That
// both agree wherever the reader does not give up is what FuzzPlain looks for.

const (
	maxPlainDepth = 100  // collections inside each other
	maxPlainKey   = 1000 // bytes; the library takes 1024 characters
)

// plainReader reads texts one after the other; it keeps the memory of the
// nodes. The zero value is ready. It is used by one goroutine.
type plainReader struct {
	src  string
	wide bool // src has characters of more than one byte

	// The line that is read. column is the indentation of its first token, or
	// -1 behind the last line.
	pos, start, line, column int

	// How many characters of the line stand before the offset counted.
	counted, characters int

	depth int
	found []*yaml.Node // children of the collections that are being read
	nodes reused[yaml.Node]
	lists reused[*yaml.Node]
}

// read returns the root node of src, which must be a map; or nil when it gives
// up. The nodes are valid until the next call, what they hold for ever.
func (r *plainReader) read(src string) *yaml.Node {
	wide, ok := plainText(src)
	if !ok {
		return nil
	}
	*r = plainReader{src: src, wide: wide, found: r.found[:0], nodes: r.nodes, lists: r.lists}
	r.nodes.rewind()
	r.lists.rewind()
	if !r.nextLine() || r.column < 0 {
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
	for i := range len(src) {
		c := src[i]
		if c < ' ' && c != '\n' && c != '\t' {
			return false, false
		}
		wide = wide || c >= 0x7f
	}
	if wide {
		if _, what := badByte(src); what != "" || strangeLines(src) || strings.Contains(src, "\ufeff") {
			return true, false
		}
	}
	return wide, true
}

// at returns the byte i after the current one, '\n' behind the end.
func (r *plainReader) at(i int) byte {
	if r.pos+i < len(r.src) {
		return r.src[r.pos+i]
	}
	return '\n'
}

func isBreak(c byte) bool { return c == ' ' || c == '\n' }

// nextLine goes from the start of a line, or the end of one, to the first
// token behind it. It gives up at a marker of documents and at a directive.
func (r *plainReader) nextLine() bool {
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

func (r *plainReader) newLine() {
	r.pos++
	r.start = r.pos
	r.line++
}

// rest returns what is left of the line.
func (r *plainReader) rest() string {
	s := r.src[r.pos:]
	if n := strings.IndexByte(s, '\n'); n >= 0 {
		return s[:n]
	}
	return s
}

// endLine goes on to the next token when nothing but a comment is left of the
// line. It must stand right behind a token.
func (r *plainReader) endLine() bool {
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

func (r *plainReader) skipBlanks() {
	for r.at(0) == ' ' {
		r.pos++
	}
}

// node makes a node for what begins at offset from of the current line.
func (r *plainReader) node(kind yaml.Kind, style yaml.Style, tag, value string, from int) *yaml.Node {
	column := from - r.start + 1
	if r.wide {
		if from < r.counted || r.start > r.counted {
			r.counted, r.characters = r.start, 0
		}
		r.characters += utf8.RuneCountInString(r.src[r.counted:from])
		r.counted, column = from, r.characters+1
	}
	n := r.nodes.next()
	*n = yaml.Node{Kind: kind, Style: style, Tag: tag, Value: value, Line: r.line + 1, Column: column}
	return n
}

// plainNode makes a node of text without quotes; the library tells what type
// it has. No word that is not just text is longer than false.
func (r *plainReader) plainNode(value string, from int) *yaml.Node {
	n := r.node(yaml.ScalarNode, 0, "!!str", value, from)
	if c := value[0] | 0x20; c < 'a' || c > 'z' || len(value) <= len("false") {
		n.Tag = ""
		n.Tag = n.ShortTag()
	}
	return n
}

// gather makes the children found since mark those of n.
func (r *plainReader) gather(n *yaml.Node, mark int) *yaml.Node {
	if found := r.found[mark:]; len(found) > 0 {
		n.Content = r.lists.take(len(found))
		copy(n.Content, found)
		r.found = r.found[:mark]
	}
	r.depth--
	return n
}

// block reads the collection that begins at the current token, the first of
// its line.
func (r *plainReader) block() *yaml.Node {
	if r.atEntry() {
		return r.sequence(r.column, false)
	}
	return r.mapping(r.column, nil)
}

// atEntry reports whether an item of a list begins here.
func (r *plainReader) atEntry() bool { return r.at(0) == '-' && isBreak(r.at(1)) }

// atColon reports whether what was read just now is a key.
func (r *plainReader) atColon() bool { return r.at(0) == ':' && isBreak(r.at(1)) }

// mapping reads a map in block style whose keys stand in the given column. Its
// first key k may have been read already.
func (r *plainReader) mapping(column int, k *yaml.Node) *yaml.Node {
	if r.depth++; r.depth > maxPlainDepth {
		return nil
	}
	n, mark := r.node(yaml.MappingNode, 0, "!!map", "", r.start+column), len(r.found)
	for {
		if k == nil {
			k = r.text()
		}
		if k == nil || !r.atColon() || r.pos-r.start-column > maxPlainKey {
			return nil
		}
		r.pos++
		r.found = append(r.found, k)
		v := r.value(column)
		if v == nil {
			return nil
		}
		r.found = append(r.found, v)
		switch {
		case r.column < column:
			return r.gather(n, mark)
		case r.column > column:
			return nil
		}
		k = nil
	}
}

// value reads the value of a key of a map in the given column, from behind the
// colon to the next token after it.
func (r *plainReader) value(column int) *yaml.Node {
	colon := r.pos
	r.skipBlanks()
	if c := r.at(0); c != '\n' && c != '#' {
		return r.inline(column)
	}
	n := r.node(yaml.ScalarNode, 0, "!!null", "", colon)
	if !r.endLine() {
		return nil
	}
	switch {
	case r.column > column:
		return r.block()
	case r.column == column && r.atEntry():
		return r.sequence(column, true)
	}
	return n
}

// sequence reads a list in block style whose dashes stand in the given column.
// flush tells that it is the value of a map whose keys stand there, too.
func (r *plainReader) sequence(column int, flush bool) *yaml.Node {
	if r.depth++; r.depth > maxPlainDepth {
		return nil
	}
	n, mark := r.node(yaml.SequenceNode, 0, "!!seq", "", r.pos), len(r.found)
	for {
		it := r.item(column)
		if it == nil {
			return nil
		}
		r.found = append(r.found, it)
		switch {
		case r.column == column && r.atEntry():
		case r.column < column, r.column == column && flush:
			return r.gather(n, mark)
		default:
			return nil
		}
	}
}

// item reads an item of a list in the given column, from its dash to the next
// token after it.
func (r *plainReader) item(column int) *yaml.Node {
	r.pos++
	dash := r.pos
	r.skipBlanks()
	switch r.at(0) {
	case '\n', '#':
		n := r.node(yaml.ScalarNode, 0, "!!null", "", dash)
		if !r.endLine() {
			return nil
		}
		if r.column > column {
			return r.block()
		}
		return n
	case '[', '{', '|':
		return r.inline(column)
	}
	first := r.pos - r.start
	n := r.text()
	if n != nil && r.atColon() {
		return r.mapping(first, n)
	}
	return r.ended(n, column)
}

// inline reads a value that begins on the line of its key or dash, inside a
// collection of the given column, and goes to the next token after it.
func (r *plainReader) inline(column int) *yaml.Node {
	switch r.at(0) {
	case '[', '{':
		return r.ended(r.flow(), column)
	case '|':
		return r.literal(column)
	}
	return r.ended(r.text(), column)
}

// ended goes from behind n, a value inside a collection of the given column, to
// the next token. It returns nil when the value may go on there.
func (r *plainReader) ended(n *yaml.Node, column int) *yaml.Node {
	if n == nil || !r.endLine() || r.column > column {
		return nil
	}
	return n
}

// text reads text on one line, with or without quotes.
func (r *plainReader) text() *yaml.Node {
	if c := r.at(0); c == '"' || c == '\'' {
		return r.quoted()
	}
	return r.plain()
}

// plain reads text without quotes to the end of the line, to a comment or to a
// colon that ends a key. Blanks behind it are left.
func (r *plainReader) plain() *yaml.Node {
	switch c := r.at(0); c {
	case '-':
		if isBreak(r.at(1)) || r.at(1) == '-' {
			return nil
		}
	case ' ', '\n', '\t', '?', ':', ',', '[', ']', '{', '}', '#', '&', '*', '!', '|', '>', '\'', '"', '%', '@', '`':
		return nil
	}
	from, end := r.pos, r.pos // end of what is no blank
	i := from
scan:
	for ; i < len(r.src); i++ {
		switch r.src[i] {
		case '\n':
			break scan
		case '\t':
			return nil
		case ' ':
			continue
		case '#':
			if i > end {
				break scan
			}
		case ':':
			if i+1 == len(r.src) || isBreak(r.src[i+1]) {
				if i > end {
					return nil
				}
				break scan
			}
		}
		end = i + 1
	}
	r.pos = end
	if r.src[from:end] == "<<" {
		return nil
	}
	return r.plainNode(r.src[from:end], from)
}

// quoted reads text in quotes that ends on the same line.
func (r *plainReader) quoted() *yaml.Node {
	from, quote := r.pos, r.src[r.pos]
	style := yaml.Style(yaml.SingleQuotedStyle)
	if quote == '"' {
		style = yaml.DoubleQuotedStyle
	}
	var changed []byte // the text up to now, if it is not as written
	text := from + 1   // begins what is not in changed
	for i := text; i < len(r.src); i++ {
		switch c := r.src[i]; {
		case c == '\n' || c == '\t':
			return nil
		case c == '\\' && quote == '"':
			i++
			c, ok := unescape(r.src, i)
			if !ok {
				return nil
			}
			changed = append(append(changed, r.src[text:i-1]...), c)
			text = i + 1
		case c == quote && quote == '\'' && i+1 < len(r.src) && r.src[i+1] == quote:
			i++
			changed = append(changed, r.src[text:i]...)
			text = i + 1
		case c == quote:
			r.pos = i + 1
			value := r.src[text:i]
			if changed != nil {
				value = string(append(changed, value...))
			}
			return r.node(yaml.ScalarNode, style, "!!str", value, from)
		}
	}
	return nil
}

// unescape returns what the character at i means behind a backslash.
func unescape(src string, i int) (byte, bool) {
	if i < len(src) {
		switch c := src[i]; c {
		case '"', '\\':
			return c, true
		case 'n':
			return '\n', true
		case 't':
			return '\t', true
		}
	}
	return 0, false
}

// literal reads a literal block inside a collection of the given column.
func (r *plainReader) literal(column int) *yaml.Node {
	n := r.node(yaml.ScalarNode, yaml.LiteralStyle, "!!str", "", r.pos)
	r.pos++
	strip := r.at(0) == '-'
	if strip {
		r.pos++
	}
	r.skipBlanks()
	if r.at(0) != '\n' || r.pos >= len(r.src) {
		return nil
	}
	r.newLine()
	var b strings.Builder
	blanks, indent := 0, -1
	for r.pos < len(r.src) {
		line := r.rest()
		if r.pos+len(line) == len(r.src) {
			return nil // no end of line
		}
		in := len(line) - len(strings.TrimLeft(line, " "))
		switch {
		case in == len(line) && (in == 0 || indent >= 0 && in <= indent):
			blanks++
			r.pos += len(line)
			r.newLine()
			continue
		case in == len(line) && indent < 0:
			return nil // blanks that might be more than the indentation
		case in < len(line) && line[in] == '\t' && (indent < 0 || in < indent):
			return nil
		case indent < 0:
			indent = in
		}
		if in < indent || indent <= column {
			break
		}
		if b.Len() > 0 || blanks > 0 {
			// The end of the line before, if there is one, is not yet written.
			if b.Len() > 0 {
				blanks++
			}
			for ; blanks > 0; blanks-- {
				b.WriteByte('\n')
			}
		}
		b.WriteString(line[indent:])
		r.pos += len(line)
		r.newLine()
	}
	if b.Len() == 0 {
		return nil
	}
	if !strip {
		b.WriteByte('\n')
	}
	n.Value = b.String()
	if !r.nextLine() || r.column > column {
		return nil
	}
	return n
}

// flow reads a list or a map in brackets that ends on the same line.
func (r *plainReader) flow() *yaml.Node {
	if r.depth++; r.depth > maxPlainDepth {
		return nil
	}
	mark, end, isMap := len(r.found), byte(']'), r.at(0) == '{'
	n := r.node(yaml.SequenceNode, yaml.FlowStyle, "!!seq", "", r.pos)
	if isMap {
		n.Kind, n.Tag, end = yaml.MappingNode, "!!map", '}'
	}
	r.pos++
	r.skipBlanks()
	if r.at(0) == end {
		r.pos++
		return r.gather(n, mark)
	}
	for {
		if isMap {
			from := r.pos
			k := r.flowText()
			if k == nil || r.at(0) != ':' || r.at(1) != ' ' || r.pos-from > maxPlainKey {
				return nil
			}
			r.pos++
			r.skipBlanks()
			r.found = append(r.found, k)
		}
		v := r.flowValue()
		if v == nil {
			return nil
		}
		r.found = append(r.found, v)
		r.skipBlanks()
		c := r.at(0)
		r.pos++
		switch c {
		case end:
			return r.gather(n, mark)
		case ',':
			r.skipBlanks()
		default:
			return nil
		}
	}
}

func (r *plainReader) flowValue() *yaml.Node {
	if c := r.at(0); c == '[' || c == '{' {
		return r.flow()
	}
	return r.flowText()
}

// flowText reads text inside brackets, with or without quotes.
func (r *plainReader) flowText() *yaml.Node {
	if c := r.at(0); c == '"' || c == '\'' {
		return r.quoted()
	}
	if c := r.at(0); !isWord(c) && c != '.' && c != '/' {
		return nil
	}
	from, end := r.pos, r.pos
	for i := from; i < len(r.src); i++ {
		switch c := r.src[i]; {
		case isWord(c), strings.IndexByte("./-+*=@~$%", c) >= 0:
			end = i + 1
		case c == ':' && i+1 < len(r.src) && isWord(r.src[i+1]):
			end = i + 1
		case c == ' ':
		case c == ',' || c == ']' || c == '}' || c == ':' && i == end:
			r.pos = end
			return r.plainNode(r.src[from:end], from)
		default:
			return nil
		}
	}
	return nil
}

func isWord(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_'
}

// reused hands out values and slices from blocks that are used again after
// each rewind.
type reused[T any] struct {
	blocks [][]T
	block  int // from which values are taken
	used   int // of that block
}

func (u *reused[T]) rewind() { u.block, u.used = 0, 0 }

func (u *reused[T]) next() *T { return &u.take(1)[0] }

// take returns a slice of length n with whatever it had before.
func (u *reused[T]) take(n int) []T {
	for ; u.block < len(u.blocks); u.block, u.used = u.block+1, 0 {
		if b := u.blocks[u.block]; u.used+n <= len(b) {
			u.used += n
			return b[u.used-n : u.used : u.used]
		}
	}
	u.blocks = append(u.blocks, make([]T, max(n, 256)))
	u.used = n
	return u.blocks[u.block][:n:n]
}

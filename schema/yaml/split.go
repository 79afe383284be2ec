package yaml

import (
	"slices"
	"strings"
	"sync/atomic"
)

// Parts is a document that is divided in the map of one key of its root.
type Parts struct {
	Root   *Node // without that key
	chunks []chunk
	nodes  atomic.Int64 // that were read
}

// chunk is some entries of a map in block style.
type chunk struct {
	before string // a line with an entry, for the library; "" if it is the first of the map
	src    string
	lines  int // of the document, before it
}

// Split cuts src, a document, in front of lines that begin an entry of the map that
// is the value of key in its root, into chunks of at least size bytes. The result is
// nil when the document must be read as a whole.
//
// A cut is safe: [Parts.Read] reads a chunk only if it is a map by itself, and the
// library parses it below a first line that puts it into the state it has in
// the document: in the map of key, after an entry. Wherever a cut would change the
// meaning (inside quotes or brackets, between an anchor and its alias) the part
// before or after it is not valid by itself.
func Split(src, key string, size int) *Parts {
	if strangeLines(src) {
		return nil
	}
	head, body, tail := around(src, key+":")
	p := &Parts{chunks: cut(body, strings.Count(head, "\n"), size)}
	if len(p.chunks) < 2 {
		return nil
	}
	if p.Root = p.without(key, head, tail, strings.Count(body, "\n")); p.Root == nil {
		return nil
	}
	return p
}

// Len returns the number of chunks, at least 2.
func (p *Parts) Len() int { return len(p.chunks) }

// Read returns the map of the entries of a chunk; nil when they cannot be read by
// themselves. Several may be read at once, each with a Reader of its own.
func (p *Parts) Read(r *Reader, chunk int) *Node {
	n := r.chunk(&p.chunks[chunk])
	p.nodes.Add(int64(r.made))
	return n
}

// Err returns a [limit.Exceeded] if what was read until now holds too much.
func (p *Parts) Err() error { return tooMany(int(p.nodes.Load())) }

// around cuts src around the lines below one that is nothing but key. body is ""
// when there is no such line, or more than one document.
func around(src, key string) (head, body, tail string) {
	at := -1       // offset of the first line below key
	begun := false // there is a key before it
	for i := outermost(src, 0); i < len(src); i = outermost(src, nextLine(src, i)) {
		line := src[i:nextLine(src, i)]
		switch {
		case strings.IndexByte(".-%", line[0]) >= 0:
			// A marker of documents; one may open the file.
			if at >= 0 || begun || strings.TrimSpace(line) != "---" {
				return "", "", ""
			}
		case at >= 0:
			return src[:at], src[at:i], src[i:]
		case strings.TrimSpace(line) == key:
			at = i + len(line)
		default:
			begun = true
		}
	}
	if at < 0 {
		return "", "", ""
	}
	return src[:at], src[at:], ""
}

// nextLine returns the offset of the line after the one that holds offset i.
func nextLine(src string, i int) int {
	n := strings.IndexByte(src[i:], '\n')
	if n < 0 {
		return len(src)
	}
	return i + n + 1
}

// outermost returns the offset of the first line from i on that is not indented, and is no
// comment and not empty. A line begins at i.
func outermost(src string, i int) int {
	for i < len(src) {
		switch src[i] {
		case ' ', '\t', '\n', '\r', '#':
			i = nextLine(src, i)
		default:
			return i
		}
	}
	return i
}

// cut divides body in front of lines that begin an entry. lines of the document precede it.
func cut(body string, lines, size int) []chunk {
	indent := firstIndentation(body)
	if indent < 1 {
		return nil
	}
	var chunks []chunk
	next := chunk{lines: lines} // what begins at start
	start := 0
	for i := entry(body, size, indent); i < len(body); i = entry(body, start+size, indent) {
		next.src = body[start:i]
		chunks = append(chunks, next)
		lines += strings.Count(next.src, "\n")
		next, start = chunk{before: strings.Repeat(" ", indent) + "x: y\n", lines: lines}, i
	}
	next.src = body[start:]
	return append(chunks, next)
}

// entry returns the offset of the first line from i on that begins an entry of the map with
// that indentation; the length of body if there is none.
func entry(body string, i, indent int) int {
	for i = nextLine(body, min(i, len(body))-1); i+indent < len(body); i = nextLine(body, i) {
		if c := body[i+indent]; (isWord(c) || c == '"' || c == '\'') && indentation(body[i:]) == indent {
			return i
		}
	}
	return len(body)
}

// firstIndentation returns the indentation of the first line that is not a comment and not empty.
func firstIndentation(body string) int {
	for i := 0; i < len(body); i = nextLine(body, i) {
		n := indentation(body[i:])
		if i+n < len(body) && strings.IndexByte("#\n\r", body[i+n]) < 0 {
			return n
		}
	}
	return 0
}

// indentation returns how many spaces s begins with.
func indentation(s string) (n int) {
	for n < len(s) && s[n] == ' ' {
		n++
	}
	return n
}

// without returns the root of the document without key, nil if it cannot be read so. head
// ends with the line of the key; the lines of its value, which precede tail, are left out.
func (p *Parts) without(key, head, tail string, lines int) *Node {
	r := new(Reader)
	root := r.plain(head+tail, 0)
	if root == nil && !strings.Contains(tail, "*") { // the anchor of an alias may be in the value
		root, _ = r.library(head+tail, 0)
	}
	p.nodes.Add(int64(r.made))
	if root == nil || !isPlainMap(root) || root.Column != 1 {
		return nil
	}
	at := -1
	for i := 0; i < len(root.Content); i += 2 {
		switch k, v := root.Content[i], root.Content[i+1]; {
		case k.Tag == "!!merge": // it may have key, too
			return nil
		case k.Value == key:
			if at >= 0 || v.Tag != "!!null" || k.Line != strings.Count(head, "\n") {
				return nil
			}
			at = i
		case at >= 0:
			shift(k, lines)
			shift(v, lines)
		}
	}
	if at < 0 {
		return nil
	}
	root.Content = slices.Delete(root.Content, at, at+2)
	return root
}

// isPlainMap reports whether n is a mapping in block style without a tag or an anchor.
func isPlainMap(n *Node) bool {
	return n.Kind == MappingNode && n.Style == 0 && n.Anchor == "" && n.Tag == "!!map"
}

// chunk returns the map of the entries of c, or nil.
func (r *Reader) chunk(c *chunk) *Node {
	if n := r.plain(c.src, c.lines); n != nil {
		return n
	}
	head := "key:\n" + c.before
	root, _ := r.library(head+c.src, c.lines-strings.Count(head, "\n"))
	if root == nil || len(root.Content) != 2 || !isPlainMap(root.Content[1]) {
		return nil
	}
	n := root.Content[1]
	if c.before != "" {
		n.Content = n.Content[2:]
	}
	return n
}

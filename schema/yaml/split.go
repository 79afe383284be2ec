package yaml

import (
	"strings"
	"sync/atomic"
)

// Parts are a document that is cut apart in the map of one key of its root.
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
	p := &Parts{chunks: cut(body, strings.Count(src[:len(src)-len(body)-len(tail)], "\n"), size)}
	if len(p.chunks) < 2 {
		return nil
	}
	p.Root = p.readHead(head, key)
	after := p.readTail(tail, key, strings.Count(src[:len(src)-len(tail)], "\n"))
	if p.Root == nil || after == nil {
		return nil
	}
	p.Root.Content = append(p.Root.Content, after.Content...)
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
	at := -1 // offset of the first line below key
	for i := 0; i < len(src); {
		end := lineEnd(src, i)
		line := src[i:end]
		switch {
		case strings.IndexByte("\n\r #\t", line[0]) >= 0:
		case strings.IndexByte(".-%", line[0]) >= 0:
			// A marker of documents; one may open the file.
			if at >= 0 || strings.TrimSpace(head) != "" || strings.TrimSpace(line) != "---" {
				return "", "", ""
			}
		case at >= 0:
			return head, src[at:i], src[i:]
		case strings.TrimSpace(line) == key:
			at, head = end, src[:i]
		default:
			head = src[:end]
		}
		i = end
	}
	if at < 0 {
		return "", "", ""
	}
	return head, src[at:], ""
}

// lineEnd returns the offset after the line that begins at i.
func lineEnd(src string, i int) int {
	if n := strings.IndexByte(src[i:], '\n'); n >= 0 {
		return i + n + 1
	}
	return len(src)
}

// cut divides body in front of lines that begin an entry.
func cut(body string, lines, size int) []chunk {
	indent := -1
	var chunks []chunk
	next := chunk{lines: lines} // what begins at start
	start := 0
	for i := 0; i < len(body); lines++ {
		end := lineEnd(body, i)
		n := i
		for n < end && body[n] == ' ' {
			n++
		}
		if c := body[min(n, len(body)-1)]; n < end && c != '#' && c != '\n' && c != '\r' {
			if indent < 0 {
				indent = n - i
			}
			if n-i == indent && i-start >= size && (isWord(c) || c == '"' || c == '\'') {
				next.src = body[start:i]
				chunks = append(chunks, next)
				next, start = chunk{before: strings.Repeat(" ", indent) + "x: y\n", lines: lines}, i
			}
		}
		i = end
	}
	if indent < 1 {
		return nil
	}
	next.src = body[start:]
	return append(chunks, next)
}

// readHead returns the root with the keys before key, or nil.
func (p *Parts) readHead(src, key string) *Node {
	root := p.readPart(src+key+":\n", 0)
	if root == nil || root.Column != 1 {
		return nil
	}
	root.Content = root.Content[: len(root.Content)-2 : len(root.Content)-2]
	return without(root, key)
}

// readTail returns a map with the keys after key, or nil. lines of the document
// stand before it.
func (p *Parts) readTail(src, key string, lines int) *Node {
	root := p.readPart(key+":\n  x: y\n"+src, lines-2)
	if root == nil {
		return nil
	}
	root.Content = root.Content[2:]
	return without(root, key)
}

// without returns root if it has neither key nor a merge key, which might have it.
func without(root *Node, key string) *Node {
	for i := 0; i < len(root.Content); i += 2 {
		if k := root.Content[i]; k.Value == key || k.Tag == "!!merge" {
			return nil
		}
	}
	return root
}

// readPart returns the root of src if it is a plain map, or nil. lines of the
// document stand before it.
func (p *Parts) readPart(src string, lines int) *Node {
	r := new(Reader)
	root := r.plain(src, lines)
	if root == nil {
		root, _ = r.library(src, lines)
	}
	p.nodes.Add(int64(r.made))
	if root == nil || !isPlainMap(root) {
		return nil
	}
	return root
}

// isPlainMap reports whether n is a mapping in block style without a tag or an
// anchor.
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

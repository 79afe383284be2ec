package yaml

import (
	"strings"

	"github.com/weftrun/weft/internal/limit"
)

// flow reads a list or a map in brackets that ends on the same line.
func (r *Reader) flow() *Node {
	if r.depth++; r.depth > maxPlainDepth {
		return nil
	}
	mark, end, isMap := len(r.found), byte(']'), r.at(0) == '{'
	n := r.node(SequenceNode, FlowStyle, "!!seq", "", r.pos)
	if isMap {
		n.Kind, n.Tag, end = MappingNode, "!!map", '}'
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
		if v == nil || r.made > limit.Nodes {
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

func (r *Reader) flowValue() *Node {
	if c := r.at(0); c == '[' || c == '{' {
		return r.flow()
	}
	return r.flowText()
}

// flowText reads text inside brackets, with or without quotes.
func (r *Reader) flowText() *Node {
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

package yaml

import "github.com/weftrun/weft/internal/limit"

// block reads the collection that begins at the current token, the first of its line.
func (r *Reader) block() *Node {
	if r.atEntry() {
		return r.sequence(r.column, false)
	}
	return r.mapping(r.column, nil)
}

// atEntry reports whether an item of a list begins here.
func (r *Reader) atEntry() bool { return r.at(0) == '-' && isBreak(r.at(1)) }

// atColon reports whether the text just read is a key.
func (r *Reader) atColon() bool { return r.at(0) == ':' && isBreak(r.at(1)) }

// mapping reads a map in block style whose keys are in the given column. Its
// first key k may have been read already.
func (r *Reader) mapping(column int, k *Node) *Node {
	if r.depth++; r.depth > maxPlainDepth {
		return nil
	}
	n, mark := r.node(MappingNode, 0, "!!map", "", r.start+column), len(r.found)
	for {
		if k == nil {
			k = r.text()
		}
		if k == nil || r.made > limit.Nodes || !r.atColon() || r.pos-r.start-column > maxPlainKey {
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

// value reads the value of a key of a map in the given column, from after the
// colon to the next token after it.
func (r *Reader) value(column int) *Node {
	colon := r.pos
	r.skipBlanks()
	if c := r.at(0); c != '\n' && c != '#' {
		return r.inline(column)
	}
	n := r.node(ScalarNode, 0, "!!null", "", colon)
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

// sequence reads a list in block style whose dashes are in the given column. flush means that it is
// the value of a map whose keys are in that column, too.
func (r *Reader) sequence(column int, flush bool) *Node {
	if r.depth++; r.depth > maxPlainDepth {
		return nil
	}
	n, mark := r.node(SequenceNode, 0, "!!seq", "", r.pos), len(r.found)
	for {
		it := r.item(column)
		if it == nil || r.made > limit.Nodes {
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
func (r *Reader) item(column int) *Node {
	r.pos++
	dash := r.pos
	r.skipBlanks()
	switch r.at(0) {
	case '\n', '#':
		n := r.node(ScalarNode, 0, "!!null", "", dash)
		if !r.endLine() {
			return nil
		}
		if r.column > column {
			return r.block()
		}
		return n
	case '[', '{', '|', '>':
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
func (r *Reader) inline(column int) *Node {
	switch r.at(0) {
	case '[', '{':
		return r.ended(r.flow(), column)
	case '|', '>':
		return r.scalarBlock(column)
	}
	return r.ended(r.text(), column)
}

// ended goes from after n, a value inside a collection of the given column, to
// the next token. It returns nil when the value may continue there.
func (r *Reader) ended(n *Node, column int) *Node {
	if n == nil || !r.endLine() || r.column > column {
		return nil
	}
	return n
}

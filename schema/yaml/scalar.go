package yaml

import "strings"

// text reads text on one line, with or without quotes.
func (r *Reader) text() *Node {
	if c := r.at(0); c == '"' || c == '\'' {
		return r.quoted()
	}
	return r.unquoted()
}

// unquoted reads text without quotes to the end of the line, to a comment or to a
// colon that ends a key. It stops before blanks that follow.
func (r *Reader) unquoted() *Node {
	switch c := r.at(0); c {
	case '-':
		if isBreak(r.at(1)) || r.at(1) == '-' {
			return nil
		}
	case ' ', '\n', '\t', '?', ':', ',', '[', ']', '{', '}', '#', '&', '*', '!', '|', '>', '\'', '"', '%', '@', '`':
		return nil
	}
	from, end := r.pos, r.pos // end of what is not a blank
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
func (r *Reader) quoted() *Node {
	from, quote := r.pos, r.src[r.pos]
	style := SingleQuotedStyle
	if quote == '"' {
		style = DoubleQuotedStyle
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
			return r.node(ScalarNode, style, "!!str", value, from)
		}
	}
	return nil
}

// unescape returns the meaning of the character at i after a backslash.
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

// scalarBlock reads a literal or a folded block inside a collection of the given column.
func (r *Reader) scalarBlock(column int) *Node {
	folded, style := r.at(0) == '>', LiteralStyle
	if folded {
		style = FoldedStyle
	}
	n := r.node(ScalarNode, style, "!!str", "", r.pos)
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
	indent := -1    // of the block, once it is known
	blanks := 0     // lines that are not yet written
	joins := folded // the line before, if there is one, may be joined with the next
	for r.pos < len(r.src) {
		line := r.rest()
		if r.pos+len(line) == len(r.src) {
			return nil // it has no end
		}
		in := len(line) - len(strings.TrimLeft(line, " "))
		blank := in == len(line)
		switch {
		case blank && in <= max(indent, 0):
			blanks++
			r.pos += len(line)
			r.newLine()
			continue
		case blank && indent < 0:
			return nil // it may be indented further than the block
		case !blank && line[in] == '\t' && (indent < 0 || in < indent):
			return nil
		case indent < 0:
			indent = in
		}
		if in < indent || indent <= column {
			break
		}
		line = line[indent:]
		further := line[0] == ' ' || line[0] == '\t'
		switch {
		case b.Len() == 0:
		case !joins || further:
			b.WriteByte('\n')
		case blanks == 0:
			b.WriteByte(' ')
		}
		for ; blanks > 0; blanks-- {
			b.WriteByte('\n')
		}
		b.WriteString(line)
		joins = folded && !further
		r.pos += len(r.rest())
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

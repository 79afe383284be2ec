// Package yaml turns text into nodes. It owns the reader of plain YAML, and the
// library yaml.v3, which reads everything else. It does not know what a Taskfile is,
// nor how to explain its errors to the author of one.
package yaml

// Node is one value of a document, with its position.
type Node struct {
	Tag     string  // "!!str", "!!map", …; "!!merge" of a merge key
	Value   string  // of a scalar, without quotes; the name of the anchor that an alias means
	Anchor  string  // "" for none
	Content []*Node // of a mapping keys and values in turn, of a sequence its items
	Alias   *Node   // what an alias means
	Line    int32   // from 1
	Column  int32   // from 1, in characters
	Kind    Kind
	Style   Style
}

// Kind is what a node is.
type Kind uint8

const (
	MappingNode Kind = iota + 1
	SequenceNode
	ScalarNode
	AliasNode
)

// Style is how a node is written: a set of bits. The zero value is block style,
// or text without quotes.
type Style uint8

const (
	TaggedStyle Style = 1 << iota // with a tag
	DoubleQuotedStyle
	SingleQuotedStyle
	LiteralStyle // a block that begins with "|"
	FoldedStyle  // a block that begins with ">"
	FlowStyle    // in brackets
)

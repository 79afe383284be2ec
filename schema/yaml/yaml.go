// Package yaml turns text into nodes. It owns the reader of plain YAML, and the
// library yaml.v3, which reads everything else. It does not know what a Taskfile is,
// nor how to explain its errors to the author of one.
package yaml

import (
	"gopkg.in/yaml.v3"

	"github.com/weftrun/weft/internal/limit"
)

// Node is one value of a document, with its position; comments are left out of most.
type Node = yaml.Node

// The kind of a node, and its style: 0 is block style, or text without quotes.
const (
	MappingNode  = yaml.MappingNode
	SequenceNode = yaml.SequenceNode
	ScalarNode   = yaml.ScalarNode
	AliasNode    = yaml.AliasNode

	DoubleQuotedStyle = yaml.DoubleQuotedStyle
	SingleQuotedStyle = yaml.SingleQuotedStyle
	LiteralStyle      = yaml.LiteralStyle
	FoldedStyle       = yaml.FoldedStyle
	FlowStyle         = yaml.FlowStyle
)

// Each calls f with n and all nodes below it.
func Each(n *Node, f func(*Node)) {
	f(n)
	for _, c := range n.Content {
		Each(c, f)
	}
}

// Parse returns the root node of the first document of src, or nil for one
// without. The error is an [Error], or a [limit.Exceeded] if src holds too much.
func Parse(src string) (*Node, error) {
	r := new(Reader)
	if root := r.plain(src, 0); root != nil || r.made > limit.Nodes {
		return root, tooMany(r.made)
	}
	return r.library(src, 0)
}

// Validate returns the error that Parse returns for a text that is not YAML.
func Validate(src string) error {
	_, err := unmarshal(src)
	return err
}

// tooMany is the error of a document with n nodes, nil if it may have so many.
func tooMany(n int) error {
	if n <= limit.Nodes {
		return nil
	}
	return limit.Count("the content of the file", limit.Nodes, "YAML values")
}

// Error is the reason why a text is not YAML. It is comparable.
type Error struct {
	Line int // 0 if it is not known; often not the line that is wrong
	Text string
}

func (e Error) Error() string { return e.Text }

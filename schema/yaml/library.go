package yaml

import (
	"bytes"
	"errors"
	"io"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/weftrun/weft/internal/limit"
)

// library is Parse for what the plain reader gives up. lines of the document stand
// before src.
func (r *Reader) library(src string, lines int) (*Node, error) {
	r.rewind()
	doc, err := unmarshal(src)
	if err != nil || len(doc.Content) == 0 {
		return nil, err
	}
	if err := tooMany(count(&doc, 0)); err != nil {
		return nil, err
	}
	c := converter{Reader: r, lines: lines}
	return c.convert(doc.Content[0]), nil
}

// unmarshal reads src by the library, and guards against panics of it: a file
// must never be able to crash the program. A large one is read with a look at the
// memory now and then, since the library knows no limit.
func unmarshal(src string) (doc yaml.Node, err error) {
	defer func() {
		if recover() != nil {
			err = Error{Text: "the parser gave up"}
		}
	}()
	const large = 256 << 10
	if len(src) < large {
		err = yaml.Unmarshal([]byte(src), &doc)
	} else {
		r := &announcingReader{r: strings.NewReader(src)}
		if err = yaml.NewDecoder(r).Decode(&doc); err == io.EOF {
			err = nil // there is no document
		}
		if r.err != nil {
			return doc, r.err
		}
	}
	if _, ok := errors.AsType[*yaml.TypeError](err); ok {
		return doc, nil // a Node takes any type
	}
	return doc, ownError(err)
}

// ownError takes the library's "yaml: line 3: did not find …" apart.
func ownError(err error) error {
	if err == nil {
		return nil
	}
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	if rest, ok := strings.CutPrefix(text, "line "); ok {
		num, what, ok := strings.Cut(rest, ": ")
		if n, err := strconv.Atoi(num); ok && err == nil {
			return Error{Line: n, Text: what}
		}
	}
	return Error{Text: text}
}

// announcingReader announces the memory that the nodes of what is read take.
type announcingReader struct {
	r   io.Reader
	err error // why no more is read
}

// nodeBytes is how much memory a byte of YAML takes at most, as nodes.
const nodeBytes = 100

func (a *announcingReader) Read(b []byte) (n int, err error) {
	if a.err = limit.Grow(nodeBytes * int64(len(b))); a.err != nil {
		return 0, a.err
	}
	return a.r.Read(b)
}

// count returns n and how many nodes there are below the one given, without what
// aliases stand for, or some number above the limit.
func count(node *yaml.Node, n int) int {
	for _, c := range node.Content {
		if n > limit.Nodes {
			break
		}
		n = count(c, n+1)
	}
	return n
}

// converter makes our nodes of the library's, which it takes apart.
type converter struct {
	*Reader
	lines   int                  // of the document, before the text
	anchors map[*yaml.Node]*Node // an anchor stands before its aliases
}

var kinds = [...]Kind{yaml.MappingNode: MappingNode, yaml.SequenceNode: SequenceNode, yaml.ScalarNode: ScalarNode, yaml.AliasNode: AliasNode}

func (c *converter) convert(from *yaml.Node) *Node {
	n := c.node(Node{
		Kind: kinds[from.Kind], Style: Style(from.Style), // the same bits
		Tag: from.Tag, Value: from.Value, Anchor: from.Anchor, Line: int32(from.Line + c.lines), Column: int32(from.Column),
	})
	if from.Anchor != "" {
		if c.anchors == nil {
			c.anchors = map[*yaml.Node]*Node{}
		}
		c.anchors[from] = n
	}
	if from.Alias != nil {
		n.Alias = c.anchors[from.Alias]
	}
	if len(from.Content) > 0 {
		n.Content = c.lists.take(len(from.Content))
		for i := range from.Content {
			n.Content[i] = c.convert(from.Content[i])
		}
		from.Content = nil // it may be large
	}
	return n
}

// typeOf returns the tag of a text without quotes.
func typeOf(text string) string {
	n := yaml.Node{Kind: yaml.ScalarNode, Value: text}
	return n.ShortTag()
}

// Scalar returns the value of the scalar n as a Go value of the type that its tag
// says. The error is an [Error].
func (n *Node) Scalar() (v any, err error) {
	from := yaml.Node{Kind: yaml.ScalarNode, Style: yaml.Style(n.Style), Tag: n.Tag, Value: n.Value, Line: int(n.Line), Column: int(n.Column)}
	err = from.Decode(&v)
	return v, ownError(err)
}

// Decode returns the value of a YAML text.
func Decode(src string) (v any, err error) {
	err = Unmarshal([]byte(src), &v)
	return v, err
}

// Unmarshal decodes a YAML text into what v points to, by its yaml tags.
func Unmarshal(src []byte, v any) error { return yaml.Unmarshal(src, v) }

// Encode returns v as a YAML text.
func Encode(v any) (string, error) {
	var b bytes.Buffer
	enc := yaml.NewEncoder(&b)
	if err := enc.Encode(v); err != nil {
		return "", err
	}
	return b.String(), enc.Close()
}

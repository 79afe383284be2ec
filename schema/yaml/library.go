package yaml

import (
	"io"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/weftrun/weft/internal/limit"
)

// library is Parse for texts that the plain reader gives up. lines of the document precede src.
func (r *Reader) library(src string, lines int) (*Node, error) {
	doc, err := unmarshal(src)
	if err != nil || len(doc.Content) == 0 {
		return nil, err
	}
	root := doc.Content[0]
	r.made = count(&doc, 0)
	if lines != 0 {
		shift(root, lines)
	}
	return root, tooMany(r.made)
}

// unmarshal reads src by the library, and guards against panics of it: a file
// must never be able to crash the program. For a large one the memory is checked now and then,
// since the library has no limit.
func unmarshal(src string) (doc yaml.Node, err error) {
	defer func() {
		if recover() != nil {
			err = Error{Text: "the parser failed"}
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

// announcingReader announces the memory that the nodes of the text read take.
type announcingReader struct {
	r   io.Reader
	err error // why no more is read
}

// nodeBytes is the maximum memory of the nodes for one byte of YAML.
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

// shift adds lines to the positions of n and of the nodes below it.
func shift(n *Node, lines int) { Each(n, func(n *Node) { n.Line += lines }) }

// typeOf returns the tag of a text without quotes. It knows what nearly all texts are by their
// first letter, and calls the library for those that may be numbers or times.
func typeOf(text string) string {
	switch c := text[0]; {
	case c == '+', c == '-', c == '~', c == '.', c >= '0' && c <= '9':
		return libraryType(text)
	}
	switch text {
	case "true", "True", "TRUE", "false", "False", "FALSE":
		return "!!bool"
	case "null", "Null", "NULL":
		return "!!null"
	}
	return "!!str"
}

func libraryType(text string) string {
	n := yaml.Node{Kind: yaml.ScalarNode, Value: text}
	return n.ShortTag()
}

// Scalar returns the value of the scalar n as a Go value of the type that its tag
// says. The error is an [Error].
func Scalar(n *Node) (v any, err error) {
	err = n.Decode(&v)
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
	b, err := yaml.Marshal(v)
	return string(b), err
}

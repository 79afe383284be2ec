package schema

import (
	"bytes"
	"errors"
	"io"

	"gopkg.in/yaml.v3"

	"github.com/weftrun/weft/internal/limit"
	"github.com/weftrun/weft/schema/diag"
)

// parseYAML returns the root node of the first document of a file, or nil for one
// without. A diagnostic of kind Syntax says where it is not YAML.
func parseYAML(file *diag.File) (*yaml.Node, *diag.Diagnostic) {
	var plain plainReader
	if n := plain.read(file.Source); n != nil || plain.made > limit.Nodes {
		return n, tooMany(file, plain.made)
	}
	doc, err := unmarshal([]byte(file.Source))
	if _, ok := errors.AsType[*limit.Exceeded](err); ok {
		return nil, tooLarge(file, err)
	}
	if err != nil {
		return nil, syntaxProblem(file, err)
	}
	if len(doc.Content) == 0 {
		return nil, nil
	}
	return doc.Content[0], tooMany(file, count(&doc, 0))
}

// tooMany is the problem of a file with n values, nil when it may have so many.
func tooMany(file *diag.File, n int) *diag.Diagnostic {
	if n <= limit.Nodes {
		return nil
	}
	return tooLarge(file, limit.Count("what the file holds", limit.Nodes, "YAML values"))
}

func tooLarge(file *diag.File, err error) *diag.Diagnostic {
	return &diag.Diagnostic{Pos: diag.Pos{File: file, Line: 1, Column: 1}, Kind: diag.Decode, What: err.Error(), Fix: "keep data in files of their own"}
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

// unmarshal guards against panics of the library: a file must never be able to
// crash the program.
// A large one is read with a look at the memory now and then, since the library knows no
// limit.
func unmarshal(src []byte) (doc yaml.Node, err error) {
	defer func() {
		if recover() != nil {
			err = errGaveUp
		}
	}()
	const large = 256 << 10
	if len(src) < large {
		err = yaml.Unmarshal(src, &doc)
	} else {
		r := &growing{r: bytes.NewReader(src)}
		if err = yaml.NewDecoder(r).Decode(&doc); err == io.EOF {
			err = nil // there is no document
		}
		if r.err != nil {
			return doc, r.err
		}
	}
	var te *yaml.TypeError
	if errors.As(err, &te) {
		err = nil // a Node takes any type
	}
	return doc, err
}

// growing is a reader of YAML that announces the memory of its nodes.
type growing struct {
	r   io.Reader
	err error // why no more is read
}

// nodeBytes is how much memory a byte of YAML takes at most, as nodes.
const nodeBytes = 100

func (g *growing) Read(b []byte) (n int, err error) {
	if g.err = limit.Grow(nodeBytes * int64(len(b))); g.err != nil {
		return 0, g.err
	}
	return g.r.Read(b)
}

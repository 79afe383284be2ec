package schema

import (
	"errors"

	"gopkg.in/yaml.v3"

	"github.com/weftrun/weft/schema/diag"
)

// parseYAML returns the root node of the first document of a file, or nil for one
// without. A diagnostic of kind Syntax says where it is not YAML.
func parseYAML(file *diag.File) (*yaml.Node, *diag.Diagnostic) {
	if n := new(plainReader).read(file.Source); n != nil {
		return n, nil
	}
	doc, err := unmarshal([]byte(file.Source))
	if err != nil {
		return nil, syntaxProblem(file, err)
	}
	if len(doc.Content) == 0 {
		return nil, nil
	}
	return doc.Content[0], nil
}

// unmarshal guards against panics of the library: a file must never be able to
// crash the program.
func unmarshal(src []byte) (doc yaml.Node, err error) {
	defer func() {
		if recover() != nil {
			err = errGaveUp
		}
	}()
	err = yaml.Unmarshal(src, &doc)
	var te *yaml.TypeError
	if errors.As(err, &te) {
		err = nil // a Node takes any type
	}
	return doc, err
}

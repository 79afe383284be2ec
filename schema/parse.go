package schema

import (
	"errors"

	"github.com/weftrun/weft/schema/diag"
	"github.com/weftrun/weft/schema/yaml"
)

// parseYAML returns the root node of the first document of a file, or nil for one
// without. A diagnostic of kind Syntax says where it is not YAML.
func parseYAML(file *diag.File) (*yaml.Node, *diag.Diagnostic) {
	root, err := yaml.Parse(file.Source)
	if e, ok := errors.AsType[yaml.Error](err); ok {
		return nil, syntaxProblem(file, e)
	}
	if err != nil {
		return nil, tooLarge(file, err)
	}
	return root, nil
}

// tooLarge is the problem of a file that holds more than it may.
func tooLarge(file *diag.File, err error) *diag.Diagnostic {
	return &diag.Diagnostic{Pos: diag.Pos{File: file, Line: 1, Column: 1}, Kind: diag.Decode, What: err.Error(), Fix: "keep data in files of their own"}
}

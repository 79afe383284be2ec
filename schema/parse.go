package schema

import (
	"errors"

	"github.com/weftrun/weft/internal/limit"
	"github.com/weftrun/weft/schema/diag"
	"github.com/weftrun/weft/schema/yaml"
)

// decodeFile decodes the content of one file. It never returns nil: of a file with errors
// it returns what could be read.
func decodeFile(file *diag.File) (*document, diag.List) {
	doc := &document{Workflow: Workflow{File: file, Pos: diag.Pos{File: file, Line: 1, Column: 1}}}
	d := &decoder{file: file, tags: hasTag(file.Source), budget: limit.Nodes}
	if len(file.Source) < parallelFrom || !d.readParallel(doc, chunkSize) {
		root, err := yaml.Parse(file.Source)
		invalid, ok := errors.AsType[yaml.Error](err)
		switch {
		case ok:
			d.list.Add(syntaxProblem(file, invalid))
		case err != nil:
			d.list.Add(tooLarge(file, err))
		case root != nil && !isEmptyDocument(root):
			doc.Pos = d.pos(root)
			d.readRoot(root, doc)
		}
	}
	doc.uniqueTasks()
	doc.shadowed = append(doc.shadowed, d.suspicious...)
	doc.Secrets = d.secrets
	d.list.Sort()
	return doc, d.list
}

// isEmptyDocument reports whether a file holds nothing but null, as does one that consists
// of "---".
func isEmptyDocument(n *yaml.Node) bool {
	switch n.Value {
	case "", "~", "null", "Null", "NULL":
		return isNull(n)
	}
	return false
}

// tooLarge is the problem of a file that holds more than it may.
func tooLarge(file *diag.File, err error) *diag.Diagnostic {
	return &diag.Diagnostic{Pos: diag.Pos{File: file, Line: 1, Column: 1}, Kind: diag.Decode, What: err.Error(), Fix: "keep data in files of their own"}
}

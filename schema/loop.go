package schema

import (
	"slices"

	"github.com/weftrun/weft/schema/yaml"
)

// forForm is a loop while it is being read.
type forForm struct {
	For
	hasVar, hasMatrix bool
}

var forKeys = []key[*forForm]{
	{"var", len(textForm), len("Variable to loop over."), func(d *decoder, n *yaml.Node, f *forForm) { f.Var, f.hasVar = d.text(n).S, !isNull(n) && n.Value != "" }},
	{"split", len(textForm), len("Separator of the items of a text; by default white space."), func(d *decoder, n *yaml.Node, f *forForm) { f.Split = d.text(n).S }},
	{"as", len(textForm), len("Name of the variable with the item; by default ITEM."), func(d *decoder, n *yaml.Node, f *forForm) { f.As = d.text(n).S }},
	{"matrix", len(`{"$ref":"#/$defs/matrix"}`), len("Lists to loop over in all combinations."), func(d *decoder, n *yaml.Node, f *forForm) { d.matrix(n, f) }},
}

// loop reads for: a list, a word, or a map.
func (d *decoder) loop(n *yaml.Node) *For {
	var f forForm
	f.Pos = d.pos(n)
	switch n.Kind {
	case yaml.SequenceNode:
		f.List, _ = d.value(n).([]any)
	case yaml.MappingNode:
		readMap(d, n, "for", forKeys, &f)
		switch {
		case f.hasVar && f.hasMatrix:
			d.fail(n, "keep one of them", "cannot use both var and matrix in for")
		case !f.hasVar && !f.hasMatrix:
			d.fail(n, "give a list, sources, generates, var or matrix", "invalid keys in for")
		}
	default:
		if isNull(n) {
			return nil
		}
		f.From = d.text(n).S
	}
	return &f.For
}

func (d *decoder) matrix(n *yaml.Node, f *forForm) {
	f.Matrix = make([]MatrixRow, 0, len(n.Content)/2)
	d.eachPair(n, "a map of lists", func(k, v *yaml.Node) {
		row := MatrixRow{Name: k.Value, Pos: d.pos(k)}
		switch v.Kind {
		case yaml.SequenceNode:
			row.Items, _ = d.value(v).([]any)
		case yaml.MappingNode:
			readMap(d, v, "matrix", matrixRowKeys, &row)
		default:
			d.fail(v, `write a list, or {ref: ".NAME"}`, "matrix values must be an array or a reference")
		}
		f.hasMatrix = true
		if i := slices.IndexFunc(f.Matrix, func(r MatrixRow) bool { return r.Name == row.Name }); i >= 0 {
			d.repeats(k, "matrix", f.Matrix[i].Pos)
			f.Matrix[i] = row
			return
		}
		f.Matrix = append(f.Matrix, row)
	})
}

var matrixRowKeys = []key[*MatrixRow]{
	{"ref", len(textForm), len("Template expression that gives a list."), func(d *decoder, n *yaml.Node, r *MatrixRow) { r.Ref = d.text(n).S }},
}

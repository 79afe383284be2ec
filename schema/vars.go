package schema

import (
	"fmt"
	"math"

	"github.com/weftrun/weft/schema/yaml"
)

// varForm is a variable while it is being read.
type varForm struct {
	Var
	given          bool // one of the keys that give a value
	sh             Text
	ref            string
	value, mapping any
}

var varKeys = []key[*varForm]{
	{"sh", len(textForm), len("Command whose output is the value."), func(d *decoder, n *yaml.Node, v *varForm) { v.sh, v.given = d.text(n), true }},
	{"ref", len(textForm), len("Template expression whose value keeps its type."), func(d *decoder, n *yaml.Node, v *varForm) { v.ref, v.given = d.text(n).S, true }},
	{"map", len(anyForm), len("The value, a map."), func(d *decoder, n *yaml.Node, v *varForm) { v.mapping, v.given = d.value(n), true }},
	{"value", len(anyForm), len("The value, of any type."), func(d *decoder, n *yaml.Node, v *varForm) { v.value, v.given = d.value(n), true }},
	{"secret", len(boolForm), len("Show its value as ***** everywhere."), func(d *decoder, n *yaml.Node, v *varForm) {
		v.Secret = d.flag(n)
		d.secrets = d.secrets || v.Secret
	}},
}

// settle sets the kind of the variable. Of several keys the first of ref, map, value and sh that is
// not empty counts, as in the reference.
func (v *varForm) settle() Var {
	switch {
	case v.ref != "":
		v.Kind, v.Text = Ref, v.ref
	case v.mapping != nil:
		v.Value = v.mapping
	case v.value != nil:
		v.Value = v.value
	case v.sh.Pos.IsValid(): // an empty command, too
		v.Kind, v.Text = Dynamic, v.sh.S
	}
	return v.Var
}

// vars reads vars or env. A name that is defined twice keeps its first place and
// its last value.
func (d *decoder) vars(n *yaml.Node) Vars {
	var vs Vars
	if n.Kind == yaml.MappingNode {
		vs = make(Vars, 0, len(n.Content)/2)
	}
	key := d.key
	var at map[string]int // the index of each name, once there are many
	d.eachPair(n, "a map of variables", func(k, v *yaml.Node) {
		d.suspectKey(k)
		x := d.variable(k, v)
		i, ok := at[x.Name]
		switch {
		case at == nil:
			i = vs.Index(x.Name)
			ok = i >= 0
		case !ok:
			at[x.Name] = len(vs)
		}
		if ok {
			d.repeats(k, key, vs[i].Pos)
			vs[i] = x
			return
		}
		if vs = append(vs, x); len(vs) == manyVars {
			at = make(map[string]int, cap(vs))
			for i := range vs {
				at[vs[i].Name] = i
			}
		}
	})
	return vs
}

// manyVars is the number of variables from which on a map is used to find them.
const manyVars = 100

func (d *decoder) variable(k, n *yaml.Node) Var {
	v := varForm{Var: Var{Name: k.Value, Pos: d.pos(k)}}
	if n.Kind != yaml.MappingNode {
		v.Value = d.value(n)
		return v.Var
	}
	ok := true
	for i := 0; i+1 < len(n.Content); i += 2 {
		switch name := n.Content[i].Value; name {
		case "sh", "ref", "map", "value", "secret", "<<":
		default:
			d.fail(n.Content[i], "a map as a value is written {map: {…}}",
				`%q is not a valid variable type. Try "sh", "ref", "map", "value" or using a scalar value`, name)
			ok = false
		}
	}
	if !ok {
		return v.Var
	}
	readMap(d, n, "variable "+k.Value, varKeys, &v)
	if !v.given {
		d.fail(n, "", `a variable must define one of "sh", "ref", "map", "value" or be a scalar value`)
	}
	return v.settle()
}

// value reads any value: nil, string, bool, int, uint64 (above the range of
// int), float64, []any or map[string]any. Dates are strings.
func (d *decoder) value(n *yaml.Node) any {
	switch n.Kind {
	case yaml.MappingNode:
		m, key := make(map[string]any, len(n.Content)/2), d.key
		d.eachPair(n, "a map", func(k, v *yaml.Node) {
			if k.Kind != yaml.ScalarNode {
				d.fail(k, "", "a key of a map is %s", describe(k))
				return
			}
			name := fmt.Sprint(d.scalar(k))
			if _, ok := m[name]; ok {
				d.repeats(k, key, d.pos(firstKey(n, k)))
			}
			m[name] = d.value(v)
		})
		return m
	case yaml.SequenceNode:
		if !d.enter(n) {
			return nil
		}
		defer d.leave()
		l := make([]any, 0, len(n.Content))
		for _, it := range n.Content {
			if d.stopped {
				break
			}
			l = append(l, d.value(d.deref(it)))
		}
		return l
	}
	return d.scalar(n)
}

// firstKey returns the first key of the map n that reads as k does.
func firstKey(n, k *yaml.Node) *yaml.Node {
	for i := 0; i < len(n.Content); i += 2 {
		if n.Content[i].Value == k.Value {
			return n.Content[i]
		}
	}
	return k
}

func (d *decoder) scalar(n *yaml.Node) any {
	switch n.Tag {
	case "!!str", "!!timestamp":
		d.suspectText(n)
		return n.Value
	case "!!null":
		return nil
	case "!!binary":
		return d.binary(n)
	}
	v, err := yaml.Scalar(n)
	if err != nil {
		d.fail(n, "", "%s", err.Error())
		return nil
	}
	if u, ok := v.(int64); ok && u >= math.MinInt && u <= math.MaxInt {
		return int(u)
	}
	return v
}

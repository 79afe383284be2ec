package schema

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"

	"github.com/weftrun/weft/schema/yaml"
)

// items returns the items of a list, dereferenced as they are visited by the
// caller. It reports when n is not a list; null counts as an empty one.
func (d *decoder) items(n *yaml.Node, of string) []*yaml.Node {
	if isNull(n) {
		return nil
	}
	if n.Kind != yaml.SequenceNode {
		fix := ""
		if n.Kind == yaml.ScalarNode && len(n.Value) < 60 && !strings.Contains(n.Value, "\n") {
			fix = fmt.Sprintf("write %s: [%s]", d.key, quoteYAML(n.Value))
			if m := missingDashSpace(d.file.Line(n.Line)); m != nil && n.Style == 0 {
				fix = m.fix()
			}
		}
		d.fail(n, fix, "%s: expected a list of %s, found %s", d.key, of, describe(n))
		return nil
	}
	if n.Content == nil {
		return []*yaml.Node{} // given, but empty
	}
	return n.Content
}

// text reads a string; other scalars are taken as they are written.
func (d *decoder) text(n *yaml.Node) Text {
	if n.Kind != yaml.ScalarNode {
		d.wrongType(n, "text")
		return Text{}
	}
	switch n.Tag {
	case "!!null":
		return Text{}
	case "!!binary":
		return Text{S: d.binary(n), Pos: d.pos(n)}
	}
	d.suspectText(n)
	return Text{S: n.Value, Pos: d.pos(n)}
}

func (d *decoder) binary(n *yaml.Node) string {
	raw, err := base64.StdEncoding.DecodeString(n.Value)
	if err != nil {
		d.fail(n, "", "%s: invalid base64 in !!binary", d.key)
	}
	return string(raw)
}

// list reads the items of a list by read, but for those that are null.
func list[T any](d *decoder, n *yaml.Node, of string, read func(item *yaml.Node) T) []T {
	items := d.items(n, of)
	if items == nil {
		return nil
	}
	all := make([]T, 0, len(items))
	for _, it := range items {
		if it = d.given(it); it != nil {
			all = append(all, read(it))
		}
	}
	return all
}

// given returns the item of a list that n stands for, or nil if it is null. It is compiled once for
// all types of lists.
//
//go:noinline
func (d *decoder) given(n *yaml.Node) *yaml.Node {
	if n = d.deref(n); isNull(n) {
		return nil
	}
	return n
}

func (d *decoder) texts(n *yaml.Node, of string) []Text { return list(d, n, of, d.text) }

func (d *decoder) strings(n *yaml.Node, of string) []string {
	return list(d, n, of, func(it *yaml.Node) string { return d.text(it).S })
}

// word reads one of several words and returns its index: 0 as well if none is given.
func (d *decoder) word(n *yaml.Node, fix string, words ...string) int {
	t := d.text(n)
	i := slices.Index(words, t.S)
	if i < 0 && t.S != "" {
		d.fail(n, fix, "invalid %s %q", d.key, t.S)
	}
	return max(i, 0)
}

// boolean reads a bool, also in the words of YAML 1.1. Null leaves it unset.
func (d *decoder) boolean(n *yaml.Node) Tristate {
	if n.Kind == yaml.ScalarNode {
		switch n.Value {
		case "true", "True", "TRUE":
			if n.Tag == "!!bool" {
				return True
			}
		case "false", "False", "FALSE":
			if n.Tag == "!!bool" {
				return False
			}
		case "y", "Y", "yes", "Yes", "YES", "on", "On", "ON":
			return True
		case "n", "N", "no", "No", "NO", "off", "Off", "OFF":
			return False
		}
		if n.Tag == "!!null" {
			return Unset
		}
	}
	d.wrongType(n, "true or false")
	return Unset
}

func (d *decoder) flag(n *yaml.Node) bool { return d.boolean(n) == True }

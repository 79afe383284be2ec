package schema

import (
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// findAnchorKeys finds the keys of the root map n that mean nothing by themselves,
// but hold an anchor that the file uses, as "defaults: &defaults {…}" does; and
// those that begin with a dot and hold one at all.
func (d *decoder) findAnchorKeys(n *yaml.Node) {
	var used map[string]bool
	for i := 0; i+1 < len(n.Content); i += 2 {
		k := n.Content[i]
		if k.Tag == "!!merge" || slices.ContainsFunc(rootKeys, func(r key[document]) bool { return r.name == k.Value }) {
			continue
		}
		held := anchors(n.Content[i+1], nil)
		if len(held) == 0 {
			continue
		}
		if used == nil {
			used = map[string]bool{}
			aliases(n, used)
		}
		if strings.HasPrefix(k.Value, ".") || slices.ContainsFunc(held, func(a string) bool { return used[a] }) {
			if d.anchorKeys == nil {
				d.anchorKeys = map[string]bool{}
			}
			d.anchorKeys[k.Value] = true
		}
	}
}

// anchors appends the names of the anchors in n to found.
func anchors(n *yaml.Node, found []string) []string {
	if n.Anchor != "" {
		found = append(found, n.Anchor)
	}
	for _, c := range n.Content {
		found = anchors(c, found)
	}
	return found
}

// aliases adds the names of the anchors that aliases in n mean to used.
func aliases(n *yaml.Node, used map[string]bool) {
	if n.Kind == yaml.AliasNode {
		used[n.Value] = true
	}
	for _, c := range n.Content {
		aliases(c, used)
	}
}

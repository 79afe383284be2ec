package schema

import (
	"slices"
	"strings"

	"github.com/weftrun/weft/schema/yaml"
)

// findAnchorKeys finds the keys of the root map n that have no meaning but contain an anchor that
// the file uses, as "defaults: &defaults {…}" does; and those that begin with a dot and hold one at
// all.
func (d *decoder) findAnchorKeys(n *yaml.Node) {
	var used map[string]bool
	for i := 0; i+1 < len(n.Content); i += 2 {
		k := n.Content[i]
		if k.Tag == "!!merge" || slices.ContainsFunc(rootKeys, func(r key[*document]) bool { return r.name == k.Value }) {
			continue
		}
		var held []string
		yaml.Each(n.Content[i+1], func(n *yaml.Node) {
			if n.Anchor != "" {
				held = append(held, n.Anchor)
			}
		})
		if len(held) == 0 {
			continue
		}
		if used == nil {
			used = map[string]bool{}
			yaml.Each(n, func(n *yaml.Node) {
				if n.Kind == yaml.AliasNode {
					used[n.Value] = true
				}
			})
		}
		if strings.HasPrefix(k.Value, ".") || slices.ContainsFunc(held, func(a string) bool { return used[a] }) {
			if d.anchorKeys == nil {
				d.anchorKeys = map[string]bool{}
			}
			d.anchorKeys[k.Value] = true
		}
	}
}

// anchorUses records which alias led to each node of an anchor last, so that a problem with
// the node can be reported where the anchor is used. An anchor precedes its aliases: once
// an alias has been followed, the nodes are reached through aliases only. The zero value is
// ready to use.
type anchorUses struct {
	// inner has, for each node below an anchor that was followed, the innermost such anchor.
	inner map[*yaml.Node]*yaml.Node
	last  map[*yaml.Node]use // of an anchor
	n     int
}

// use is an alias, and how many were followed before it.
type use struct {
	alias *yaml.Node
	n     int
}

// follow records that alias is about to be followed.
func (u *anchorUses) follow(alias *yaml.Node) {
	t := alias.Alias
	if u.last == nil {
		u.inner, u.last = map[*yaml.Node]*yaml.Node{}, map[*yaml.Node]use{}
	}
	if _, again := u.last[t]; !again {
		u.mark(t, t)
	}
	u.n++
	u.last[t] = use{alias, u.n}
}

// mark makes t the anchor of every node below n that is not below an inner anchor.
func (u *anchorUses) mark(t, n *yaml.Node) {
	for _, c := range n.Content {
		if u.inner[c] == u.inner[t] {
			u.inner[c] = t
			u.mark(t, c)
		}
	}
}

// of returns the alias by which n was reached, or nil.
func (u *anchorUses) of(n *yaml.Node) *yaml.Node {
	var found use
	for ; n != nil; n = u.inner[n] {
		if l := u.last[n]; l.n > found.n {
			found = l
		}
	}
	return found.alias
}

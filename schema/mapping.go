package schema

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/weftrun/weft/schema/diag"
	"github.com/weftrun/weft/schema/yaml"
)

// eachPair calls f with every key and value of the mapping n, merge keys resolved: a key of
// the mapping itself comes before one of a merged mapping. Values are dereferenced. It
// reports when n is not a mapping; null counts as an empty one.
func (d *decoder) eachPair(n *yaml.Node, want string, f func(k, v *yaml.Node)) {
	if isNull(n) {
		return
	}
	if n.Kind != yaml.MappingNode {
		fix := ""
		if m := missingSpace(d.file.Line(n.Line)); m != nil && n.Kind == yaml.ScalarNode && n.Style == 0 && m.column > n.Column {
			fix = m.fix()
		}
		d.fail(n, fix, "%s: expected %s, found %s", d.key, want, describe(n))
		return
	}
	if !d.enter(n) {
		return
	}
	defer d.leave()
	merge := false
	for i := 0; i+1 < len(n.Content) && !d.stopped; i += 2 {
		if n.Content[i].Tag == "!!merge" {
			merge = true
			continue
		}
		f(d.deref(n.Content[i]), d.deref(n.Content[i+1]))
	}
	if merge {
		seen := map[string]bool{}
		for i := 0; i+1 < len(n.Content); i += 2 {
			seen[n.Content[i].Value] = true
		}
		d.eachMerged(n, seen, f)
	}
}

// eachMerged calls f for the keys that the merge keys of n add to those that were seen.
func (d *decoder) eachMerged(n *yaml.Node, seen map[string]bool, f func(k, v *yaml.Node)) {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Tag != "!!merge" {
			continue
		}
		v := d.deref(n.Content[i+1])
		maps := []*yaml.Node{v}
		if v.Kind == yaml.SequenceNode {
			maps = v.Content
		}
		for _, m := range maps {
			if m = d.deref(m); m.Kind != yaml.MappingNode {
				d.fail(m, "", "<<: expected a map, a list of maps or an alias of one, found %s", describe(m))
				continue
			}
			if !d.enter(m) {
				return
			}
			for i := 0; i+1 < len(m.Content) && !d.stopped; i += 2 {
				k, v := d.deref(m.Content[i]), d.deref(m.Content[i+1])
				if k.Tag != "!!merge" && !seen[k.Value] {
					seen[k.Value] = true
					f(k, v)
				}
			}
			d.eachMerged(m, seen, f)
			d.leave()
		}
	}
}

// readMap reads the mapping n into out by a table of keys. thing names what
// the mapping is: "include". It returns which keys were given: bit i stands for keys[i].
//
//go:noinline
func readMap[T any](d *decoder, n *yaml.Node, thing string, keys []key[T], out T) (seen uint64) {
	d.eachPair(n, "a map", func(k, v *yaml.Node) {
		for i := range keys {
			if keys[i].name != k.Value || k.Kind != yaml.ScalarNode {
				continue
			}
			if seen&(1<<i) != 0 {
				d.fail(k, "remove one of them", "%s: key %q is defined twice", thing, k.Value)
				return
			}
			seen |= 1 << i
			d.key = k.Value
			keys[i].read(d, v, out)
			return
		}
		names := make([]string, len(keys))
		for i := range keys {
			names[i] = keys[i].name
		}
		d.unknownKey(k, thing, names)
	})
	return seen
}

// unknownKey warns of a key that is not in the table. Keys that begin with "x-" belong to
// the author of the file: they are a place for anchors.
func (d *decoder) unknownKey(k *yaml.Node, thing string, names []string) {
	if strings.HasPrefix(k.Value, "x-") || thing == "Taskfile" && d.anchorKeys[k.Value] || d.list.Full() {
		return
	}
	in := ""
	if thing != "task" && thing != "Taskfile" {
		in = " in " + thing
	}
	if k.Kind != yaml.ScalarNode {
		d.fail(k, "", "a key%s is %s", in, describe(k))
		return
	}
	if d.unknown[k] {
		return // it was reported when another alias led to it
	}
	if d.unknown == nil {
		d.unknown = map[*yaml.Node]bool{}
	}
	d.unknown[k] = true
	w := &diag.Diagnostic{
		Pos: d.pos(k), Severity: diag.Warning, Kind: diag.UnknownKey,
		What: fmt.Sprintf("%sunknown key %q%s", d.about(), k.Value, in),
	}
	if m := d.oddSpace(k); m != nil {
		w.What, w.Why, w.Fix = d.about()+m.what, m.why, m.fix()
		d.list.Add(w)
		return
	}
	best := cmp.Or(closest(k.Value, names), synonym(k.Value, names))
	switch {
	case best != "":
		w.Fix = fmt.Sprintf("did you mean %q?", best)
	case thing == "task" && (k.Value == "for" || slices.Contains(doing[:], k.Value)):
		w.Fix = "it is a key of a command: write it under cmds"
	}
	d.list.Add(w)
}

// repeats warns that the name of k occurs a second time in the map that is the value of
// key: the reference silently takes the last one.
func (d *decoder) repeats(k *yaml.Node, key string, first diag.Pos) {
	d.suspicious = append(d.suspicious, definedAgain(d.pos(k), fmt.Sprintf("%s%s: %q", d.about(), key, k.Value), first))
}

// definedAgain warns that what, at pos, replaces one of the same name.
func definedAgain(pos diag.Pos, what string, first diag.Pos) *diag.Diagnostic {
	return &diag.Diagnostic{
		Pos: pos, Severity: diag.Warning, Kind: diag.Suspicious,
		What: what + " is defined again",
		Why:  fmt.Sprintf("the one in line %d is never used", first.Line),
		Fix:  "remove or rename one of them",
	}
}

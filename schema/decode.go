package schema

import (
	"encoding/base64"
	"fmt"
	"strings"

	"github.com/weftrun/weft/internal/limit"
	"github.com/weftrun/weft/schema/diag"
	"github.com/weftrun/weft/schema/yaml"
)

// How decoding works. Each type of the format has one table of keys; a key has
// a name, the JSON Schema of its value, a line of documentation and the
// function that reads it. [readMap] walks a YAML mapping once and hands each
// value to its key's reader. Readers never stop at a problem: they report it
// and go on, so one run shows everything that is wrong with a file.

// key is one row of a key table of T.
type key[T any] struct {
	name string
	form string // JSON Schema of the value
	doc  string
	read func(d *decoder, n *yaml.Node, t *T)
}

const (
	// maxDepth bounds the nesting of what is decoded. It also catches anchors
	// that hold an alias of themselves.
	maxDepth = 1000
)

// decoder reads the nodes of one file, or of a chunk of it. It is used by one
// goroutine.
type decoder struct {
	file *diag.File
	list diag.List
	// doubts are what works, but hardly as it was meant, for Check.
	doubts  []*diag.Diagnostic
	secrets bool // a variable is secret
	// anchorKeys are the keys of the root that are there for their anchors.
	anchorKeys map[string]bool

	subject string // name of the task that is read, for messages
	key     string // key that is read, for messages

	// unquoted are the templates without quotes that were told, by the map that YAML
	// takes each for and by what stands in its place.
	unquoted map[*yaml.Node]*yaml.Node

	unknown map[*yaml.Node]bool // keys that were told to be unknown

	bangs   bool // see hasTag
	depth   int
	aliased bool
	uses    anchorUses
	budget  int  // nodes that may still be visited once an alias was followed: those of aliases grow exponentially
	grown   int  // bytes that were made and not announced yet, about
	stopped bool // an error makes going on pointless

	tasks    slab[Task]
	commands slab[Command]
	options  TaskOptions // of the task that is being read
}

func (d *decoder) pos(n *yaml.Node) diag.Pos {
	return diag.Pos{File: d.file, Line: n.Line, Column: n.Column}
}

func (d *decoder) fail(n *yaml.Node, fix, format string, args ...any) {
	if d.unquoted[n] != nil {
		return // it has been told
	}
	p := &diag.Diagnostic{Pos: d.pos(n), Kind: diag.Decode, What: d.about() + fmt.Sprintf(format, args...), Fix: fix}
	if n.Kind == yaml.ScalarNode && n.Style == 0 {
		if m := oddSpace(d.sourceLine(n)); m != nil {
			p.What, p.Why, p.Fix = d.about()+m.what, m.why, m.fix()
		}
	}
	if use := d.uses.of(n); use != nil {
		p.Pos, p.Why = d.pos(use), fmt.Sprintf("the value is that of the anchor %q (%s)", use.Value, p.Pos)
	}
	d.list.Add(p)
}

// failAt is fail for what stands at a position that is known.
func (d *decoder) failAt(pos diag.Pos, fix, format string, args ...any) {
	d.list.Add(&diag.Diagnostic{Pos: pos, Kind: diag.Decode, What: d.about() + fmt.Sprintf(format, args...), Fix: fix})
}

// about begins a message about something inside a task.
func (d *decoder) about() string {
	if d.subject == "" {
		return ""
	}
	return fmt.Sprintf("task %q: ", d.subject)
}

func (d *decoder) wrongType(n *yaml.Node, want string) {
	d.fail(n, "", "%s: expected %s, found %s", d.key, want, describe(n))
}

// describe names what a node holds.
func describe(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a map"
	case yaml.SequenceNode:
		return "a list"
	}
	v := n.Value
	if len(v) > 40 {
		v = v[:37] + "..."
	}
	switch n.Tag {
	case "!!null":
		return "nothing"
	case "!!int", "!!float":
		return "the number " + v
	case "!!bool":
		return "the boolean " + v
	}
	return fmt.Sprintf("the text %q", v)
}

// enter counts a step down; it returns false, after reporting once, when the
// file is nested too deeply or its aliases grow beyond all measure.
func (d *decoder) enter(n *yaml.Node) bool {
	if d.stopped {
		return false
	}
	d.depth++
	if d.depth > maxDepth {
		d.stop(n, "nested too deeply, or an anchor that contains itself", "")
	}
	d.grow(n, 256+64*len(n.Content))
	return !d.stopped
}

func (d *decoder) leave() { d.depth-- }

// grow counts about how many bytes n is decoded to, and stops where that is too much.
func (d *decoder) grow(n *yaml.Node, bytes int) {
	const often = 1 << 20
	if d.grown += bytes; d.grown < often {
		return
	}
	if err := limit.Grow(int64(d.grown)); err != nil && !d.stopped {
		d.stop(n, err.Error(), "")
	}
	d.grown = 0
}

func (d *decoder) stop(n *yaml.Node, what, fix string) {
	d.stopped = true
	d.list.Add(&diag.Diagnostic{Pos: d.pos(n), Kind: diag.Decode, What: what, Fix: fix})
}

// deref returns the node an alias stands for, and n itself when it is none.
func (d *decoder) deref(n *yaml.Node) *yaml.Node {
	if d.aliased {
		if d.budget--; d.budget < 0 && !d.stopped {
			d.stop(n, "the aliases of this file expand to too much", "use fewer aliases inside anchors")
		}
	}
	for i := 0; n.Kind == yaml.AliasNode && i < maxDepth; i++ {
		d.aliased = true
		d.uses.follow(n)
		n = n.Alias
	}
	if n.Kind == yaml.MappingNode && isUnquoted(n) {
		return d.template(n)
	}
	return n
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Tag == "!!null" }

// eachPair calls f with every key and value of the mapping n, merge keys
// resolved: a key of the mapping itself comes before one of a merged mapping.
// Values are dereferenced. It reports when n is no mapping; null counts as an
// empty one.
func (d *decoder) eachPair(n *yaml.Node, want string, f func(k, v *yaml.Node)) {
	if isNull(n) {
		return
	}
	if n.Kind != yaml.MappingNode {
		if m := missingSpace(d.sourceLine(n)); m != nil && n.Kind == yaml.ScalarNode && n.Style == 0 && m.column > int(n.Column) {
			d.fail(n, m.fix(), "%s: expected %s, found %s", d.key, want, describe(n))
			return
		}
		d.wrongType(n, want)
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
		d.eachMerged(n, f)
	}
}

// eachMerged calls f for the keys that the merge keys of n add to it.
func (d *decoder) eachMerged(n *yaml.Node, f func(k, v *yaml.Node)) {
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		seen[n.Content[i].Value] = true
	}
	var add func(m *yaml.Node)
	add = func(m *yaml.Node) {
		if !d.enter(m) {
			return
		}
		defer d.leave()
		for i := 0; i+1 < len(m.Content) && !d.stopped; i += 2 {
			k, v := d.deref(m.Content[i]), d.deref(m.Content[i+1])
			if k.Tag == "!!merge" || seen[k.Value] {
				continue
			}
			seen[k.Value] = true
			f(k, v)
		}
		d.eachMergeSource(m, add)
	}
	d.eachMergeSource(n, add)
}

// eachMergeSource calls f for the mappings that the merge keys of n name.
func (d *decoder) eachMergeSource(n *yaml.Node, f func(m *yaml.Node)) {
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
			f(m)
		}
	}
}

// readMap reads the mapping n into out by a table of keys. thing names what
// the mapping is: "include".
func readMap[T any](d *decoder, n *yaml.Node, thing string, keys []key[T], out *T) {
	var seen uint64 // bit i: keys[i] was given
	d.eachPair(n, "a map", func(k, v *yaml.Node) {
		for i := range keys {
			if keys[i].name != k.Value || k.Kind != yaml.ScalarNode {
				continue
			}
			if seen&(1<<i) != 0 {
				d.fail(k, "remove one of them", "%s: key %q is given twice", thing, k.Value)
				return
			}
			seen |= 1 << i
			d.key = k.Value
			keys[i].read(d, v, out)
			return
		}
		d.unknownKey(k, thing, func(yield func(string)) {
			for i := range keys {
				yield(keys[i].name)
			}
		})
	})
}

// unknownKey warns of a key that means nothing. Keys that begin with "x-" are
// for whoever writes the file: a place for anchors.
func (d *decoder) unknownKey(k *yaml.Node, thing string, names func(yield func(string))) {
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
		return // it came through another alias before
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
	best := closest(k.Value, names)
	if best == "" {
		// Only where it is a key: dir is none of a dependency.
		meant := synonym(k.Value)
		names(func(name string) {
			if name == meant {
				best = meant
			}
		})
	}
	switch {
	case best != "":
		w.Fix = fmt.Sprintf("did you mean %q?", best)
	case thing == "task" && isCommandKey(k.Value):
		w.Fix = "it is a key of a command: write it under cmds"
	}
	d.list.Add(w)
}

// repeats notes that the name of k, in the map that is the value of key, stands
// there a second time: the reference takes the last one without a word.
func (d *decoder) repeats(k *yaml.Node, key string, first diag.Pos) {
	d.doubts = append(d.doubts, &diag.Diagnostic{
		Pos: d.pos(k), Severity: diag.Warning, Kind: diag.Suspicious,
		What: fmt.Sprintf("%s%s: %q is defined again", d.about(), key, k.Value),
		Why:  fmt.Sprintf("the one in line %d is never used", first.Line),
		Fix:  "remove or rename one of them",
	})
}

// items returns the items of a list, dereferenced as they are visited by the
// caller. It reports when n is no list; null counts as an empty one.
func (d *decoder) items(n *yaml.Node, of string) []*yaml.Node {
	if isNull(n) {
		return nil
	}
	if n.Kind != yaml.SequenceNode {
		fix := ""
		if n.Kind == yaml.ScalarNode && len(n.Value) < 60 && !strings.Contains(n.Value, "\n") {
			fix = fmt.Sprintf("write %s: [%s]", d.key, quoteYAML(n.Value))
			if m := missingDashSpace(d.sourceLine(n)); m != nil && n.Style == 0 {
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
	d.doubtText(n)
	return Text{S: n.Value, Pos: d.pos(n)}
}

func (d *decoder) binary(n *yaml.Node) string {
	raw, err := base64.StdEncoding.DecodeString(n.Value)
	if err != nil {
		d.fail(n, "", "%s: invalid base64 in !!binary", d.key)
	}
	return string(raw)
}

func (d *decoder) texts(n *yaml.Node, of string) []Text {
	items := d.items(n, of)
	if items == nil {
		return nil
	}
	ts := make([]Text, 0, len(items))
	for _, it := range items {
		if it = d.deref(it); !isNull(it) {
			ts = append(ts, d.text(it))
		}
	}
	return ts
}

func (d *decoder) strings(n *yaml.Node, of string) []string {
	items := d.items(n, of)
	if items == nil {
		return nil
	}
	ss := make([]string, 0, len(items))
	for _, it := range items {
		if it = d.deref(it); !isNull(it) {
			ss = append(ss, d.text(it).S)
		}
	}
	return ss
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

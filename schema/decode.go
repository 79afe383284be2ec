package schema

import (
	"errors"
	"fmt"
	"slices"

	"github.com/weftrun/weft/internal/limit"
	"github.com/weftrun/weft/schema/diag"
	"github.com/weftrun/weft/schema/yaml"
)

// How decoding works. Each type of the format has one table of keys; a key has
// a name, the JSON Schema of its value, a line of documentation and the
// function that reads it. [readMap] walks a YAML mapping once and hands each
// value to its key's reader. Readers never stop at a problem: they report it and continue, so one
// run shows all problems of a file.

// key is one row of a key table of T, a pointer: then there is one copy of the code for all tables.
type key[T any] struct {
	name string
	// form and doc are the lengths of the JSON Schema of the value, and of what it says about the key.
	// Only the tests need the texts, and take them from the source: they are no part of the program.
	form, doc int
	read      func(d *decoder, n *yaml.Node, t T)
}

// JSON Schema fragments that several keys share.
const (
	textForm     = `{"type":["string","number","boolean","null"]}`
	boolForm     = `{"anyOf":[{"type":["boolean","null"]},{"enum":["y","Y","yes","Yes","YES","on","On","ON","n","N","no","No","NO","off","Off","OFF"]}]}`
	listOfText   = `{"type":["array","null"],"items":{"type":["string","number","boolean","null"]}}`
	durationForm = `{"type":["string","null"]}`
	anyForm      = `{}`
	methodForm   = textForm
	runForm      = textForm
	ruleForm     = `{"enum":["` + FingerprintFull + `","` + FingerprintV3 + `",null]}`
	globsForm    = `{"type":["array","null"],"items":{"$ref":"#/$defs/glob"}}`
)

// maxDepth bounds the nesting of what is decoded. It also catches anchors
// that hold an alias of themselves.
const maxDepth = 1000

// decoder reads the nodes of one file, or of a chunk of it. It is used by one goroutine.
type decoder struct {
	file *diag.File
	findings
	// anchorKeys are the keys of the root that exist for their anchors.
	anchorKeys map[string]bool

	subject string // name of the task that is read, for messages
	key     string // key that is read, for messages

	// unquoted are the templates without quotes that were reported, by the map that YAML
	// reads and by the text that replaces it.
	unquoted map[*yaml.Node]*yaml.Node

	unknown map[*yaml.Node]bool // unknown keys that were reported

	tags    bool // see hasTag
	depth   int
	aliased bool
	uses    anchorUses
	budget  int  // nodes that may still be visited once an alias was followed: those of aliases grow exponentially
	grown   int  // bytes that were decoded and not yet counted by package limit, roughly
	stopped bool // decoding was given up after an error

	tasks    slab[Task]
	commands slab[Command]
	options  slab[TaskOptions]
}

// decodeFile decodes the content of one file. It never returns nil: of a file with errors it
// returns the readable part.
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
		case root != nil && !(isNull(root) && slices.Contains([]string{"", "~", "null", "Null", "NULL"}, root.Value)): // not just "---"
			doc.Pos = d.pos(root)
			d.readRoot(root, doc)
		}
	}
	doc.uniqueTasks()
	doc.shadowed = append(doc.shadowed, d.suspicious...)
	doc.Secrets, doc.Users = d.secrets, d.users
	d.list.Sort()
	return doc, d.list
}

// tooLarge is the problem of a file that exceeds a limit.
func tooLarge(file *diag.File, err error) *diag.Diagnostic {
	return &diag.Diagnostic{Pos: diag.Pos{File: file, Line: 1, Column: 1}, Kind: diag.Decode, What: err.Error(), Fix: "move data to separate files"}
}

func (d *decoder) pos(n *yaml.Node) diag.Pos {
	return diag.Pos{File: d.file, Line: int32(n.Line), Column: int32(n.Column)}
}

func (d *decoder) fail(n *yaml.Node, fix, format string, args ...any) {
	if d.unquoted[n] != nil {
		return // it has been reported
	}
	p := &diag.Diagnostic{Pos: d.pos(n), Kind: diag.Decode, What: d.about() + fmt.Sprintf(format, args...), Fix: fix}
	if n.Kind == yaml.ScalarNode && n.Style == 0 {
		if m := oddSpace(d.file.Line(n.Line)); m != nil {
			p.What, p.Why, p.Fix = d.about()+m.what, m.why, m.fix()
		}
	}
	if use := d.uses.of(n); use != nil {
		p.Pos, p.Why = d.pos(use), fmt.Sprintf("the value comes from the anchor %q (%s)", use.Value, p.Pos)
	}
	d.list.Add(p)
}

// failAt reports a problem at a position.
func (d *decoder) failAt(pos diag.Pos, fix, format string, args ...any) {
	d.list.Add(&diag.Diagnostic{Pos: pos, Kind: diag.Decode, What: d.about() + fmt.Sprintf(format, args...), Fix: fix})
}

// about returns the beginning of a message about something inside a task.
func (d *decoder) about() string {
	if d.subject == "" {
		return ""
	}
	return fmt.Sprintf("task %q: ", d.subject)
}

func (d *decoder) wrongType(n *yaml.Node, want string) {
	d.fail(n, "", "%s: expected %s, found %s", d.key, want, describe(n))
}

// describe describes a node, for messages.
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

// enter counts one more level of nesting. It returns false, and reports that once, when the
// file is nested too deeply or its aliases expand to too much.
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

// grow counts roughly how many bytes n is decoded to, and stops decoding when that is too
// much.
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

// deref returns the node of an alias, and n itself when it is not an alias.
func (d *decoder) deref(n *yaml.Node) *yaml.Node {
	if d.aliased {
		if d.budget--; d.budget < 0 && !d.stopped {
			d.stop(n, "the aliases in this file expand to too many values", "use fewer aliases inside anchors")
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

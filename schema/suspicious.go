package schema

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/weftrun/weft/schema/diag"
	"github.com/weftrun/weft/schema/yaml"
)

// suspect records a warning for Check about something that works, but probably not as it
// was intended.
func (d *decoder) suspect(n *yaml.Node, what, why, fix string) {
	d.suspicious = append(d.suspicious, &diag.Diagnostic{Pos: d.pos(n), Severity: diag.Warning, Kind: diag.Suspicious, What: d.about() + what, Why: why, Fix: fix})
}

// isUnquoted reports whether n, a map, is a template without quotes: YAML reads "{{.X}}" as
// a map in a map.
func isUnquoted(n *yaml.Node) bool {
	if n.Style&yaml.FlowStyle == 0 || len(n.Content) != 2 {
		return false
	}
	k := n.Content[0]
	return k.Kind == yaml.MappingNode && k.Style&yaml.FlowStyle != 0 && k.Line == n.Line && k.Column == n.Column+1
}

// template reports a template without quotes and returns the text that replaces it.
func (d *decoder) template(n *yaml.Node) *yaml.Node {
	if known := d.unquoted[n]; known != nil {
		return known
	}
	fix := "put quotes around it"
	if m := mistakeIn(d.file.Line(n.Line)); m != nil {
		fix = m.fix()
	}
	d.list.Add(&diag.Diagnostic{Pos: d.pos(n), Kind: diag.Decode, What: d.about() + `a text that begins with "{{" must be quoted`,
		Why: "YAML takes it for a map", Fix: fix})
	text := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: "{{}}", Line: n.Line, Column: n.Column}
	if d.unquoted == nil {
		d.unquoted = map[*yaml.Node]*yaml.Node{}
	}
	d.unquoted[n], d.unquoted[text] = text, text
	return text
}

// oddSpace finds what looks like a space before the name of k, a key.
func (d *decoder) oddSpace(k *yaml.Node) *mistake {
	if r, _ := utf8.DecodeRuneInString(k.Value); spaces[r] == "" {
		return nil
	}
	return oddSpace(d.file.Line(k.Line))
}

// suspectText records a warning about a text that YAML does not read as it is written.
func (d *decoder) suspectText(n *yaml.Node) {
	switch tag := d.droppedTag(n); {
	case tag != "":
		fix := "quote it"
		if m := mistakeIn(d.file.Line(n.Line)); m != nil {
			fix = m.fix()
		}
		d.suspect(n, fmt.Sprintf("the %q before %q is dropped", tag, n.Value), "YAML takes it for a tag", fix)
	case n.Style == 0 && n.Value != "" && n.Value[0] >= 0x80 && curly(n.Value):
		switch d.key {
		case "desc", "summary", "label", "prompt", "msg", "prefix":
		default:
			d.suspect(n, fmt.Sprintf("the quotes of %s are letters of the text", n.Value), "", "write "+quoteYAML(strings.Trim(n.Value, "“”‘’„«»")))
		}
	}
}

// droppedTag returns the tag of a text if it is "!" or "!name", which mean nothing. The
// YAML library does not keep the first: it is only in the source.
func (d *decoder) droppedTag(n *yaml.Node) string {
	if !d.tags || strings.HasPrefix(n.Value, "!") {
		return ""
	}
	rest := d.file.Line(n.Line)
	for range n.Column - 1 {
		_, size := utf8.DecodeRuneInString(rest)
		rest = rest[size:]
	}
	tag, _, _ := strings.Cut(rest, " ")
	if !strings.HasPrefix(tag, "!") || strings.HasPrefix(tag, "!!") {
		return ""
	}
	return tag
}

// hasTag reports whether a text may hold a tag: a "!" behind a space or a bracket.
func hasTag(src string) bool {
	for {
		i := strings.IndexByte(src, '!')
		if i < 0 {
			return false
		}
		if i > 0 && strings.IndexByte(" [,{", src[i-1]) >= 0 {
			return true
		}
		src = src[i+1:]
	}
}

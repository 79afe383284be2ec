package schema

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/weftrun/weft/schema/diag"
	"github.com/weftrun/weft/schema/yaml"
)

// suspect records a warning for Check about something that works, but probably not as it
// was intended.
func (d *decoder) suspect(n *yaml.Node, what, why, fix string) { d.suspectAt(d.pos(n), what, why, fix) }

func (d *decoder) suspectAt(pos diag.Pos, what, why, fix string) {
	d.suspicious = append(d.suspicious, &diag.Diagnostic{Pos: pos, Severity: diag.Warning, Kind: diag.Suspicious, What: d.about() + what, Why: why, Fix: fix})
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
	d.list.Add(&diag.Diagnostic{Pos: d.pos(n), Kind: diag.Decode, What: d.about() + `a text that begins with "{{" must be quoted`,
		Why: "YAML parses it as a map", Fix: d.quoteFix(n, "put quotes around it")})
	text := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: "{{}}", Line: n.Line, Column: n.Column}
	if d.unquoted == nil {
		d.unquoted = map[*yaml.Node]*yaml.Node{}
	}
	d.unquoted[n], d.unquoted[text] = text, text
	return text
}

// oddSpace finds a character that looks like a space before the name of k, a key.
func (d *decoder) oddSpace(k *yaml.Node) *mistake {
	if r, _ := utf8.DecodeRuneInString(k.Value); spaceName(r) == "" {
		return nil
	}
	return oddSpace(d.file.Line(k.Line))
}

// suspectKey records a warning about a character that looks like a space before the name of k, a
// key.
func (d *decoder) suspectKey(k *yaml.Node) {
	if m := d.oddSpace(k); m != nil {
		d.suspect(k, m.what, m.why, m.fix())
	}
}

// suspectCommand records a warning about a command that may be one of some keys, without
// the space after its colon.
func (d *decoder) suspectCommand(n *yaml.Node, keys []string) {
	key, value, ok := strings.Cut(n.Value, ":")
	if ok && n.Style == 0 && value != "" && slices.Contains(keys, key) {
		d.suspect(n, fmt.Sprintf("the text %q is a command", n.Value), "a key needs a space after its colon", "write "+key+": "+strings.TrimLeft(value, " \u00a0"))
	}
}

// quoteFix returns the line of n as it must be written, or else that it needs quotes.
func (d *decoder) quoteFix(n *yaml.Node, otherwise string) string {
	if m := mistakeIn(d.file.Line(n.Line)); m != nil {
		return m.fix()
	}
	return otherwise
}

// suspectText records a warning about a text that YAML does not read as it is written.
func (d *decoder) suspectText(n *yaml.Node) {
	switch tag := d.droppedTag(n); {
	case tag != "":
		d.suspect(n, fmt.Sprintf("the %q before %q is dropped", tag, n.Value), "YAML parses it as a tag", d.quoteFix(n, "quote it"))
	case n.Style == 0 && n.Value != "" && n.Value[0] >= 0x80 && curly(n.Value):
		switch d.key {
		case "desc", "summary", "label", "prompt", "msg", "prefix":
		default:
			d.suspect(n, fmt.Sprintf("the quotes of %s are part of the text", n.Value), "", "write "+quoteYAML(strings.Trim(n.Value, "“”‘’„«»")))
		}
	}
}

// droppedTag returns the tag of a text if it is "!" or "!name", which have no meaning. The
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

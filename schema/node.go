package schema

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"gopkg.in/yaml.v3"

	"github.com/weftrun/weft/schema/diag"
)

// maxVisited bounds how many nodes one file may come to when its aliases are
// followed: a few lines of aliases of aliases can otherwise mean billions.
const maxVisited = 10_000_000

// decoder turns the nodes of one file into its Document. Problems are collected
// and decoding goes on.
type decoder struct {
	file    *diag.File
	list    *diag.List
	visited int
	owner   string // the task being read: named in diagnostics, or ""
}

// parse returns the root node of the first document in src, or nil when it is
// empty or broken; then the problem has been reported.
func (d *decoder) parse(src []byte) *yaml.Node {
	src = bytes.TrimPrefix(src, []byte("\xef\xbb\xbf"))
	if i := invalidUTF8(src); i >= 0 && !bytes.HasPrefix(src, []byte("\xff\xfe")) && !bytes.HasPrefix(src, []byte("\xfe\xff")) {
		line, col := lineCol(src, i)
		d.list.Add(&diag.Diagnostic{Pos: diag.Pos{File: d.file, Line: line, Column: col}, Kind: diag.Syntax,
			What: "the file is not valid UTF-8", Fix: "save it as UTF-8"})
		return nil
	}
	var doc yaml.Node
	err := yaml.NewDecoder(bytes.NewReader(src)).Decode(&doc)
	if errors.Is(err, io.EOF) {
		return nil
	}
	if err != nil {
		d.list.Add(syntaxProblem(d.file, err))
		return nil
	}
	if doc.Kind != yaml.DocumentNode || len(doc.Content) == 0 {
		return nil
	}
	return doc.Content[0]
}

func invalidUTF8(src []byte) int {
	if utf8.Valid(src) {
		return -1
	}
	for i := 0; i < len(src); {
		r, n := utf8.DecodeRune(src[i:])
		if r == utf8.RuneError && n == 1 {
			return i
		}
		i += n
	}
	return -1
}

func lineCol(src []byte, i int) (line, col int32) {
	line = int32(bytes.Count(src[:i], []byte("\n"))) + 1
	return line, int32(i-bytes.LastIndexByte(src[:i], '\n')-1) + 1
}

// syntaxProblem finds the position in yaml.v3's error text: "yaml: line 3: …".
func syntaxProblem(f *diag.File, err error) *diag.Diagnostic {
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	pos := diag.Pos{File: f, Line: 1, Column: 1}
	if m := regexp.MustCompile(`^line (\d+): `).FindStringSubmatch(text); m != nil {
		n, _ := strconv.Atoi(m[1])
		pos.Line = int32(n)
		text = text[len(m[0]):]
	}
	return &diag.Diagnostic{Pos: pos, Kind: diag.Syntax, What: "not valid YAML: " + text,
		Fix: "check the indentation, the quotes and the brackets at and before this line"}
}

func (d *decoder) pos(n *yaml.Node) diag.Pos {
	return diag.Pos{File: d.file, Line: int32(n.Line), Column: int32(n.Column)}
}

// problem reports a value that cannot be used.
func (d *decoder) problem(n *yaml.Node, what, fix string) {
	if d.owner != "" {
		what = fmt.Sprintf("task %q: %s", d.owner, what)
	}
	d.list.Add(&diag.Diagnostic{Pos: d.pos(n), Kind: diag.Decode, What: what, Fix: fix})
}

func (d *decoder) warn(n *yaml.Node, kind diag.Kind, what, fix string) {
	if d.owner != "" {
		what = fmt.Sprintf("task %q: %s", d.owner, what)
	}
	d.list.Add(&diag.Diagnostic{Pos: d.pos(n), Severity: diag.Warning, Kind: kind, What: what, Fix: fix})
}

// follow returns what n stands for: itself, or the node its alias names.
func (d *decoder) follow(n *yaml.Node) *yaml.Node {
	d.visited++
	for n.Kind == yaml.AliasNode {
		n = n.Alias
		d.visited++
	}
	return n
}

// exhausted reports, once, that the aliases of the file mean too much.
func (d *decoder) exhausted(n *yaml.Node) bool {
	if d.visited < maxVisited {
		return false
	}
	if d.visited != 1<<62 {
		d.visited = 1 << 62
		d.problem(n, "the aliases of this file expand to more than "+strconv.Itoa(maxVisited)+" values", "use fewer aliases of aliases")
	}
	return true
}

// pairs calls f with every key and value of the mapping n, those of merge keys
// (`<<`) included unless n has the key itself.
func (d *decoder) pairs(n *yaml.Node, f func(key, value *yaml.Node)) {
	if n.Kind != yaml.MappingNode || d.exhausted(n) {
		return
	}
	merged := false
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Tag == "!!merge" {
			merged = true
			break
		}
	}
	if !merged {
		for i := 0; i+1 < len(n.Content); i += 2 {
			f(n.Content[i], n.Content[i+1])
		}
		return
	}
	seen := map[string]bool{}
	d.mergedPairs(n, seen, map[*yaml.Node]bool{}, f)
}

func (d *decoder) mergedPairs(n *yaml.Node, seen map[string]bool, above map[*yaml.Node]bool, f func(key, value *yaml.Node)) {
	n = d.follow(n)
	if above[n] || d.exhausted(n) {
		return
	}
	above[n] = true
	defer delete(above, n)
	switch n.Kind {
	case yaml.SequenceNode:
		for _, m := range n.Content {
			d.mergedPairs(m, seen, above, f)
		}
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			if k := n.Content[i]; k.Tag != "!!merge" && !seen[k.Value] {
				seen[k.Value] = true
				f(k, n.Content[i+1])
			}
		}
		for i := 0; i+1 < len(n.Content); i += 2 {
			if n.Content[i].Tag == "!!merge" {
				d.mergedPairs(n.Content[i+1], seen, above, f)
			}
		}
	default:
		d.problem(n, "a merge key needs a map or a list of maps", "")
	}
}

// each calls f with every item of the sequence n; nulls are passed over.
func (d *decoder) each(n *yaml.Node, what string, f func(*yaml.Node)) {
	n = d.follow(n)
	if isNull(n) || d.exhausted(n) {
		return
	}
	if n.Kind != yaml.SequenceNode {
		d.problem(n, what+" must be a list, not "+kindOf(n), "put `- ` before each item")
		return
	}
	for _, item := range n.Content {
		if item = d.follow(item); !isNull(item) {
			f(item)
		}
	}
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Tag == "!!null" }

func kindOf(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a map"
	case yaml.SequenceNode:
		return "a list"
	}
	switch n.ShortTag() {
	case "!!null":
		return "nothing"
	case "!!bool":
		return "a boolean"
	case "!!int", "!!float":
		return "a number"
	}
	return fmt.Sprintf("%q", n.Value)
}

// text reads a string; other scalars give their text.
func (d *decoder) text(n *yaml.Node, what string) Text {
	n = d.follow(n)
	if n.Kind != yaml.ScalarNode {
		d.problem(n, what+" must be a string, not "+kindOf(n), "")
		return Text{Pos: d.pos(n)}
	}
	if isNull(n) {
		return Text{}
	}
	return Text{S: n.Value, Pos: d.pos(n)}
}

// texts reads a list of strings, or one string where single allows it.
func (d *decoder) texts(n *yaml.Node, what string, single bool) []Text {
	n = d.follow(n)
	if single && n.Kind == yaml.ScalarNode && !isNull(n) {
		return []Text{d.text(n, what)}
	}
	var ts []Text
	d.each(n, what, func(item *yaml.Node) { ts = append(ts, d.text(item, "an item of "+what)) })
	return ts
}

func (d *decoder) strings(n *yaml.Node, what string) []string {
	var ss []string
	d.each(n, what, func(item *yaml.Node) { ss = append(ss, d.text(item, "an item of "+what).S) })
	return ss
}

// bool reads a boolean; `yes`, `no`, `on` and `off` are booleans here.
func (d *decoder) bool(n *yaml.Node, what string) bool {
	n = d.follow(n)
	if n.Kind == yaml.ScalarNode {
		if n.ShortTag() == "!!bool" {
			return n.Value[0] == 't' || n.Value[0] == 'T'
		}
		switch n.Value {
		case "y", "Y", "yes", "on":
			return true
		case "n", "N", "no", "off":
			return false
		}
		if isNull(n) {
			return false
		}
	}
	d.problem(n, what+" must be true or false, not "+kindOf(n), "")
	return false
}

func (d *decoder) tristate(n *yaml.Node, what string) Tristate {
	if isNull(d.follow(n)) {
		return Unset
	}
	if d.bool(n, what) {
		return True
	}
	return False
}

// duration reads a Go duration.
func (d *decoder) duration(n *yaml.Node, what string, positive bool) time.Duration {
	n = d.follow(n)
	if isNull(n) {
		return 0
	}
	v, err := time.ParseDuration(n.Value)
	if n.Kind != yaml.ScalarNode || err != nil {
		d.problem(n, fmt.Sprintf("%s must be a duration, not %s", what, kindOf(n)), "write it like 500ms, 10s or 1m30s")
		return 0
	}
	if positive && v <= 0 {
		d.problem(n, what+" must be longer than 0", "leave it out for no limit")
		return 0
	}
	return v
}

// value reads any YAML value: nil, string, bool, int, float64, []any or
// map[string]any. A date is a string.
func (d *decoder) value(n *yaml.Node) any { return d.nested(n, 0) }

const maxNesting = 1000

func (d *decoder) nested(n *yaml.Node, depth int) any {
	n = d.follow(n)
	if d.exhausted(n) {
		return nil
	}
	if depth > maxNesting {
		d.problem(n, "values are nested too deep", "")
		d.visited = 1 << 62
		return nil
	}
	switch n.Kind {
	case yaml.SequenceNode:
		list := make([]any, 0, len(n.Content))
		for _, item := range n.Content {
			list = append(list, d.nested(item, depth+1))
		}
		return list
	case yaml.MappingNode:
		m := make(map[string]any, len(n.Content)/2)
		d.pairs(n, func(k, v *yaml.Node) { m[d.follow(k).Value] = d.nested(v, depth+1) })
		return m
	}
	return d.scalar(n)
}

func (d *decoder) scalar(n *yaml.Node) any {
	switch n.ShortTag() {
	case "!!null":
		return nil
	case "!!str", "!!timestamp":
		return n.Value
	}
	var v any
	if err := n.Decode(&v); err != nil {
		d.problem(n, strings.TrimPrefix(err.Error(), "yaml: "), "")
		return nil
	}
	switch v := v.(type) {
	case []byte:
		return string(v)
	case time.Time:
		return n.Value
	}
	return v
}

// warnIneffective says that a key has no effect where it stands.
func (d *decoder) warnIneffective(k *yaml.Node) {
	d.warn(k, diag.UnknownKey, fmt.Sprintf("%q has no effect beside defer", k.Value), "remove it")
}

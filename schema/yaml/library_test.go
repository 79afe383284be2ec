package yaml

import (
	"fmt"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

// dump writes a node and those below it, each with all that is known of it.
func dump(b *strings.Builder, n *yaml.Node) {
	fmt.Fprintf(b, "%d:%d kind %d style %d %s %q &%s", n.Line, n.Column, kinds[n.Kind], n.Style, n.Tag, n.Value, n.Anchor)
	if n.Alias != nil {
		fmt.Fprintf(b, " *%s %d:%d", n.Alias.Anchor, n.Alias.Line, n.Alias.Column)
	}
	b.WriteByte('\n')
	for _, c := range n.Content {
		dump(b, c)
	}
}

func dumpOwn(b *strings.Builder, n *Node) {
	fmt.Fprintf(b, "%d:%d kind %d style %d %s %q &%s", n.Line, n.Column, n.Kind, n.Style, n.Tag, n.Value, n.Anchor)
	if n.Alias != nil {
		fmt.Fprintf(b, " *%s %d:%d", n.Alias.Anchor, n.Alias.Line, n.Alias.Column)
	}
	b.WriteByte('\n')
	for _, c := range n.Content {
		dumpOwn(b, c)
	}
}

// TestLibraryNodes: a node has all that the library's has, comments left aside.
func TestLibraryNodes(t *testing.T) {
	for _, src := range []string{
		"a: &x {b: 1, c: 'two', d: \"three\"}\ne: *x\nf:\n  <<: *x\n  g: !t v\n",
		"- |\n  literal\n- >\n  folded\n- [flow, ~, 1.5, 2001-01-01]\n- ? key\n  : value\n",
		"a: &a [*a, {b: *a}]\n",
		"a: &a 1\nb: &a 2\nc: *a\n",
		"text over\n lines\n",
	} {
		var doc yaml.Node
		if err := yaml.Unmarshal([]byte(src), &doc); err != nil {
			t.Fatal(err)
		}
		n, err := new(Reader).library(src, 0)
		if err != nil {
			t.Fatal(err)
		}
		var got, want strings.Builder
		dumpOwn(&got, n)
		dump(&want, doc.Content[0])
		if got.String() != want.String() {
			t.Errorf("%q:\n%s\nthe library has:\n%s", src, &got, &want)
		}
	}
}

// TestErrors: an error names its line where the library does.
func TestErrors(t *testing.T) {
	for src, want := range map[string]Error{
		"a: [b\n":       {1, "did not find expected ',' or ']'"},
		"a: b\n c: d\n": {2, "mapping values are not allowed in this context"},
		"a: *b\n":       {0, "unknown anchor 'b' referenced"},
		"a: \xff\n":     {0, "invalid leading UTF-8 octet"},
	} {
		if _, err := Parse(src); err != want {
			t.Errorf("%q: %#v, want %#v", src, err, want)
		}
		if err := Validate(src); err != want {
			t.Errorf("%q is invalid by %#v, want %#v", src, err, want)
		}
	}
}

package schema

import (
	"fmt"
	"strings"
	"testing"

	"github.com/davecgh/go-spew/spew"

	"github.com/weftrun/weft/internal/limit"
	"github.com/weftrun/weft/schema/diag"
)

// dump shows all that was read, and every problem, without pointers.
func dump(doc *document, list diag.List) string {
	c := spew.ConfigState{Indent: " ", DisablePointerAddresses: true, DisableCapacities: true, SortKeys: true}
	var b strings.Builder
	for _, d := range list.All() {
		fmt.Fprintf(&b, "%d %v\n", d.Severity, d)
	}
	return b.String() + c.Sdump(doc.Tasks, doc.Vars, doc.version, doc.Silent)
}

// inParallel reads src as a whole and in the smallest chunks. cut is false when
// it cannot be read in chunks.
func inParallel(src string) (whole, chunks string, cut bool) {
	file := &diag.File{Path: "/w/T.yml", Source: src}
	whole = dump(decodeFile(file))
	doc := &document{Workflow: Workflow{File: file}}
	d := &decoder{file: file, budget: limit.Nodes}
	if !d.readParallel(doc, 1) {
		return whole, "", false
	}
	doc.uniqueTasks()
	d.list.Sort()
	return whole, dump(doc, d.list), true
}

var parallelFiles = []struct {
	name, src string
	cut       bool
}{
	{"plain", "version: 3\ntasks:\n  a: echo\n  b:\n    cmds: [x]\n\n  c: {desc: d, depends: [a]}\nsilent: true\nvars: {A: 1}\n", true},
	{"first line", "tasks:\n  a: x\n  b: y\nversion: 3\n", true},
	{"marker", "---\nversion: 3\ntasks:\n  a: x\n  b: y\n", true},
	{"two documents", "version: 3\n---\ntasks:\n  a: x\n  b: y\n", false},
	{"second document after", "version: 3\ntasks:\n  a: x\n  b: y\n---\nfoo\n", false},
	{"block scalar", "tasks:\n  a:\n    cmd: |\n      one\n       b: two\n\n      three\n  b: |-\n    x\n  # note\n  c: >\n    folded\n    text\n", true},
	{"plain text over lines", "tasks:\n  a: one\n    two\n  b: three\n", true},
	{"quotes over lines", "tasks:\n  a: \"one\n  b: two\"\n  c: x\n", false},
	{"brackets over lines", "tasks:\n  a: {cmd: x,\n  desc: y}\n  b: x\n", false},
	{"anchor and alias", "tasks:\n  a: &x\n    cmd: x\n  b: *x\n", false},
	{"alias inside a chunk", "tasks:\n  a: {vars: {A: &x 1, B: *x}}\n  b: x\n", true},
	{"twice", "tasks:\n  a: x\n  b: y\n  a: z\n", true},
	{"complex key", "tasks:\n  ? a\n  : x\n  b: y\n", true},
	{"no colon", "tasks:\n  a: x\n  b\n  c: y\n", false},
	{"list", "tasks:\n  - a\n  - b\n", false},
	{"ragged", "tasks:\n    a: x\n  b: y\n", false},
	{"crlf", "version: 3\r\ntasks:\r\n  a: x\r\n  b: y\r\n", true},
	{"lone cr", "version: 3\r\ntasks:\n  a: x\r  b: y\n  c: z\n", false},
	{"tasks as a text before", "tasks: x\ntasks:\n  a: x\n  b: y\n", false},
	{"anchor defined again", "x: &a 1\ntasks:\n  a: {vars: {A: &a 2}}\n  b: x\nvars: {B: *a}\n", false},
	{"anchors of the file", "x: &a 1\ny: *a\ntasks:\n  a: x\n  b: y\nvars:\n  B: 'over\n    lines'\nz: yes\n", true},
	{"tasks twice", "tasks:\n  a: x\n  b: y\ntasks:\n  c: z\n  d: y\n", false},
	{"comment at the margin", "tasks:\n  a: x\n# note\n  b: y\n", true},
	{"tag after", "tasks:\n  a: x\n  b: y\n! # note\nc: x\n", false},
	{"anchor on all", "tasks:\n  &all\n  a: x\n  b: y\n", false},
	{"dedent", "tasks:\n  a: x\n  b: y\n c\n", false},
	{"tab", "tasks:\n  a: x\n\tb: y\n  c: z\n", false},
	{"text before", "foo\ntasks:\n  a: x\n  b: y\n", false},
	{"empty list", "tasks:\n  a: x\n  b: {deps: [], cmds: []}\n  c: {deps: []}\n", true},
	{"odd names", "tasks:\n  \"a: b\": x\n  'c': y\n  d e/f: z\n", true},
}

func TestParallel(t *testing.T) {
	for _, tt := range parallelFiles {
		t.Run(tt.name, func(t *testing.T) {
			whole, chunks, cut := inParallel(tt.src)
			if cut != tt.cut {
				t.Fatalf("read in chunks: %v, want %v", cut, tt.cut)
			}
			if cut && chunks != whole {
				t.Errorf("in chunks:\n%s\nas a whole:\n%s", chunks, whole)
			}
		})
	}
}

func FuzzParallel(f *testing.F) {
	for _, tt := range parallelFiles {
		f.Add(tt.src)
	}
	f.Fuzz(func(t *testing.T, src string) {
		if whole, chunks, cut := inParallel(src); cut && chunks != whole {
			t.Errorf("in chunks:\n%s\nas a whole:\n%s", chunks, whole)
		}
	})
}

package yaml

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// differs returns the first difference of two nodes, without comments.
func differs(got, want *Node) string {
	if got.Kind != want.Kind || got.Style != want.Style || got.Tag != want.Tag || got.Value != want.Value ||
		got.Line != want.Line || got.Column != want.Column || got.Anchor != want.Anchor || len(got.Content) != len(want.Content) {
		return fmt.Sprintf("%s at %d:%d, the library has %s at %d:%d",
			show(got), got.Line, got.Column, show(want), want.Line, want.Column)
	}
	for i := range got.Content {
		if d := differs(got.Content[i], want.Content[i]); d != "" {
			return d
		}
	}
	return ""
}

func show(n *Node) string {
	return fmt.Sprintf("kind %d style %d %s %q [%d]", n.Kind, n.Style, n.Tag, n.Value, len(n.Content))
}

// plainProblem returns the first difference between the reader and the library for src.
func plainProblem(src string) (problem string, read bool) {
	n := new(Reader).plain(src, 0)
	if n == nil {
		return "", false
	}
	want, err := new(Reader).library(src, 0)
	if err != nil {
		return "the library fails: " + err.Error(), true
	}
	return differs(n, want), true
}

var plainTexts = []struct {
	name, src string
	read      bool
}{
	{"maps", "version: '3'\ntasks:\n  a:\n    desc: does it\n    vars:\n      A: 1\n      B: true\n      C:\n  b: x\n", true},
	{"lists", "a:\n  - x\n  - y: 1\n    z: 2\n  -   w:\n        - v\n  -\n    u: t\n  -\nb:\n- x\n- y: 1\nc:\n- |\n  l\n", true},
	{"no value", "a:\nb:  # note\nc:\n  d:\n", true},
	{"no value at the end", "a:", true},
	{"types", "a: 1\nb: 0x1F\nc: 1.5\nd: ~\ne: null\nf: yes\ng: 2024-01-02\nh: .inf\ni: 0o17\nj: 1_000\nk: -1\n3: x\ntrue: y\n", true},
	{"colons", "a:b: c:d\ne: http://x/y?z\n'f:g': h\n", true},
	{"templates", "a: x {{.A}} [1] #no # yes\nb: '{{.A}}'\n", true},
	{"quotes", "a: 'it''s'\nb: \"say \\\"x\\\" \\\\ \\n\\t\"\nc: ''\nd: \"\"\n'e': \"f\" # note\n\"g h\": ' i '\n", true},
	{"key in quotes in a list", "a:\n  - 'b': c\n    d: e\n  - say \"a: b\"\n", true},
	{"brackets", "a: [x, 'y, z', \"w\", [1, 2], {b: c, d: [e]}, build:all, ./src/**/*.go]\nb: []\nc: {}\nd: { e: f , g: h }\n", true},
	{"literal", "a: |\n  one\n    two\n\n  three\n\nb: |-\n\n  x\n    \n# note\nc:\n  - |\n    y\n  - cmd: |-\n      z\n      \n", true},
	{"folded", "a: >\n  one\n  two\n\n  three\n    four\n\n    five\n  six\n\n\n  seven\nb: >-\n\n  x\n  y\nc:\n  - >-\n    z\n\n    {{.A}}\n    \tw\n    v\n", true},
	{"literal, tab inside", "a: |\n  if x\n  \ty\n", true},
	{"lists in two columns", "# a\na: b\n    # deep\n# b\nc:\n  # c\n  - d\n  # d\n- e: f\n", false},
	{"comments", "# a\na: b\n    # deep\n# b\nc:\n  # c\n  - d\n  # d\n# e\nf: g # h\n", true},
	{"wide", "a: \u00e4\u00f6\nb\u00fc: [x, y]\nc: {d: '\u2705', e: [\"\u00e9\", f]}\n\u00e4: \u00e4 # \u2705\n", true},
	{"marker", "# a\n---\n# b\na: b\n", true},
	{"carriage returns", "---\r\na: b\r\nc:\r\n  - |\r\n    d\r\n\r\n    e\r\n# f\r\n  - 'g' # h\r\n", true},
	{"indented", "  a: b\n  c:\n    d: e\n", true},

	{"nothing", "", false},
	{"only a comment", "# x\n", false},
	{"text", "x\n", false},
	{"list", "- a\n- b\n", false},
	{"two markers", "---\n---\na: b\n", false},
	{"marker and value", "--- a\n", false},
	{"marker, then nothing", "---\n", false},
	{"two documents", "---\na: b\n---\nc: d\n", false},
	{"end marker", "a: b\n...\n", false},
	{"directive", "%YAML 1.2\na: b\n", false},
	{"anchor", "a: &x b\n", false},
	{"alias", "a: *x\n", false},
	{"merge", "a:\n  <<: {b: c}\n", false},
	{"tag", "a: !!str b\n", false},
	{"complex key", "? a\n: b\n", false},
	{"folded and kept", "a: >+\n  b\n\n", false},
	{"kept lines", "a: |+\n  b\n\n", false},
	{"indentation given", "a: |2\n  b\n", false},
	{"literal without an end", "a: |\n  b", false},
	{"literal with a hole", "a: |\n    b\n  c\n", false},
	{"literal of nothing", "a: |\nb: c\n", false},
	{"text over lines", "a: b\n  c\n", false},
	{"text below", "a:\n  b\n", false},
	{"quotes over lines", "a: \"b\n  c\"\n", false},
	{"brackets over lines", "a: [b,\n  c]\n", false},
	{"brackets not closed", "a: [b\n", false},
	{"pair in a list", "a: [b: c]\n", false},
	{"escaped slash", "a: \"\\/\"\n", false},
	{"escape", "a: \"\\x41\"\n", false},
	{"two values", "a: b: c\n", false},
	{"list on the line", "a: - b\n", false},
	{"lists in one line", "a:\n  - - b\n", false},
	{"after quotes", "a: 'b' c\n", false},
	{"comment without blank", "a: 'b'#c\n", false},
	{"ragged", "a:\n    b: c\n  d: e\n", false},
	{"deeper", "a: b\n  c: d\n", false},
	{"blank before colon", "a : b\n", false},
	{"tab", "a:\tb\n", false},
	{"tab as indentation", "a:\n\tb: c\n", false},
	{"carriage return", "a: b\rc: d\r\n", false},
	{"control character", "a: \x01\n", false},
	{"not UTF-8", "a: \xff\n", false},
	{"next line", "a: x\u0085b: c\n", false},
	{"byte order mark", "\ufeffa: b\n", false},
	{"long key", strings.Repeat("k", 1001) + ": v\n", false},
	{"deep", strings.Repeat("[", 101) + strings.Repeat("]", 101), false},
	{"deep value", "a: " + strings.Repeat("[", 101) + strings.Repeat("]", 101), false},
}

func TestPlain(t *testing.T) {
	for _, tt := range plainTexts {
		t.Run(tt.name, func(t *testing.T) {
			problem, read := plainProblem(tt.src)
			if problem != "" {
				t.Error(problem)
			}
			if read != tt.read {
				t.Errorf("read: %v, want %v", read, tt.read)
			}
		})
	}
}

func FuzzPlain(f *testing.F) {
	for _, tt := range plainTexts {
		f.Add(tt.src)
	}
	f.Fuzz(func(t *testing.T, src string) {
		if problem, _ := plainProblem(src); problem != "" {
			t.Error(problem)
		}
	})
}

// TestPlainMutated compares the reader with the library on the examples' files with a few
// characters and lines changed.
func TestPlainMutated(t *testing.T) {
	files, err := filepath.Glob("../../examples/*/*.yml")
	if err != nil || len(files) < 10 {
		t.Fatalf("found %d files of the examples: %v", len(files), err)
	}
	var texts []string
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, string(b))
	}
	for _, tt := range plainTexts {
		texts = append(texts, tt.src)
	}
	rnd := rand.New(rand.NewPCG(1, 2))
	cases, read := 30_000, 0
	for range cases {
		src := texts[rnd.IntN(len(texts))]
		for range 1 + rnd.IntN(4) {
			src = mutate(rnd, src)
		}
		problem, ok := plainProblem(src)
		if problem != "" {
			t.Fatalf("%s\nof:\n%q", problem, src)
		}
		if ok {
			read++
		}
	}
	if read < cases/20 {
		t.Errorf("the reader gave up on all but %d of %d texts", read, cases)
	}
}

// tokens are inserted into texts: everything with a meaning in YAML.
var tokens = []string{
	" ", "  ", "\n", "\n  ", "\n    ", "\n- ", "- ", ": ", ":", "#", " #", "'", "''", "\"", "\\", "[", "]", "{", "}", ",", "|", "|\n", "|-\n", ">", ">-\n",
	"\t", "---\n", "a", "1", "~", "null", "\u00e9", "<<", "*", "&a", "!", "?", "-", "--", "...", "\r\n",
}

func mutate(rnd *rand.Rand, s string) string {
	i := rnd.IntN(len(s) + 1)
	j := min(i+rnd.IntN(4), len(s))
	token := tokens[rnd.IntN(len(tokens))]
	switch rnd.IntN(4) {
	case 0:
		return s[:i] + token + s[i:]
	case 1:
		return s[:i] + s[j:]
	case 2:
		return s[:i] + token + s[j:]
	}
	lines := strings.SplitAfter(s, "\n")
	a, b := rnd.IntN(len(lines)), rnd.IntN(len(lines))
	lines[a], lines[b] = lines[b], lines[a]
	if rnd.IntN(2) == 0 {
		lines[a] = "  " + lines[a]
	}
	return strings.Join(lines, "")
}

// TestPlainText: each character counts, at any place.
func TestPlainText(t *testing.T) {
	for n := range 18 {
		for c := range 256 {
			for at := range n {
				src := []byte(strings.Repeat("a", n))
				src[at] = byte(c)
				ok := c >= ' ' && c < 0x7f || c == '\n' || c == '\t'
				if wide, got := plainText(string(src)); got != ok || wide && ok {
					t.Fatalf("%q: %t, %t", src, wide, got)
				}
			}
		}
	}
	if wide, ok := plainText("a long text with ä in it"); !wide || !ok {
		t.Error(wide, ok)
	}
}

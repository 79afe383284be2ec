package main

import (
	"strings"
	"testing"

	"github.com/weftrun/weft/engine/plan"
)

// TestMermaidLabels: a label ends at its end, whatever it contains, and nothing in it has a meaning
// in Mermaid.
func TestMermaidLabels(t *testing.T) {
	for label, want := range map[string]string{
		"build":                            `"build"`,
		`a"] --> b["c`:                     `"a#quot;] --#gt; b[#quot;c"`,
		"`**bold**`":                       `"#96;**bold**#96;"`,
		"<img src=x onerror=alert(1)>&lt;": `"#lt;img src=x onerror=alert(1)#gt;#amp;lt;"`,
		"%%{init: {}}%%":                   `"#37;#37;{init: {}}#37;#37;"`,
		"#35;\nclick s1\r":                 `"#35;35; click s1\r"`,
	} {
		got := mermaid(&plan.Plan{Steps: []*plan.Step{{Label: label}}, Needs: [][]plan.Need{nil}})
		if want = "graph LR\n  s1[" + want + "]\n"; got != want {
			t.Errorf("%q: %q, want %q", label, got, want)
		}
	}
}

// TestDOTLabels: a label ends at its end, whatever it contains.
func TestDOTLabels(t *testing.T) {
	for label, want := range map[string]string{
		`a"; b -> c; "\`: `label="a\"; b -> c; \"\\"`,
		"x\ny\x1b\r":     `label="x\ny\\x1b\\r"`,
	} {
		if got := dot(&plan.Plan{Steps: []*plan.Step{{Label: label}}, Needs: [][]plan.Need{nil}}); !strings.Contains(got, want) {
			t.Errorf("%q: %q, want %q in it", label, got, want)
		}
	}
}

// TestGitHubError: an annotation is one line, and its text cannot end it.
func TestGitHubError(t *testing.T) {
	const want = "::error title=Task 'ns:a%3A%3Ab%2C%250A' failed::100%25%0A::warning::x\\x1b\\r\n"
	if got := githubError("Task 'ns:a::b,%0A' failed", "100%\n::warning::x\x1b\r"); got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestQuote(t *testing.T) {
	for word, want := range map[string]string{
		"build":        "build",
		"":             "''",
		"it's":         `'it'\''s'`,
		"a b":          "'a b'",
		"a\tb":         `$'a\x09b'`,
		"\x1b[2J'\\":   `$'\x1b[2J\'\\'`,
		"a\u202eb\xff": `$'a\xe2\x80\xaeb\xff'`,
	} {
		if got := quote(word); got != want {
			t.Errorf("%q: %s, want %s", word, got, want)
		}
	}
}

// TestMaskedJSON: a secret is masked in texts, and JSON stays valid, even if a number or a key
// equals it.
func TestMaskedJSON(t *testing.T) {
	mask := strings.NewReplacer("1234", "*****", "task", "*****", `q"\`, "*****").Replace
	const in = `{"task": 1234, "a": ["task 1234", "", "x\"y\\", "q\"\\"], "b": {"1234": null}}`
	const want = `{"task": 1234, "a": ["***** *****", "", "x\"y\\", "*****"], "b": {"1234": null}}`
	if got := maskedJSON(in, mask); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

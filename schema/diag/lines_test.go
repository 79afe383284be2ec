package diag

import (
	"strings"
	"testing"
)

func TestLines(t *testing.T) {
	for src, want := range map[string][]string{
		"":         {""},
		"a":        {"a"},
		"a\n":      {"a", ""},
		"a\n\nb\r": {"a", "", "b\r"},
	} {
		f := &File{Source: src}
		if f.Lines() != len(want) {
			t.Errorf("%q: %d lines, want %d", src, f.Lines(), len(want))
			continue
		}
		for i, line := range want {
			if got := f.Line(i + 1); got != line {
				t.Errorf("%q: line %d is %q, want %q", src, i+1, got, line)
			}
		}
	}
	// Once they are known, lines cost nothing: a file may have as many problems.
	f := &File{Source: strings.Repeat("line\n", 1000)}
	f.Lines()
	if n := testing.AllocsPerRun(10, func() { f.Line(500) }); n != 0 {
		t.Errorf("a line costs %v allocations", n)
	}
}

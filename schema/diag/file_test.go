package diag

import (
	"strings"
	"testing"
)

func TestLines(t *testing.T) {
	for src, want := range map[string][]string{
		"":            {""},
		"a":           {"a"},
		"a\n":         {"a", ""},
		"a\n\nb\r\nc": {"a", "", "b", "c"},
	} {
		f := &File{Source: src}
		if f.Lines() != len(want) {
			t.Errorf("%q: %d lines, want %d", src, f.Lines(), len(want))
			continue
		}
		if f.Line(0) != "" || f.Line(len(want)+1) != "" || f.Offset(len(want)+1) != len(src) {
			t.Errorf("%q has lines before the first and after the last", src)
		}
		for i, line := range want {
			if got := f.Line(i + 1); got != line {
				t.Errorf("%q: line %d is %q, want %q", src, i+1, got, line)
			}
			at := f.Offset(i + 1)
			if !strings.HasPrefix(src[at:], line) || f.At(at) != (Pos{f, int32(i + 1), 1}) || f.At(at+len(line)).Column != int32(len(line)+1) {
				t.Errorf("%q: line %d begins at %d, which is at %v", src, i+1, at, f.At(at))
			}
		}
	}
	// Later lookups are cheap: a file may have many problems.
	f := &File{Source: strings.Repeat("line\n", 1000)}
	f.Lines()
	if n := testing.AllocsPerRun(10, func() { f.Line(500) }); n != 0 {
		t.Errorf("a line costs %v allocations", n)
	}
}

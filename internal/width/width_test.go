package width

import (
	"testing"
	"unicode/utf8"

	"github.com/clipperhouse/displaywidth"
)

// TestTable compares the table with a library.
func TestTable(t *testing.T) {
	wrong := 0
	for r := rune(0); r <= utf8.MaxRune; r++ {
		if r >= 0xd800 && r < 0xe000 { // no characters
			continue
		}
		if got, want := Rune(r), displaywidth.Rune(r); got != want {
			if wrong++; wrong < 20 {
				t.Errorf("%U takes %d columns, and %d in the table", r, want, got)
			}
		}
	}
	if wrong >= 20 {
		t.Errorf("and %d more", wrong-19)
	}
}

func TestCut(t *testing.T) {
	for _, c := range []struct {
		s         string
		columns   int
		beginning string
		middle    string
	}{
		{"", 0, "", ""},
		{"abc", 0, "", ""},
		{"abc", 1, "a", "…"},
		{"abc", 2, "ab", "a…"},
		{"abc", 3, "abc", "abc"},
		{"abcdefgh", 5, "abcde", "ab…gh"},
		{"日本語", 4, "日本", "日…"},
		{"日本語", 5, "日本", "日…語"},
		{"日本語", 6, "日本語", "日本語"},
		{"e\u0301e\u0301e\u0301", 2, "e\u0301e\u0301", "e\u0301…"},
		{"☀\uFE0Fx", 1, "☀", "…"},
		{"\xff\xfe", 1, "\xff", "…"},
	} {
		if got, _ := Cut(c.s, c.columns); got != c.beginning {
			t.Errorf("Cut(%q, %d) is %q, not %q", c.s, c.columns, got, c.beginning)
		}
		if got := Middle(c.s, c.columns); got != c.middle {
			t.Errorf("Middle(%q, %d) is %q, not %q", c.s, c.columns, got, c.middle)
		}
	}
}

// FuzzCut: no part is wider than it may be.
func FuzzCut(f *testing.F) {
	f.Add("日本語 and more", 5)
	f.Add("👩\u200d👩\u200d👧 ☀\uFE0F 🇩🇪", 3)
	f.Fuzz(func(t *testing.T, s string, columns int) {
		columns = max(0, columns%300)
		front, taken := Cut(s, columns)
		if taken > columns || String(front) != taken {
			t.Errorf("Cut(%q, %d) takes %d", s, columns, taken)
		}
		if m := Middle(s, columns); String(m) > columns {
			t.Errorf("Middle(%q, %d) is %q: %d columns", s, columns, m, String(m))
		}
	})
}

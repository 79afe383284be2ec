package diag

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestPrintable(t *testing.T) {
	for _, tt := range []struct{ in, line, text string }{
		{"", "", ""},
		{"plain, \ttabs, äöü, 日本語, 🙂, é, \\n stays", "plain, \ttabs, äöü, 日本語, 🙂, é, \\n stays", ""},
		{"a\nb", `a\nb`, "a\nb"},
		{"a\r\nb\r", `a\r\nb\r`, "a\nb\\r"},
		{"\r\r\n", `\r\r\n`, "\\r\n"},
		{"\x1b[31mred\x1b[0m", `\x1b[31mred\x1b[0m`, ""},
		{"\x1b]0;title\a", `\x1b]0;title\x07`, ""},
		{"\x00\b\v\f\x7f", `\x00\x08\x0b\x0c\u007f`, ""},
		{"\u0080\u009b31m\u009f\u00a0", "\\u0080\\u009b31m\\u009f\u00a0", ""},
		{"\x9b31m \xc3( \xe2\x80", `\x9b31m \xc3( \xe2\x80`, ""},
		{"a\u202eb\u202ac\u2066d\u2069e\u200ef\u200fg\u061ch", `a\u202eb\u202ac\u2066d\u2069e\u200ef\u200fg\u061ch`, ""},
		{"\u2028\u2029", `\u2028\u2029`, ""},
		{"\ufffd", "\ufffd", ""}, // the character itself is valid
		{"\u200b\u200d\ufeff\u2065\u206a", "\u200b\u200d\ufeff\u2065\u206a", ""},
	} {
		if tt.text == "" {
			tt.text = tt.line
		}
		if got := Printable(tt.in); got != tt.line {
			t.Errorf("Printable(%q) = %q, want %q", tt.in, got, tt.line)
		}
		if got := PrintableText(tt.in); got != tt.text {
			t.Errorf("PrintableText(%q) = %q, want %q", tt.in, got, tt.text)
		}
	}
}

// TestPrintableOfOrdinaryText: text that needs no escape causes no allocation.
func TestPrintableOfOrdinaryText(t *testing.T) {
	s := strings.Repeat("go build ./... → äöü\t", 20)
	if n := testing.AllocsPerRun(100, func() { Printable(s) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzPrintable(f *testing.F) {
	f.Add("a\nb\x1b\x9b\u202e\xff\r\n")
	f.Fuzz(func(t *testing.T, s string) {
		for _, lines := range []bool{false, true} {
			got := printable(s, lines)
			if again := printable(got, lines); again != got {
				t.Errorf("%q becomes %q, and then %q", s, got, again)
			}
			if !utf8.ValidString(got) {
				t.Errorf("%q becomes %q, which is not UTF-8", s, got)
			}
			for _, r := range got {
				if r == '\n' && lines || r == '\t' {
					continue
				}
				if r < ' ' || r >= 0x7f && r <= 0x9f || r == 0x61c || r == 0x200e || r == 0x200f || r >= 0x2028 && r <= 0x202e || r >= 0x2066 && r <= 0x2069 {
					t.Errorf("%q becomes %q with %U", s, got, r)
				}
			}
		}
	})
}

func BenchmarkPrintable(b *testing.B) {
	s := strings.Repeat("go build -o dist/weft ./cmd/weft ", 3)
	b.SetBytes(int64(len(s)))
	for b.Loop() {
		Printable(s)
	}
}

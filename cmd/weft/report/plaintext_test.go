package report

import (
	"bytes"
	"testing"
)

func TestShown(t *testing.T) {
	for _, tt := range []struct{ in, plain, colored string }{
		{"plain\ttext\n", "plain\ttext\n", "plain\ttext\n"},
		{"\x1b[31mred\x1b[0m x", "red x", "\x1b[31mred\x1b[0m x\x1b[0m"},
		{"\x1b[38:2::1:2:3mx\ny", "x\ny", "\x1b[38:2::1:2:3mx\x1b[0m\ny"},
		{"10%\r50%\r100%\r\nnext\r\n", "100%\nnext\n", "100%\nnext\n"},
		{"a\x1b[2J\x1b[1;1Hb\x1b]0;title\x07c\x1b]8;;http://x\x1b\\d\x1bMe\x1b(Bf", "abcdef", "abcdef"},
		{"\x1b[>4;1mx\x1b[?25l", "x", "x"},
		{"a\x00b\x08c\x7fd\x07", "abcd", "abcd"},
		{"cut \x1b[31", "cut ", "cut "},
		{"cut \x1b", "cut ", "cut "},
		{"cut \x1b]0;x", "cut ", "cut "},
		{"\x1b[31\nx", "\nx", "\nx"},
		{"Grüße 🎈", "Grüße 🎈", "Grüße 🎈"},
		{"\u202edesrever", `\u202edesrever`, `\u202edesrever`},
	} {
		if got := string(appendShown(nil, []byte(tt.in), false)); got != tt.plain {
			t.Errorf("%q: got %q, want %q", tt.in, got, tt.plain)
		}
		if got := string(appendShown(nil, []byte(tt.in), true)); got != tt.colored {
			t.Errorf("%q in colour: got %q, want %q", tt.in, got, tt.colored)
		}
	}
}

// FuzzShown: for any output, the only control characters left are tabs and newlines, and the number
// of lines is unchanged.
func FuzzShown(f *testing.F) {
	for _, s := range []string{"a\x1b[31mb\r\n", "\x1b]0;\x1b\\", "\xff\xfe\x1b(", "\u009b31m"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, p []byte) {
		got := appendShown(nil, p, false)
		if bytes.ContainsFunc(got, func(r rune) bool { return obeyed(r) && r != '\t' && r != '\n' }) || bytes.Count(got, []byte{'\n'}) != bytes.Count(p, []byte{'\n'}) {
			t.Errorf("%q became %q", p, got)
		}
	})
}

package report

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	uv "github.com/charmbracelet/ultraviolet"
	"github.com/charmbracelet/x/vt"
)

// filtered returns the filter's result for in, written in pieces of size bytes.
func filtered(in string, height, size int) string {
	f := newFilter()
	f.height = height
	var out strings.Builder
	for len(in) > 0 {
		n := min(size, len(in))
		f.write([]byte(in[:n]))
		out.Write(f.take(false))
		in = in[n:]
	}
	f.end()
	out.Write(f.take(false))
	return out.String()
}

func TestFilter(t *testing.T) {
	for in, want := range map[string]string{
		"":                          "",
		"plain\n\nlines":            "plain\n\nlines\n",
		"a\tb\r\b\b\x1b[3Cx\n":      "a  x    b\n",
		"a\tb\r\nc\n":               "a\tb\nc\n",
		"ok  \tpackage\n":           "ok  \tpackage\n",
		"10%\r50%\r100%\n":          "100%\n",
		"100\r7\n":                  "700\n",
		"100\r7\x1b[K\n":            "7\n",
		"12345\r\x1b[2Cx\x1b[1Dy\n": "12y45\n",
		"12345\x1b[2Gx\x1b[9Gy\n":   "1x345   y\n",
		"12345\b\bx\n":              "123x5\n",
		"12345\b\b\x1b[1K\n":        "    5\n",
		"12345\x1b[2Kx\n":           "     x\n",
		"日本\rx\n":                   "x 本\n",
		"日本\r\x1b[Cx\n":             " x本\n",
		"e\u0301e\u0301\bx\n":       "e\u0301x\n",

		"\x1b[31mred\x1b[0m plain\n":      "\x1b[0;31mred\x1b[0m plain\n",
		"\x1b[31mred\nred\x1b[m\nplain\n": "\x1b[0;31mred\x1b[0m\n\x1b[0;31mred\x1b[0m\nplain\n",
		"\x1b[1;38;5;200mx\x1b[22;39my\n": "\x1b[0;1;38;5;200mx\x1b[0my\n",
		"\x1b[48;2;1;2;3mx\n":             "\x1b[0;48;2;1;2;3mx\x1b[0m\n",
		"\x1b[38:2::1:2:3mx\n":            "\x1b[0;38;2;1;2;3mx\x1b[0m\n",
		"\x1b[58;5;3;94mx\n":              "\x1b[0;94mx\x1b[0m\n",
		"\x1b[4:3mx\x1b[4:0my\n":          "\x1b[0;4mx\x1b[0my\n",
		"\x1b[31mred\rx\n":                "\x1b[0;31mxed\x1b[0m\n",
		"\x1b[01m\x1b[Kmain.c:\x1b[m\x1b[K \x1b[31m\x1b[Kerror\x1b[m\x1b[K\n": "\x1b[0;1mmain.c:\x1b[0m \x1b[0;31merror\x1b[0m\n",
		"\x1b[31mred\ttab\x1b[39m\tx\n":                                       "\x1b[0;31mred\x1b[0m\t\x1b[0;31mtab\x1b[0m\tx\n",
		"\x1b[31ma\x1b[m\u009b2J\x1b[31mb\x1b[m\n":                            "\x1b[0;31mab\x1b[0m\n",
		"\x1b[31ma\x1b[>4mb\x1b[1 mc\x1b[1Kd\x1b[m\n":                         "   \x1b[0;31md\x1b[0m\n",
		"\x1b[31ma\x1b[00m\x1b[31":                                            "\x1b[0;31ma\x1b[0m\n",

		"\x1b]8;;http://a/\x1b\\x\x1b]8;;\a y\n": "\x1b]8;;http://a/\x1b\\x\x1b]8;;\x1b\\ y\n",
		"\x1b]8;id=1;http://a/\ax\n":             "\x1b]8;id=1;http://a/\x1b\\x\x1b]8;;\x1b\\\n",
		"\x1b]8;;http://\u00e9/\ax\n":            "x\n",
		"done\a\n":                               "\adone\n",

		"\x1b[2J\x1b[H\x1b[?25lx\x1b[?1049h\x1bc\x1b7\x1b(B\n":   "x\n",
		"\x1b]0;title\ax\x1bPq#0\x1b\\y\x1b_hidden\x1b\\z\n":     "xyz\n",
		"\u009b2Jx\u009d0;title\u009cy\u0085z\n":                 "xyz\n",
		"\x1b]0;never ended\nnext\n":                             "\nnext\n",
		"\x1b]" + strings.Repeat("x", 2*longestString) + "\ny\n": "\ny\n",
		"\xff\xfe\n\xe6\x97":                                     "\uFFFD\uFFFD\n\uFFFD\n",
		"\x00\x01\x02a\x7fb\v\f\n":                               "ab\n",
		"a\x1b[3\nb\n":                                           "a\nb\n",
		"a\x1b":                                                  "a\n",

		"log\n0%\n\x1b[A50%\n\x1b[A100%\nend\n":           "log\n0%\n100%\nend\n",
		"a 0%\nb 0%\n\x1b[2A\x1b[2Ka 9%\n\x1b[2Kb 9%\n":   "a 0%\nb 0%\na 9%\nb 9%\n",
		"a 0%\nb 0%\nc 0%\n\x1b[3A\x1b[2K\ra 9%\r\x1b[3B": "a 0%\nb 0%\nc 0%\na 9%\nb 0%\nc 0%\n",
		"a\nb\n\x1b[1F\x1b[KB\n\x1b[2FA\x1b[E\x1b[E":      "a\nb\nA\nB\n",
		"a\nb\nc\n\x1b[3A\x1b[Jx\n":                       "a\nb\nc\nx\n",
		"a\nb\x1b[A!\n\nc":                                "a\na!\nb\nc\n",
		"only\n\x1b[99Ax\n":                               "only\nxnly\n",
	} {
		for _, size := range []int{1, 2, 3, 1 << 20} {
			if got := filtered(in, 24, size); got != want {
				t.Errorf("%q in pieces of %d becomes\n%q, not\n%q", in, size, got, want)
			}
		}
	}
}

// TestPlainLines compares plainLines with a look at each character.
func TestPlainLines(t *testing.T) {
	pieces := []string{"a", " ", "~", "\t", "abcdefgh", "\n", "\n", "\x1f", "\x7f", "\x1b", "\u0080", "\u009f", "\u00a0", "é", "߿", "ࠀ", "中", "\xed\x9f\xbf", "\ue000", "\uffff", "😀",
		"\x80", "\xbf", "\xc0\x80", "\xc2", "\xe0\x80\x80", "\xe4\xb8", "\xed\xa0\x80", "\xf0\x9f\x98", "\xf4\x90\x80\x80", "\xff"}
	random := rand.New(rand.NewPCG(1, 2))
	for range 20_000 {
		var b []byte
		for range random.IntN(30) {
			// Most of it is text, so that there are lines.
			b = append(b, pieces[random.IntN(len(pieces)-random.IntN(2)*26)]...)
		}
		whole, plain := 0, 0
		for plain < len(b) {
			r, size := utf8.DecodeRune(b[plain:])
			if r == utf8.RuneError && size == 1 || unicode.IsControl(r) && r != '\n' && r != '\t' {
				break
			}
			if plain += size; r == '\n' {
				whole = plain
			}
		}
		if gotWhole, gotPlain := plainLines(b); gotWhole != whole || gotPlain != plain {
			t.Errorf("%q: %d and %d bytes, want %d and %d", b, gotWhole, gotPlain, whole, plain)
		}
	}
}

// BenchmarkFilter filters lines such as those of compilers and of tests.
func BenchmarkFilter(b *testing.B) {
	for name, line := range map[string]string{
		"plain":   "ok  \texample.com/parse\t0.412s and more\n",
		"colors":  "\x1b[32mok\x1b[0m  \texample.com/parse \x1b[1;31m12\x1b[0m and more\n",
		"a bar":   "\r 50% [#####     ]\r100% [##########]\n",
		"unicode": "✓ für überall … 中文 done and more\n",
	} {
		b.Run(name, func(b *testing.B) {
			text := []byte(strings.Repeat(line, (64<<10)/len(line)))
			f := newFilter()
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				for p := text; len(p) > 0; { // a terminal has at most 4,095 bytes at a time
					n := min(len(p), 4095)
					f.write(p[:n])
					f.take(false)
					p = p[n:]
				}
			}
		})
	}
}

// TestFilterBlocks: lines scroll out of a block higher than the terminal, and a block that becomes
// too long is given up.
func TestFilterBlocks(t *testing.T) {
	var in, want strings.Builder
	in.WriteString("0\n\x1b[A")
	want.WriteString("0\n")
	for i := range 300 {
		fmt.Fprintf(&in, "%d\n", i)
		fmt.Fprintf(&want, "%d\n", i)
	}
	for _, height := range []int{0, 10, 200} {
		if got := filtered(in.String(), height, 100); got != want.String() {
			t.Errorf("with %d lines: %q", height, got)
		}
	}
	again := in.String() + "\x1b[5Aagain\n"
	if got := filtered(again, 0, 100); got != want.String()+"again\n" {
		t.Errorf("a block that was given up is opened again: %q", got[len(got)-50:])
	}
}

// TestFilterQuestions: the beginning of a line is shown when it may be a question; the rest
// follows.
func TestFilterQuestions(t *testing.T) {
	f := newFilter()
	show := func(in string, partial bool, want string) {
		t.Helper()
		f.write([]byte(in))
		if got := string(f.take(partial)); got != want {
			t.Errorf("%q shows %q, not %q", in, got, want)
		}
	}
	show("name? ", false, "")
	show("", true, "name? ")
	show("", true, "")
	show("bob", true, "bob")
	show("\nnext\n", false, "\nnext\n")
	show("\x1b[1mname?", true, "\x1b[0;1mname?\x1b[0m")
	show("\rother\n", false, "\r\x1b[K\x1b[0;1mother\x1b[0m\n")
	show("\x1b[m50%\r60%", true, "")
	show("\n", false, "60%\n")
	show("name?", true, "name?")
	f.interrupted()
	show(" bob\n", false, " bob\n")
	show("name?", true, "name?")
	f.interrupted()
	show("\n", false, "")
	show("name?", true, "name?")
	f.interrupted()
	show("\rNAME?\n", false, "NAME?\n")
	show("one\ntwo", true, "one\ntwo")
	show("\x1b[AONE\n", false, "\n")
	f.end()
	show("", false, "oneONE\ntwo\n")
}

// TestFilterLongLines: the amount held back is limited, and nothing is lost.
func TestFilterLongLines(t *testing.T) {
	in := strings.Repeat("\x1b[31mlong \x1b[m", longestLine) + "\n"
	got := filtered(in, 0, 1000)
	if plain := strings.NewReplacer("\x1b[0;31m", "", "\x1b[0m", "").Replace(got); plain != strings.Repeat("long ", longestLine)+"\n" {
		t.Errorf("%d bytes in, %d out", len(in), len(got))
	}
}

// screen returns the final contents of a terminal, scrolled lines first, without trailing blanks
// and empty lines.
func screen(in []byte, columns, lines int) string {
	e := newEmulator(columns, lines)
	e.Write(bytes.ReplaceAll(in, []byte("\n"), []byte("\r\n")))
	return shownBy(e)
}

func newEmulator(columns, lines int) *vt.Emulator {
	e := vt.NewEmulator(columns, lines)
	e.SetScrollbackSize(100_000)
	return e
}

func shownBy(e *vt.Emulator) string {
	var all []string
	line := func(cell func(x int) *uv.Cell) {
		var b strings.Builder
		for x, last := 0, 0; x < e.Width(); x++ {
			switch c := cell(x); {
			case c != nil && c.Width > 0:
				b.WriteString(c.Content)
				last = c.Width
			case last < 2: // no second column
				b.WriteByte(' ')
				last = 1
			default:
				last = 0
			}
		}
		all = append(all, strings.TrimRight(b.String(), " "))
	}
	for y := range e.ScrollbackLen() {
		line(func(x int) *uv.Cell { return e.ScrollbackCellAt(x, y) })
	}
	for y := range e.Height() {
		line(func(x int) *uv.Cell { return e.CellAt(x, y) })
	}
	return strings.TrimRight(strings.Join(all, "\n"), "\n")
}

// tokens are typical pieces of output that depend on the cursor.
var tokens = [...]string{
	"a", "bc", "def", " ", "日", "\u00e9", "e\u0301", "\t", "\r", "\b", "\n", "\x1b[K", "\x1b[1K", "\x1b[2K",
	"\x1b[C", "\x1b[3C", "\x1b[D", "\x1b[2D", "\x1b[G", "\x1b[4G", "\x1b[31m", "\x1b[1;44m", "\x1b[m", "\x1b[38;5;9m",
	"\x1b]8;;http://a\x1b\\", "\x1b]8;;\x1b\\", "\a", "\x1b[?25l", "\r\n", "\x1b[s", "\x1b]0;title\a", "\x1b(B",
}

// FuzzFilter compares the filter's output with a terminal emulator: the lines are equal, and only
// colours, links and bells remain.
func FuzzFilter(f *testing.F) {
	f.Add([]byte{0, 8, 1, 10, 4, 8, 14, 0}, uint8(3))
	f.Add([]byte{7, 9, 9, 2, 11, 20, 3, 21, 28}, uint8(1))
	f.Fuzz(func(t *testing.T, which []byte, size uint8) {
		var b strings.Builder
		for _, n := range which[:min(len(which), 60)] {
			b.WriteString(tokens[int(n)%len(tokens)])
		}
		in := b.String()
		got := filtered(in, 0, int(size)+1)
		for _, line := range strings.SplitAfter(got, "\n") {
			plain := uncoloured(line)
			if n, _ := plainLines([]byte(plain)); n != len(plain) {
				t.Errorf("%q is shown for %q", line, in)
			}
		}
		if want := screen([]byte(in), 300, 8); screen([]byte(got), 300, 8) != want {
			t.Errorf("%q becomes %q, which shows %q instead of %q", in, got, screen([]byte(got), 300, 8), want)
		}
	})
}

// uncoloured removes bells and the sequences of colours and links.
func uncoloured(text string) string {
	var b strings.Builder
	for len(text) > 0 {
		switch {
		case strings.HasPrefix(text, "\x1b[0"):
			_, text, _ = strings.Cut(text, "m")
		case strings.HasPrefix(text, "\x1b]8;"):
			_, text, _ = strings.Cut(text, "\x1b\\")
		case text[0] == '\a':
			text = text[1:]
		default:
			b.WriteByte(text[0])
			text = text[1:]
		}
	}
	return b.String()
}

package depfile

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestInputs: what compilers write, and what Ninja and Make make of it.
func TestInputs(t *testing.T) {
	for name, test := range map[string]struct {
		text string
		want []string
	}{
		"one line":           {"x.o: x.c x.h\n", []string{"x.c", "x.h"}},
		"continued":          {"x.o: x.c \\\n x.h \\\n  y.h\n", []string{"x.c", "x.h", "y.h"}},
		"continued at once":  {"x.o:x.c\\\nx.h\n", []string{"x.c", "x.h"}},
		"colon and newline":  {"x.o: \\\n x.c\n", []string{"x.c"}},
		"colon at once":      {"x.o:\\\n x.c\n", []string{"x.c"}},
		"CRLF":               {"x.o: x.c \\\r\n x.h\r\n", []string{"x.c", "x.h"}},
		"several targets":    {"x.o x.d : x.c\n", []string{"x.c"}},
		"phony":              {"x.o: x.c x.h\n\nx.h:\n", []string{"x.c", "x.h"}},
		"rules":              {"x.o: b.h a.h\ny.o: c.h b.h\n", []string{"a.h", "b.h", "c.h"}},
		"no input":           {"x.o:\n", nil},
		"no newline":         {"a.pb.cc: a.proto\\\n b.proto", []string{"a.proto", "b.proto"}}, // protoc
		"comment":            {"# x\nx.o: x.c\n# env-dep:A=b: c\n# end", []string{"x.c"}},      // rustc
		"hash in a name":     {"x.o: a#b\n", []string{"a#b"}},
		"space":              {`x.o: a\ b.c c` + "\n", []string{"a b.c", "c"}},
		"tab":                {"x.o: a\\\tb.c\n", []string{"a\tb.c"}},
		"space in a target":  {`a\ b.o: c.c` + "\n", []string{"c.c"}},
		"backslash, space":   {`x.o: a\\\ b.c` + "\n", []string{`a\ b.c`}},
		"backslashes at end": {`x.o: c:\a\\ b.c` + "\n", []string{"b.c", `c:\a\\`}},
		"two at line's end":  {"x.o: a\\\\\n b.c\n", []string{`a\`, "b.c"}},
		"dollar":             {"x.o: a$$b $c\n", []string{"$c", "a$b"}},
		"hash":               {`x.o: a\#b` + "\n", []string{"a#b"}},
		"colon escaped":      {`c\:/x.o: c\:/x.c` + "\n", []string{"c:/x.c"}},
		"Windows":            {"C:\\d\\x.o: C:\\d\\x.c d:/e/y.h \\\n ..\\z.h\r\n", []string{`..\z.h`, `C:\d\x.c`, "d:/e/y.h"}},
		"colons in names":    {"x.o: a:b.h\n\na:b.h:\n", []string{"a:b.h"}},
		"Windows, no space":  {"C:/x.o:C:/x.c\n", []string{"C:/x.c"}},
		"glob characters":    {"x.o: a*.c b[1].h {c}\n", []string{"a*.c", "b[1].h", "{c}"}},
		"not UTF-8":          {"x.o: \xff\xfe.c\n", []string{"\xff\xfe.c"}},
		"blank lines":        {"\n\n \t\nx.o: x.c\n \n", []string{"x.c"}},
	} {
		got, err := Inputs([]byte(test.text))
		if err != nil || !slices.Equal(got, test.want) {
			t.Errorf("%s: %q, %v, want %q", name, got, err, test.want)
		}
	}
}

// TestBroken: what is not complete, or no depfile, is an error that says where.
func TestBroken(t *testing.T) {
	for text, want := range map[string]string{
		"":                       "line 1: there is no rule (TARGET: INPUT…)",
		"\n# nothing\n":          "line 3: there is no rule (TARGET: INPUT…)",
		"x.o":                    "line 1: there is no rule (TARGET: INPUT…)",
		"x.o\n":                  "line 1: there is no colon after the targets",
		"a: b\nx.o x.c\n":        "line 2: there is no colon after the targets",
		"x.o:":                   "line 1: its end is missing",
		"x.o: x.c \\":            "line 1: its end is missing",
		"x.o: x.c \\\n":          "line 2: its end is missing",
		"x.o: x.c \\\n ":         "line 2: its end is missing",
		"x.o: x.c \\\n x.h\\":    "line 2: its end is missing",
		"x.o: x.c\ny.o":          "line 2: its end is missing",
		"x.o: a: b\n":            "line 1: there is a second colon in a rule",
		": a\n":                  "line 1: there is no target before the colon",
		"x.o: a \\\n b\x00c.h\n": "line 2: there is a NUL byte, so it is not text",
	} {
		got, err := Inputs([]byte(text))
		if err == nil || err.Error() != want {
			t.Errorf("%q: %q, %v, want the error %s", text, got, err, want)
		}
	}
}

// TestEveryCut: of a depfile in gcc's form that is cut off anywhere, either that is found out,
// or a name is cut off, or only the names at its end are missing, which no reader can see.
func TestEveryCut(t *testing.T) {
	const text = "x.o: a.c b\\ c.h \\\n d$$e.h\n"
	whole, err := Inputs([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	for n := range len(text) - 1 {
		got, err := Inputs([]byte(text[:n]))
		atName := n > 0 && text[n-1] != '\n' && text[n-1] != '\\' && (text[n-1] != ' ' || strings.HasSuffix(text[:n], `\ `))
		if err == nil && (!atName || len(got) > len(whole)) {
			t.Errorf("%q gives %q", text[:n], got)
		}
	}
}

// TestCompilers: names with every character that gets an escape, as real compilers write them.
func TestCompilers(t *testing.T) {
	for _, compiler := range []string{"gcc", "clang"} {
		t.Run(compiler, func(t *testing.T) {
			path, err := exec.LookPath(compiler)
			if err != nil {
				t.Skip(err)
			}
			dir := t.TempDir()
			headers := []string{"plain.h", "a b.h", "hash#.h", "dollar$x.h", "colon:x.h", `back\slash.h`, "percent%.h", "tab\t.h", "ü.h"}
			source := ""
			for _, h := range headers {
				source += "#include \"" + h + "\"\n"
				if err := os.WriteFile(filepath.Join(dir, h), nil, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if err := os.WriteFile(filepath.Join(dir, "x.c"), []byte(source), 0o644); err != nil {
				t.Fatal(err)
			}
			for _, flags := range []string{"-MMD", "-MMD -MP", "-MD", "-MD -MP -MF x.d -MT x.o -MT y$$z.o"} {
				cmd := exec.Command(path, append(strings.Fields(flags), "-c", "x.c", "-o", "x.o")...)
				cmd.Dir = dir
				if out, err := cmd.CombinedOutput(); err != nil {
					t.Fatalf("%v: %s", err, out)
				}
				text, err := os.ReadFile(filepath.Join(dir, "x.d"))
				if err != nil {
					t.Fatal(err)
				}
				got, err := Inputs(text)
				if err != nil {
					t.Fatalf("%s: %v in\n%s", flags, err, text)
				}
				for _, want := range append(headers, "x.c") {
					if !slices.Contains(got, want) {
						t.Errorf("%s: %q is missing in %q, which is made of\n%s", flags, want, got, text)
					}
				}
				for _, name := range got {
					if _, err := os.Stat(join(dir, name)); err != nil {
						t.Errorf("%s: %v; the file is\n%s", flags, err, text)
					}
				}
			}
		})
	}
}

func join(dir, name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(dir, name)
}

// FuzzInputs: every text gives names or an error with a line of it; what is written as gcc
// would write those names gives them again.
func FuzzInputs(f *testing.F) {
	for _, seed := range []string{"x.o: x.c \\\r\n x.h\n", `a\ b: c\#d e$$f \\\ g c:\h`, "a:\n", "x: \\\n", "#\n", "a : b\\:c :d\n"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		names, err := Inputs(text)
		if err != nil {
			var at *Error
			if names != nil || !errors.As(err, &at) || at.Line < 1 || at.Line > 1+strings.Count(string(text), "\n") {
				t.Fatalf("%q: %v", names, err)
			}
			return
		}
		var b strings.Builder
		b.WriteString("x:")
		for _, n := range names {
			if n == "" {
				t.Fatalf("an empty name in %q", names)
			}
			if !regular(n) {
				return // make has no way to write it
			}
			b.WriteString(" \\\n  " + escaped(n))
		}
		again, err := Inputs([]byte(b.String() + "\n"))
		if err != nil || !slices.Equal(again, names) {
			t.Fatalf("%q was %q, %v", names, again, err)
		}
	})
}

// regular reports whether a name can be written so that every reader takes it as it is.
func regular(name string) bool {
	return !strings.ContainsAny(name, "\\\r:#")
}

// escaped writes a name as gcc does.
func escaped(name string) string {
	return strings.NewReplacer(" ", `\ `, "\t", "\\\t", "$", "$$").Replace(name)
}

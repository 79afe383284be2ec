package yaml

import "testing"

// TestErrors: an error names its line where the library does.
func TestErrors(t *testing.T) {
	for src, want := range map[string]Error{
		"a: [b\n":       {1, "did not find expected ',' or ']'"},
		"a: b\n c: d\n": {2, "mapping values are not allowed in this context"},
		"a: *b\n":       {0, "unknown anchor 'b' referenced"},
		"a: \xff\n":     {0, "invalid leading UTF-8 octet"},
	} {
		if _, err := Parse(src); err != want {
			t.Errorf("%q: %#v, want %#v", src, err, want)
		}
		if err := Validate(src); err != want {
			t.Errorf("%q is invalid by %#v, want %#v", src, err, want)
		}
	}
}

// TestTypeOf: the type of a text is the one that the library finds.
func TestTypeOf(t *testing.T) {
	words := []string{
		"true", "True", "TRUE", "tRUE", "truer", "false", "False", "FALSE", "fALSE", "null", "Null", "NULL", "nULL", "nulls", "~", "~a",
		"y", "Y", "yes", "Yes", "n", "N", "no", "on", "On", "off", "OFF", "t", "f", "inf", "nan", "Infinity", "NaN", "0x", "e1", "x1F", "o17",
		"0", "1", "-1", "+1", "1_0", "0x1F", "0b1", "0o17", "017", "1e3", "1.5", ".5", "-.5", ".inf", "-.INF", "+.inf", ".nan", ".NaN", "./a", ".", "..", "../x",
		"2024-01-02", "2024-01-02T03:04:05Z", "1:30", "=", "/a", "$A", "(x)", "\\x", "_", "^", "\u00e9", ";",
	}
	for c := range byte(0x7f) {
		if c > ' ' {
			words = append(words, string(rune(c)), string(rune(c))+"1", string(rune(c))+".5")
		}
	}
	for _, w := range words {
		if got, want := typeOf(w), libraryType(w); got != want {
			t.Errorf("typeOf(%q) = %s, the library has %s", w, got, want)
		}
	}
}

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

package vars

import (
	"fmt"
	"maps"
	"strings"
	"testing"
)

// TestParseDotenv: an error gives the number of the line, and quotes nothing from the file.
func TestParseDotenv(t *testing.T) {
	const form = "a line must have the form NAME=value"
	const name = form + `; a name consists of letters, digits, "_" and "."`
	const open = "the quote that begins here is not closed"
	for _, tt := range []struct{ src, want string }{
		{"A=1\nB=2\n", "map[A:1 B:2]"},
		{"\ufeffA=1\n", "map[A:1]"},
		{"A=1\nhunter2", "map[A:1]"}, // a word alone at the end means nothing
		{"A=\"two\nlines\"\nB=1\n", "map[A:two\nlines B:1]"},
		{"A=1\nB C D\nTOKEN=hunter2\n", ".env:2: " + form},
		{"A=1\r\nB C D\r\nTOKEN=hunter2\r\n", ".env:2: " + form},
		{"\ufeff\n\n# x\nhunter2\nA=1\n", ".env:4: " + form},
		{"A-hunter2=1\nB=2\n", ".env:1: " + name},
		{"A='x\ny'\n\nB!=hunter2", ".env:4: " + name},
		{"A=1\nB\xff\x00hunter2=1\n", ".env:2: " + name},
		{"A=\"hunter2\n", ".env:1: " + open},
		{"A=\"x\"\nB=\"hunter2\nC=1\n", ".env:2: " + open},
		{"A='hunter2\\'\nB='hunter2\nC=1\n", ".env:2: " + form}, // the quote ends before the second hunter2
		{"A=\"it\\\"hunter2\nC=1", ".env:1: " + open},
		{"A=1\nexport ", ".env:2: " + form},
	} {
		values, err := parseDotenv([]byte(tt.src), ".env")
		got := fmt.Sprint(maps.Clone(values))
		if err != nil {
			got = err.Error()
		}
		if got != tt.want {
			t.Errorf("%q: got %s, want %s", tt.src, got, tt.want)
		}
		if err != nil && strings.Contains(got, "hunter2") {
			t.Errorf("%q: told a value: %s", tt.src, got)
		}
	}
}

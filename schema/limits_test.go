package schema_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/weftrun/weft/schema"
)

// TestLimits loads files that are just small enough, and those that are not.
func TestLimits(t *testing.T) {
	const head, tail = "version: '3'\nx-a:", "\ntasks: {a: ':'}\n"
	pad := func(n int) string { return "version: '3'\ntasks: {a: ':'}\n#" + strings.Repeat("x", n) }
	for _, c := range []struct{ name, text, want string }{
		{"values in brackets", head + " [" + strings.Repeat("1,", 1_499_999) + "1]" + tail, ""},
		{"too many in brackets", head + " [" + strings.Repeat("1,", 2_000_000) + "]" + tail, "2,000,000 YAML values"},
		{"too many in lines", head + strings.Repeat("\n- a", 2_000_000) + tail, "2,000,000 YAML values"},
		{"too many for the library", head + " [\n" + strings.Repeat("[],\n", 3_000_000) + "]" + tail, "more than"},
		{"too many tasks", "version: '3'\ntasks:\n" + strings.Repeat("  a: [b, c, d]\n", 500_000), "2,000,000 YAML values"},
		{"aliases", "version: '3'\nvars:\n  A: &a [1, 2, 3, 4]\n  B: [" + strings.Repeat("*a, ", 500_000) + "]\n" + tail[1:], "expand to too many"},
		{"size", pad(16<<20 - 100), ""},
		{"too large", pad(16 << 20), "more than 16 MiB"},
		{"empty lines", "a: '" + strings.Repeat("\n", 8_000_000), "Taskfile.yml:1:4: not valid YAML"},
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "Taskfile.yml"), []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, list := schema.Load(t.Context(), schema.LoadOptions{Dir: dir})
		err := list.Err()
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "Taskfile.yml:")) {
			t.Errorf("%s: %.300v, want %q", c.name, err, c.want)
		}
	}
}

// endless is standard input without end.
type endless struct{}

func (endless) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = '#'
	}
	return len(b), nil
}

// TestEndlessInput reads a Taskfile from an input that does not end.
func TestEndlessInput(t *testing.T) {
	_, list := schema.Load(t.Context(), schema.LoadOptions{Dir: t.TempDir(), Entrypoint: "-", Stdin: endless{}})
	if err := list.Err(); err == nil || !strings.Contains(err.Error(), "more than 16 MiB") {
		t.Errorf("%v", err)
	}
}

// TestChainOfIncludes includes files one inside the other.
func TestChainOfIncludes(t *testing.T) {
	const long = 1_100
	dir := t.TempDir()
	for i := range long {
		text := "version: '3'\ntasks: {a: ':'}\n"
		if i < long-1 {
			text += fmt.Sprintf("includes: {n: ./%d.yml}\n", i+1)
		}
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprint(i)+".yml"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for from, want := range map[int]string{long - 1_001: "", 0: "more than 1,000 files", 50: "more than 1,000 files"} {
		_, list := schema.Load(t.Context(), schema.LoadOptions{Entrypoint: filepath.Join(dir, fmt.Sprint(from)+".yml")})
		err := list.Err()
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("from %d: %v, want %q", from, err, want)
		}
	}
}

// TestManyProblems: only a limited number of problems is kept, and always the first error.
func TestManyProblems(t *testing.T) {
	dir := t.TempDir()
	text := "version: '3'\n" + strings.Repeat("unknown: 1\n", 1)
	for i := range 50_000 {
		text += fmt.Sprintf("u%d: 1\n", i)
	}
	text += "tasks: {a: {cmds: 5}}\n"
	if err := os.WriteFile(filepath.Join(dir, "Taskfile.yml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	_, list := schema.Load(t.Context(), schema.LoadOptions{Dir: dir})
	if n := len(list.All()); n < 10_000 || n > 10_001 {
		t.Errorf("%d problems are kept", n)
	}
	if err := list.Err(); err == nil || !strings.Contains(err.Error(), "cmds") {
		t.Errorf("the error is lost: %.200v", err)
	}
}

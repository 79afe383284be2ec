package glob

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestContents: files of every size around that of the buffer are read whole, with long paths too.
func TestContents(t *testing.T) {
	root := t.TempDir()
	deep := filepath.Join(root, strings.Repeat("d", 200), strings.Repeat("e", 200), strings.Repeat("f", 200))
	if err := os.MkdirAll(deep, 0o755); err != nil {
		t.Fatal(err)
	}
	n := len(buffer{})
	want := map[string]Digest{}
	for i, size := range []int{0, 1, n - 1, n, n + 1, 2 * n, 2*n + 1, 2*largeFile + 1} {
		for _, dir := range []string{root, deep} {
			text := bytes.Repeat([]byte{byte(i + 1)}, size)
			name := filepath.Join(dir, fmt.Sprint("f", i))
			if err := os.WriteFile(name, text, 0o644); err != nil {
				t.Fatal(err)
			}
			want[filepath.ToSlash(name)] = sha256.Sum256(text)
		}
	}
	got, err := NewTree(nil).Digests(t.Context(), filepath.ToSlash(root), patterns("**/*"), false)
	if err != nil || len(got) != len(want) {
		t.Fatalf("%d of %d files, %v", len(got), len(want), err)
	}
	for name, d := range want {
		if got[name] != d {
			t.Errorf("%s: %v, not %v", name, got[name], d)
		}
	}
}

// BenchmarkReadLarge is the first reading of four files of 32 MiB.
func BenchmarkReadLarge(b *testing.B) {
	root := b.TempDir()
	text := make([]byte, 32<<20)
	for i := range 4 {
		if err := os.WriteFile(filepath.Join(root, fmt.Sprint("f", i)), text, 0o644); err != nil {
			b.Fatal(err)
		}
	}
	b.SetBytes(4 * int64(len(text)))
	for b.Loop() {
		if got, err := NewTree(nil).Digests(b.Context(), filepath.ToSlash(root), patterns("*"), false); err != nil || len(got) != 4 {
			b.Fatal(len(got), err)
		}
	}
}

// BenchmarkRead is the first reading of 1,000 small files.
func BenchmarkRead(b *testing.B) {
	root := b.TempDir()
	for i := range 1000 {
		if err := os.WriteFile(filepath.Join(root, fmt.Sprint("f", i)), []byte("text"), 0o644); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		if got, err := NewTree(nil).Digests(b.Context(), filepath.ToSlash(root), patterns("*"), false); err != nil || len(got) != 1000 {
			b.Fatal(len(got), err)
		}
	}
}

package schema

import (
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestPublished: the program has the schemas of this directory. With -update it writes them
// into the file that becomes part of it.
func TestPublished(t *testing.T) {
	files, err := filepath.Glob("*.schema.json")
	if err != nil || len(files) < 10 {
		t.Fatal(err, files)
	}
	var all bytes.Buffer
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all.WriteString(strings.TrimSuffix(file, ".schema.json") + "\n")
		all.Write(text)
		all.WriteByte(0)
	}
	if *update {
		var packed bytes.Buffer
		z, _ := gzip.NewWriterLevel(&packed, gzip.BestCompression)
		z.Write(all.Bytes())
		z.Close()
		if err := os.WriteFile("published.gz", packed.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		published = packed.Bytes()
	}
	z, err := gzip.NewReader(bytes.NewReader(published))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(z); err != nil || !bytes.Equal(got, all.Bytes()) {
		t.Errorf("published.gz is not made from the schemas that are here; run: go test ./schema -run TestPublished -update")
	}
	want, _ := os.ReadFile("events.schema.json")
	if got, ok, names := Published("events"); !ok || got != string(want) || len(names) != len(files) {
		t.Errorf("events: %v, %d bytes, want %d; %q", ok, len(got), len(want), names)
	}
	if _, ok, _ := Published("odd"); ok {
		t.Error("there is one that is called odd")
	}
}

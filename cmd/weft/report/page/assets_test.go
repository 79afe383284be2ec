package page

import (
	"bytes"
	"compress/gzip"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write assets.gz, and take the picture of the documentation again")

// scriptOrder lists the scripts before main.js; each may refer to those before it.
var scriptOrder = strings.Fields("core data state list table lanes canvas timeline place graph ansi logs logview detail")

// TestAssets: assets.gz is built from the files of this directory. With -update it is rebuilt.
func TestAssets(t *testing.T) {
	read := func(name string) string {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	var scripts string
	files := []string{"main.js"}
	for _, name := range scriptOrder {
		files = append(files, name+".js")
		scripts += compact(read(name + ".js"))
	}
	slices.Sort(files)
	if all, err := filepath.Glob("*.js"); err != nil || !slices.Equal(all, files) {
		t.Errorf("the scripts here are %q, those of the page %q; %v", all, files, err)
	}
	want := assets{read("page.html"), read("page.css"), scripts, compact(read("main.js"))}
	if *update {
		var b bytes.Buffer
		z, _ := gzip.NewWriterLevel(&b, gzip.BestCompression)
		for _, text := range [...]string{want.template, want.style, want.scripts, want.main} {
			z.Write([]byte(text + "\x00"))
		}
		z.Close()
		if err := os.WriteFile("assets.gz", b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		packed = b.Bytes()
	}
	if got, err := unpack(packed); err != nil || got != want {
		t.Errorf("assets.gz is not made from the files that are here; run: go test ./cmd/weft/report/page -run TestAssets -update; %v", err)
	}
}

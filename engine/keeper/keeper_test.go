package keeper

import (
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestImports: KEEPER is the initialisation of this package. Its imports are initialised before it
// in every KEEPER, and must neither start processes nor wait for them.
func TestImports(t *testing.T) {
	checkImports(t, ".", "runtime", "syscall", "unsafe", "sync/atomic", "github.com/weftrun/weft/internal/procstat")
	checkImports(t, "../../internal/procstat")
}

func checkImports(t *testing.T, dir string, allowed ...string) {
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range f.Imports {
			if path, _ := strconv.Unquote(i.Path.Value); !slices.Contains(allowed, path) {
				t.Errorf("%s imports %s", name, path)
			}
		}
	}
}

package plan

import (
	"fmt"
	"strings"
	"testing"

	"github.com/weftrun/weft/schema/diag"
)

// BenchmarkMayUseRuntimeValues searches a file of 10,000 tasks that names no outputs.
func BenchmarkMayUseRuntimeValues(b *testing.B) {
	var src strings.Builder
	for i := range 10_000 {
		fmt.Fprintf(&src, "  t%d:\n    desc: 'prints line %d'\n    cmds:\n      - 'echo line-t%d'\n", i, i, i)
	}
	f := &diag.File{Source: src.String()}
	b.SetBytes(int64(src.Len()))
	for b.Loop() {
		if mayUseRuntimeValues(f) {
			b.Fatal("it names none")
		}
	}
}

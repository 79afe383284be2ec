package yaml

import (
	"bytes"
	"fmt"
	"testing"
)

// BenchmarkParse reads a file of 10,000 tasks, and by the library alone.
func BenchmarkParse(b *testing.B) {
	var src bytes.Buffer
	src.WriteString("version: '3'\n\ntasks:\n")
	for i := range 10_000 {
		fmt.Fprintf(&src, "  task-%d:\n    desc: does the thing of number %d\n    cmds:\n      - echo %d >> out.txt\n", i, i, i)
	}
	for name, parse := range map[string]func(string) (*Node, error){"plain": Parse, "library": func(src string) (*Node, error) { return new(Reader).library(src, 0) }} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(src.Len()))
			for b.Loop() {
				if n, err := parse(src.String()); n == nil || err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

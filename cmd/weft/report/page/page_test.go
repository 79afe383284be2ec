package page

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/weftrun/weft/cmd/weft/report"
)

var keep = flag.String("pages", "", "directory in which the pages of the tests are kept, to be looked at")

// write returns the page of a run.
func write(t testing.TB, name string, o Options, run report.Finished) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := Write(&b, o, run); err != nil {
		t.Fatal(err)
	}
	if *keep != "" {
		if err := os.WriteFile(filepath.Join(*keep, name+".html"), b.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return b.Bytes()
}

func BenchmarkWrite(b *testing.B) {
	for _, n := range []int{10_000, 100_000} {
		run := largeRun(n)
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			b.ReportAllocs()
			var size counter
			for b.Loop() {
				size = 0
				if err := Write(&size, Options{}, run); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(size), "bytes/page")
		})
	}
}

type counter int

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}

//go:build unix

package shell

import (
	"os"
	"testing"

	"github.com/weftrun/weft/internal/probe"
)

func BenchmarkColon(b *testing.B)       { benchmark(b, ":") }
func BenchmarkEcho(b *testing.B)        { benchmark(b, "echo x") }
func BenchmarkBuiltin(b *testing.B)     { benchmark(b, "echo x >/dev/null") }
func BenchmarkDirect(b *testing.B)      { benchmark(b, probe.TrueProgram()) }
func BenchmarkLookup(b *testing.B)      { benchmark(b, "sleep 0") }
func BenchmarkInterpreted(b *testing.B) { benchmark(b, "/bin/true && :") }
func BenchmarkPipeline(b *testing.B)    { benchmark(b, "/bin/true | /bin/true") }

func benchmark(b *testing.B, text string) {
	r := newRig(b)
	r.env = os.Environ()
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		b.Fatal(err)
	}
	defer null.Close()
	sc := Script{Text: text, Dir: r.dir, Env: r.env, Stdout: null, Stderr: null, Group: r.g}
	b.ReportAllocs()
	for b.Loop() {
		if err := r.s.Run(b.Context(), &sc); err != nil {
			b.Fatal(err)
		}
	}
}

//go:build unix

package shell

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

func BenchmarkColon(b *testing.B)       { benchmark(b, ":") }
func BenchmarkEcho(b *testing.B)        { benchmark(b, "echo x") }
func BenchmarkBuiltin(b *testing.B)     { benchmark(b, "echo x >/dev/null") }
func BenchmarkDirect(b *testing.B)      { benchmark(b, trueProgram()) }
func BenchmarkLookup(b *testing.B)      { benchmark(b, "sleep 0") }
func BenchmarkInterpreted(b *testing.B) { benchmark(b, "/bin/true && :") }

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

// trueProgram builds the smallest program there is, or returns /bin/true.
func trueProgram() string {
	dir, err := os.MkdirTemp("", "shell")
	if err != nil {
		return "/bin/true"
	}
	src, bin := filepath.Join(dir, "t.c"), filepath.Join(dir, "true")
	os.WriteFile(src, []byte("#include <unistd.h>\nint main(){_exit(0);}\n"), 0o644)
	if exec.Command("cc", "-O2", "-static", "-o", bin, src).Run() != nil {
		return "/bin/true"
	}
	return bin
}

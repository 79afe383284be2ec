//go:build unix

package shell

import (
	"bufio"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/weftrun/weft/engine/proc"
)

// rig is a shell with a group, as a step has them.
type rig struct {
	t     testing.TB
	s     *Shell
	table *proc.Table
	g     *proc.Group
	dir   string
	env   []string
}

func newRig(t testing.TB) *rig {
	dir := t.TempDir()
	table := proc.NewTable(proc.Options{})
	t.Cleanup(func() { table.Close(false) })
	r := &rig{t: t, s: New(Options{}), table: table, g: table.NewGroup(proc.GroupOptions{Name: "t"}), dir: dir}
	r.env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "A=from env"}
	t.Cleanup(func() { r.g.Kill(errors.New("test over")); r.g.Close() })
	return r
}

// outcome is the result of a script.
type outcome struct {
	out, err string
	fail     error
}

// start runs a script; its output can be read while it runs.
func (r *rig) start(sc *Script) (out *bufio.Reader, done <-chan outcome) {
	r.t.Helper()
	or, ow, err := os.Pipe()
	if err != nil {
		r.t.Fatal(err)
	}
	er, ew, err := os.Pipe()
	if err != nil {
		r.t.Fatal(err)
	}
	sc.Stdout, sc.Stderr = ow, ew
	if sc.Dir == "" {
		sc.Dir = r.dir
	}
	if sc.Env == nil {
		sc.Env = r.env
	}
	if sc.Group == nil {
		sc.Group = r.g
	}
	c := make(chan outcome, 1)
	errText := make(chan string, 1)
	go func() {
		b, _ := io.ReadAll(er)
		er.Close()
		errText <- string(b)
	}()
	go func() {
		fail := r.s.Run(r.t.Context(), sc)
		ow.Close()
		ew.Close()
		c <- outcome{err: <-errText, fail: fail}
	}()
	r.t.Cleanup(func() { or.Close() })
	return bufio.NewReader(or), c
}

// run runs a script to its end.
func (r *rig) run(sc *Script) outcome {
	r.t.Helper()
	out, done := r.start(sc)
	b, _ := io.ReadAll(out)
	select {
	case o := <-done:
		o.out = string(b)
		return o
	case <-time.After(20 * time.Second):
		r.t.Fatalf("%q does not end", sc.Text)
		panic("unreachable")
	}
}

func (r *rig) line(out *bufio.Reader) string {
	r.t.Helper()
	s, err := out.ReadString('\n')
	if err != nil {
		r.t.Fatal(err)
	}
	return strings.TrimSuffix(s, "\n")
}

func (r *rig) write(name, text string, mode os.FileMode) {
	r.t.Helper()
	if err := os.WriteFile(filepath.Join(r.dir, name), []byte(text), mode); err != nil {
		r.t.Fatal(err)
	}
}

func code(err error) int {
	var exit *ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		return exit.Code
	}
	return -1
}

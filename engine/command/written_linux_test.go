package command

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/engine/executor"
)

// TestWrittenBy reads what the kernel says of a program that has written to a pipe.
func TestWrittenBy(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	cmd := exec.Command("sh", "-c", "printf %05000d 0; read x")
	cmd.Stdout = w
	in, err := cmd.StdinPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	info, _ := w.Stat()
	w.Close()
	if _, err := io.ReadFull(r, make([]byte, 5000)); err != nil {
		t.Fatal(err)
	}
	name := pipeName(info)
	if n, writes := writtenBy(cmd.Process.Pid, name); !writes || n != 5000 {
		t.Errorf("%d bytes were written, and it writes there: %t", n, writes)
	}
	if _, writes := writtenBy(os.Getpid(), name); writes {
		t.Error("this process writes there")
	}
	in.Close()
	cmd.Wait()
	if _, writes := writtenBy(cmd.Process.Pid, name); writes {
		t.Error("a process that has ended writes there")
	}
}

// TestWritten: the bytes added to a file are counted, but not those to anything that is neither a
// file nor a pipe.
func TestWritten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out")
	if err := os.WriteFile(path, []byte("before"), 0o666); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	s := &step{Bound: &executor.Bound{ID: 7}, Local: &Local{}}
	var none *DirectOutput
	if none.add(s, f) != nil {
		t.Error("nil registers something")
	}
	none.remove(nil)
	w := new(DirectOutput)
	if w.add(s, null) != nil || w.add(s, nil) != nil {
		t.Error("the null device is registered")
	}
	out := w.add(s, f)
	f.WriteString("12345")
	read := func() (steps int, bytes int64) {
		w.Each(func(step event.StepID, n int64) {
			if steps, bytes = steps+1, n; step != 7 {
				t.Errorf("step %d", step)
			}
		})
		return steps, bytes
	}
	if steps, n := read(); steps != 1 || n != 5 {
		t.Errorf("%d steps have written %d bytes", steps, n)
	}
	w.remove(out)
	if steps, _ := read(); steps != 0 {
		t.Error("a command that has ended is asked")
	}
}

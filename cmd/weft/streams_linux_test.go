package main

import (
	"bufio"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/weftrun/weft/internal/probe"
)

// streamed is a weft process that runs tasks whose commands are probes.
func streamed(t *testing.T, tasks, name string) (*probe.Kit, *exec.Cmd) {
	t.Helper()
	kit := probe.New(t)
	cmd := exec.Command("weft", name)
	cmd.Dir = project(t, map[string]string{"Taskfile.yml": tasks})
	cmd.Env = append(os.Environ(), kit.Env())
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(out.String())
		}
	})
	return kit, cmd
}

// amount returns a number of bytes: the value of an environment variable, which long tests set, or
// else a default.
func amount(variable string, otherwise int64) int64 {
	if n, err := strconv.ParseInt(os.Getenv(variable), 10, 64); err == nil {
		return n
	}
	return otherwise
}

const streamTasks = `tasks:
  w: {run: once, cmd: probe W hold}
  direct: {cmd: probe R hold, stdin: {from: w}}
  tapped-w: {cmd: probe W hold, stdout: [{file: copy.bin}, capture]}
  tapped: {cmd: probe R hold, stdin: {from: tapped-w}}
  kept-w: {cmd: probe W hold, stdout: [{file: copy.bin}]}
  kept: {cmd: probe R hold, stdin: {from: kept-w}}
  r1: {cmd: probe R hold, stdin: {from: w}}
  r2: {cmd: probe R hold, stdin: {from: w}}
  r3: {cmd: probe R hold, stdin: {from: w}}
  fan: {deps: [r1, r2, r3]}
  pipe: {cmds: [{pipe: [probe W hold, {tee: [probe R hold, probe R hold]}]}]}
  merged: {cmds: [{pipe: [{merge: [probe W hold], mode: raw}, probe R hold]}]}
`

// TestBytes: on every path from a writer to a reader, the bytes read equal those written. WEFT_BYTES
// is the largest number of bytes; the default is 64 MiB.
func TestBytes(t *testing.T) {
	t.Parallel()
	largest := amount("WEFT_BYTES", 64<<20)
	readers := map[string]int{"direct": 1, "tapped": 1, "kept": 1, "fan": 3, "pipe": 2, "merged": 1}
	for name, readers := range readers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, n := range []int64{0, 1, 64<<10 - 1, 64 << 10, 64<<10 + 1, largest} {
				if name == "tapped" {
					n = min(n, 16<<20) // captured output is limited
				}
				kit, cmd := streamed(t, streamTasks, name)
				roles := []string{"W", "R", "R", "R"}[:1+readers]
				probes := kit.Accept(roles...)
				probes[0].Send(fmt.Sprintf("write:%d", n))
				for _, r := range probes[1:] {
					r.Send("read")
				}
				if got := probes[0].Answer(); got != strconv.FormatInt(n, 10) {
					t.Errorf("%d bytes: wrote %s", n, got)
				}
				probes[0].Send("exit:0")
				h := sha256.New()
				io.Copy(h, probe.Bytes(n))
				want := fmt.Sprintf("%d %x", n, h.Sum(nil))
				for _, r := range probes[1:] {
					if got := r.Answer(); got != want {
						t.Errorf("%d bytes: read %s, want %s", n, got, want)
					}
					r.Send("exit:0")
				}
				if err := cmd.Wait(); err != nil {
					t.Errorf("%d bytes: %v", n, err)
				}
				if name == "tapped" || name == "kept" {
					f, err := os.Open(filepath.Join(cmd.Dir, "copy.bin"))
					if err != nil {
						t.Fatal(err)
					}
					h.Reset()
					size, _ := io.Copy(h, f)
					f.Close()
					if got := fmt.Sprintf("%d %x", size, h.Sum(nil)); got != want {
						t.Errorf("%d bytes: the file has %s, want %s", n, got, want)
					}
				}
			}
		})
	}
}

// TestBackpressure: a reader that does not read blocks the writer, and weft does not buffer the
// output.
func TestBackpressure(t *testing.T) {
	t.Parallel()
	for name, readers := range map[string]int{"direct": 1, "kept": 1, "fan": 3, "pipe": 2} {
		kit, cmd := streamed(t, streamTasks, name)
		probes := kit.Accept([]string{"W", "R", "R", "R"}[:1+readers]...)
		total := 0
		for range 20 { // the copying buffers are filled first
			n, err := strconv.Atoi(probes[0].Do("fill"))
			if err != nil {
				t.Fatal(err)
			}
			total += n
		}
		if total == 0 || total > 4<<20 {
			t.Errorf("%s: %d bytes were taken that nobody reads", name, total)
		}
		for _, p := range probes {
			p.Send("exit:0")
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestStreamMemory: the memory of weft does not depend on the number of bytes written. WEFT_BYTES is
// that number; the default is 256 MiB.
func TestStreamMemory(t *testing.T) {
	t.Parallel()
	n := amount("WEFT_BYTES", 256<<20)
	dir := project(t, map[string]string{"Taskfile.yml": fmt.Sprintf(`tasks:
  lines: {cmd: "yes 'a line of some length, as builds print them' | head -c %[1]d", stdout: log}
  one-line: {cmd: head -c %[1]d /dev/zero, stdout: log}
  capped: {cmd: head -c %[1]d /dev/zero, stdout: {capture: {max: 1MiB}}, ignore_error: true}
  tail: {cmd: head -c %[1]d /dev/zero, stdout: {capture: {max: 1MiB, overflow: tail}}}
  stream: {cmds: [{pipe: [head -c %[1]d /dev/zero, {tee: [cat >/dev/null, cat >/dev/null]}]}]}
  end: probe E hold
  merge: {cmds: [{pipe: [{merge: [head -c %[1]d /dev/zero, 'true']}, cat >/dev/null]}]}
`, n)})
	for _, task := range []string{"lines", "one-line", "capped", "tail", "stream", "merge"} {
		for _, style := range []string{"interleaved", "prefixed", "group"} {
			kit := probe.New(t)
			kit.Timeout += time.Duration(n/(50<<20)) * time.Second
			cmd := exec.Command("weft", "-o", style, task, "end")
			cmd.Dir = dir
			cmd.Env = append(os.Environ(), kit.Env())
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			end := kit.Accept("E")[0]
			kib := highWater(t, cmd.Process.Pid)
			end.Send("exit:0")
			if err := cmd.Wait(); err != nil {
				t.Errorf("%s, %s: %v", task, style, err)
			}
			if kib > 96<<10 {
				t.Errorf("%s, %s: %d MiB of memory for %d MiB of output", task, style, kib>>10, n>>20)
			}
		}
	}
}

// highWater returns the maximum resident memory of a process, in KiB.
func highWater(t *testing.T, pid int) int { return memory(t, pid, "VmHWM") }

// memory returns the memory of a process, in KiB, that has the given name in /proc/PID/status.
func memory(t *testing.T, pid int, measure string) int {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	_, rest, ok := strings.Cut(string(status), "\n"+measure+":")
	text, _, _ := strings.Cut(rest, "kB")
	kib, nerr := strconv.Atoi(strings.TrimSpace(text))
	if err != nil || !ok || nerr != nil {
		t.Fatal(err, nerr)
	}
	return kib
}

// TestLogAnalytics runs the example with a large log: the result of one reader is shown while the
// others still read, and no line is lost. WEFT_LINES is the number of lines; the default is
// 1,000,000, which are 64 MB.
func TestLogAnalytics(t *testing.T) {
	t.Parallel()
	lines := amount("WEFT_LINES", 1_000_000)
	dir := t.TempDir()
	copyTree(t, "../../examples/log-analytics", dir)
	cmd := exec.Command("weft", fmt.Sprintf("LINES=%d", lines))
	cmd.Dir = dir
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	in := bufio.NewReader(out)
	if first, err := in.ReadString('\n'); err != nil || !strings.HasPrefix(first, "00:00:07 GET") {
		t.Errorf("the first line is %q, %v", first, err)
	}
	if _, err := os.Stat(filepath.Join(dir, "out", "by-status.txt")); err == nil {
		t.Error("the first line came when all was over")
	}
	rest, _ := io.ReadAll(in)
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	sum := int64(0)
	for line := range strings.Lines(string(rest)) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == "status" {
			n, _ := strconv.ParseInt(f[2], 10, 64)
			sum += n
		}
	}
	if sum != lines {
		t.Errorf("%d lines were counted of %d", sum, lines)
	}
}

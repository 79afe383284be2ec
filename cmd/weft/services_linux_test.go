package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestIdleServices: while twenty services are idle, weft uses no processor time and little memory.
func TestIdleServices(t *testing.T) {
	var tasks strings.Builder
	tasks.WriteString("tasks:\n  default: {deps: [{for: [1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20], task: 's{{.ITEM}}'}]}\n")
	for i := range 20 {
		fmt.Fprintf(&tasks, "  s%d: {service: true, restart: always, ready: {log: up}, cmd: 'echo up; exec sleep 1000'}\n", i+1)
	}
	cmd := exec.Command("weft", "--events=events")
	cmd.Dir = project(t, map[string]string{"Taskfile.yml": tasks.String()})
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer cmd.Process.Signal(syscall.SIGTERM)
	if !eventually(func() bool {
		b, _ := os.ReadFile(filepath.Join(cmd.Dir, "events"))
		return bytes.Count(b, []byte(`"event":"ready"`)) == 20
	}) {
		t.Fatal("they do not get ready")
	}
	// The garbage collector returns memory to the system for a short time after the start.
	const second = time.Second
	used := time.Duration(0)
	if !eventually(func() bool {
		before := cpuTime(t, cmd.Process.Pid)
		time.Sleep(second / 4)
		used = cpuTime(t, cmd.Process.Pid) - before
		return used < second/4/2000 // 0.05 %, which is shown as 0.0 or 0.1
	}) {
		t.Errorf("it uses %s of processor time in %s", used, second/4)
	}
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", cmd.Process.Pid))
	_, rss, _ := strings.Cut(string(status), "VmRSS:")
	if kib, err := strconv.Atoi(strings.Fields(rss)[0]); err != nil || kib > 40<<10 {
		t.Errorf("it holds %d KiB", kib)
	}
	t.Logf("%s of processor time in %s; VmRSS %s KiB", used, second/4, strings.Fields(rss)[0])
}

// cpuTime returns the processor time that a process has used in all its threads.
func cpuTime(t *testing.T, pid int) (sum time.Duration) {
	t.Helper()
	threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	for _, thread := range threads {
		b, _ := os.ReadFile(thread)
		if f := strings.Fields(string(b)); len(f) > 0 {
			n, _ := strconv.ParseInt(f[0], 10, 64)
			sum += time.Duration(n)
		}
	}
	return sum
}

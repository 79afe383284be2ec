package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// watched is a weft process that watches a directory.
type watched struct {
	t      *testing.T
	dir    string
	cmd    *exec.Cmd
	events chan watchEvent
	out    strings.Builder
	over   bool
}

// watchEvent has the fields of an event that the tests check.
type watchEvent struct {
	Event, Task, Error, What string
	Paths, Tasks             []string
	Restarted                bool
}

// newWatched starts weft in a new directory with files.
func newWatched(t *testing.T, files map[string]string, args ...string) *watched {
	t.Helper()
	w := prepareWatched(t, files)
	w.start(args...)
	return w
}

// prepareWatched creates a directory with files.
func prepareWatched(t *testing.T, files map[string]string) *watched {
	t.Helper()
	w := &watched{t: t, dir: t.TempDir(), events: make(chan watchEvent, 10_000)}
	for name, text := range files {
		w.write(name, text)
	}
	return w
}

// start starts weft in the directory of w.
func (w *watched) start(args ...string) {
	t := w.t
	t.Helper()
	r, p, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	w.cmd = exec.Command("weft", append([]string{"--events", "fd:3"}, args...)...)
	w.cmd.Dir, w.cmd.ExtraFiles, w.cmd.Stdout, w.cmd.Stderr = w.dir, []*os.File{p}, &w.out, &w.out
	if err := w.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p.Close()
	go func() {
		defer close(w.events)
		for in := bufio.NewReader(r); ; {
			line, err := in.ReadBytes('\n')
			if err != nil {
				r.Close()
				return
			}
			var ev watchEvent
			if json.Unmarshal(line, &ev) == nil {
				w.events <- ev
			}
		}
	}()
	over, calm := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(calm)
		if strings.Contains(t.Name(), "/storm") {
			storm(w.dir, over)
		}
	}()
	t.Cleanup(func() {
		close(over)
		<-calm
		w.stop(syscall.SIGTERM)
		if t.Failed() {
			t.Log(w.out.String())
		}
	})
}

func (w *watched) write(name, text string) {
	w.t.Helper()
	path := filepath.Join(w.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		w.t.Fatal(err)
	}
	if strings.HasSuffix(name, "askfile.yml") && !strings.HasPrefix(text, "version") {
		text = "version: '3'\nsilent: true\n" + text
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		w.t.Fatal(err)
	}
}

// calmAndStorm runs a test without other changes, and while 10,000 other files in the directory
// change.
func calmAndStorm(t *testing.T, test func(t *testing.T)) {
	for _, weather := range []string{"calm", "storm"} {
		t.Run(weather, func(t *testing.T) {
			t.Parallel()
			test(t)
		})
	}
}

// storm changes other files in a watched directory.
func storm(dir string, over <-chan struct{}) {
	for i := range 10_000 {
		select {
		case <-over:
			return
		default:
			os.WriteFile(filepath.Join(dir, fmt.Sprintf("noise%d", i%100)), []byte{byte(i)}, 0o600)
		}
	}
}

// next waits for the next event of a kind and returns it.
func (w *watched) next(kind string) watchEvent {
	w.t.Helper()
	deadline := time.After(patience)
	for {
		select {
		case ev, ok := <-w.events:
			if !ok {
				w.t.Fatalf("weft ended; %s was waited for", kind)
			}
			if ev.Event == kind {
				return ev
			}
		case <-deadline:
			w.t.Fatalf("no %s", kind)
		}
	}
}

// triggered waits for the start of a run because of changes of paths, and for its end.
func (w *watched) triggered(paths ...string) {
	w.t.Helper()
	ev := w.next("watch_triggered")
	if !slices.Equal(ev.Paths, paths) {
		w.t.Errorf("%s changed, want %s", ev.Paths, paths)
	}
	w.next("watch_ended")
}

// has waits until a file has the given content.
func (w *watched) has(name, want string) {
	w.t.Helper()
	got := ""
	if !eventually(func() bool {
		b, _ := os.ReadFile(filepath.Join(w.dir, name))
		got = string(b)
		return got == want
	}) {
		w.t.Fatalf("%s is %q, want %q", name, got, want)
	}
}

// idle waits until there have been no events for a moment after the end of a run.
func (w *watched) idle() {
	w.t.Helper()
	for last := (watchEvent{}); ; {
		moment := 50 * time.Millisecond
		if last.Event == "watch_triggered" {
			moment = time.Second // changes by the task itself may be ignored for that time
		}
		select {
		case ev := <-w.events:
			last = ev
			continue
		case <-time.After(moment):
		}
		switch {
		case last.Event == "", last.Event == "diagnostic", last.Event == "watch_triggered",
			last.Event == "watch_ended" && !last.Restarted:
			return
		}
		last = w.next("watch_ended")
	}
}

// stop stops weft and returns its exit state.
func (w *watched) stop(sig syscall.Signal) string {
	if !w.over {
		w.over = true
		w.cmd.Process.Signal(sig)
		for range w.events {
		}
		w.cmd.Wait()
	}
	return w.cmd.ProcessState.String()
}

const buildTask = "tasks:\n  build: {sources: ['src/**/*'], generates: [out], cmds: ['cat src/a $(ls src/new/b src/new/deep/b 2>/dev/null) > out']}\n"

//go:build unix

package command_test

import (
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/weftrun/weft/engine/clock"
	"github.com/weftrun/weft/engine/event"
)

// TestKeptProducer: a silent producer is stopped when it has no readers, but not while its output
// also goes elsewhere.
func TestKeptProducer(t *testing.T) {
	const taskfile = `tasks:
  silent: {cmd: 'echo first; cat more'}
  kept: {cmd: 'echo first; cat more', stdout: [{file: out.txt}]}
  shown: {cmd: 'echo first; cat more', stdout: log}
  of-silent: {cmd: head -1, stdin: {from: silent}}
  of-kept: {cmd: head -1, stdin: {from: kept}}
  of-shown: {cmd: head -1, stdin: {from: shown}}
  in-a-pipe: {cmds: [{pipe: [{cmd: 'echo first; cat more', stdout: [{file: out.txt}]}, head -1]}]}
  called: {cmds: [{pipe: [{task: kept}, head -1]}]}
  silent-in-a-pipe: {cmds: [{pipe: ['echo first; cat more', head -1]}]}
`
	for task, kept := range map[string]bool{"of-silent": false, "of-kept": true, "of-shown": true, "in-a-pipe": true, "called": true, "silent-in-a-pipe": false} {
		t.Run(task, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, taskfile)
			var c clock.Clock
			c.Pause()
			r.c.Clock = &c
			more := filepath.Join(r.dir, "more")
			if err := syscall.Mkfifo(more, 0o600); err != nil {
				t.Fatal(err)
			}
			ended := make(chan error, 1)
			go func() { ended <- r.run(t.Context(), task) }()
			until := func(what string, holds func() bool) {
				t.Helper()
				for end := time.Now().Add(20 * time.Second); !holds(); runtime.Gosched() {
					if time.Now().After(end) {
						t.Fatal("waited in vain: ", what)
					}
				}
			}
			var err error
			over := func() bool {
				select {
				case err = <-ended:
					return true
				default:
					return false
				}
			}
			until("the reader has ended, the producer is to be looked at", func() bool { return c.Pending() > 0 || over() })
			if !kept {
				until("it is stopped", func() bool { c.Advance(time.Second); return over() })
				if err != nil {
					t.Error(err)
				}
				return
			}
			for range 20 {
				c.Advance(time.Second)
			}
			// It still waits for more, because the other end can be opened.
			var w *os.File
			until("it reads more", func() bool {
				var err error
				w, err = os.OpenFile(more, os.O_WRONLY|syscall.O_NONBLOCK, 0)
				return err == nil || over()
			})
			if w != nil {
				w.WriteString("second\n")
				w.Close()
			}
			until("it ends", over)
			if err != nil {
				t.Fatal(err)
			}
			if task == "of-shown" {
				r.mu.Lock()
				defer r.mu.Unlock()
				shown := ""
				for _, ev := range r.events {
					if o, ok := ev.(*event.Output); ok {
						shown += string(o.Data)
					}
				}
				if shown != "first\nsecond\n" {
					t.Errorf("shown is %q", shown)
				}
				return
			}
			if b, err := os.ReadFile(filepath.Join(r.dir, "out.txt")); string(b) != "first\nsecond\n" {
				t.Errorf("the file has %q, %v", b, err)
			}
		})
	}
}

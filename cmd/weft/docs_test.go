//go:build unix

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/weftrun/weft/engine/control"
)

// TestPages follows the pages about reports, as TestReadmeTour does README.md: a yaml block becomes
// the Taskfile, a console block is a transcript. Text that depends on the clock is not compared.
func TestPages(t *testing.T) {
	for _, page := range []struct {
		name   string
		played int // commands, at least
	}{{"docs/reports.md", 8}, {"docs/control.md", 6}, {"docs/events.md", 2}} {
		t.Run(filepath.Base(page.name), func(t *testing.T) {
			t.Parallel()
			runtime, err := os.MkdirTemp("/tmp", "weft-test-") // a short path
			if err != nil {
				t.Fatal(err)
			}
			dir, err := os.MkdirTemp("", "weft-test-") // not of t: it is removed when the runs have ended
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				endDetached(runtime)
				for end := time.Now().Add(30 * time.Second); goesOn(runtime) && time.Now().Before(end); {
					time.Sleep(time.Millisecond)
				}
				os.RemoveAll(runtime)
				os.RemoveAll(dir)
			})
			s := &session{dir: dir, bin: buildWeft(t), stderr: true, env: []string{"XDG_RUNTIME_DIR=" + runtime}}
			played := 0
			for _, b := range readBlocks(t, page.name) {
				switch {
				case b.lang == "yaml" && strings.HasPrefix(b.text, "version:"):
					if err := os.WriteFile(filepath.Join(s.dir, "Taskfile.yml"), []byte(b.text), 0o644); err != nil {
						t.Fatal(err)
					}
				case b.lang == "console":
					list, err := parseTranscript(b.text, b.line)
					if err != nil {
						t.Fatalf("%s: %v", page.name, err)
					}
					s.run(t, page.name, list)
					played += len(list)
				case strings.HasPrefix(b.text, "$ ") || strings.Contains(b.text, "\n$ "):
					t.Errorf("%s:%d: commands that nothing tests: the block is not a console", page.name, b.line)
				}
			}
			s.ends(t)
			if played < page.played {
				t.Errorf("%d commands, want %d or more", played, page.played)
			}
		})
	}
}

// goesOn reports whether a run has a socket in a runtime directory.
func goesOn(runtime string) bool {
	for _, f := range control.List(func(string) string { return runtime }) {
		if strings.HasPrefix(f.Path, runtime) {
			return true
		}
	}
	return false
}

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const examplesDir = "../../examples"

// exampleTools are the programs an example needs beyond a POSIX system.
var exampleTools = map[string][]string{
	"affected":             {"git"},
	"application":          {"node"},
	"c-cache":              {"cc", "git"},
	"c-library":            {"cc", "ar"},
	"container-entrypoint": {"node"},
	"go-version-stamp":     {"go"},
	"kept-socket":          {"node"},
	"messages":             {"node", "python3", "bash"},
	"migration":            {"node", "npm", "bash"},
	"queue-worker":         {"node", "bash"},
	"signup":               {"node"},
	"watch-c":              {"cc"},
	"watch-server":         {"go"},
}

// ours are the examples of keys that the reference does not have.
var ours = map[string]bool{
	"affected": true, "application": true, "c-cache": true, "captured-version": true, "container-entrypoint": true, "detached-stack": true, "dev-server": true, "kept-socket": true, "log-analytics": true, "long-running": true, "media-pipeline": true, "messages": true, "migration": true, "queue-worker": true, "signup": true, "pipes": true, "remote-execution": true, "remote-here": true, "report-file": true, "shared-cache": true,
	"watch-c": true, "watch-server": true, "watch-site": true,
}

// isBuilt reports whether a directory of an example contains files made by running it; .gitignore
// lists the same names.
func isBuilt(dir string) bool {
	switch dir {
	case ".weft", ".task", "build", "dist", "gen", "out":
		return true
	}
	return false
}

// TestExamples plays expected.txt of every example in a fresh copy of it, with
// weft and, where WEFT_REFERENCE names it, with the reference.
func TestExamples(t *testing.T) {
	entries, err := os.ReadDir(examplesDir)
	if err != nil {
		t.Fatal(err)
	}
	programs := map[string]string{"weft": buildWeft(t)}
	if dir := linkReference(t); dir != "" {
		programs["reference"] = dir
	}
	count := 0
	for _, e := range entries {
		if !e.IsDir() {
			continue
		}
		count++
		name := e.Name()
		t.Run(name, func(t *testing.T) {
			for _, tool := range exampleTools[name] {
				if _, err := exec.LookPath(tool); err != nil {
					t.Skipf("needs %s: %v", tool, err)
				}
			}
			from := filepath.Join(examplesDir, name)
			expected := filepath.Join(from, "expected.txt")
			text, err := os.ReadFile(expected)
			if err != nil {
				t.Fatal(err)
			}
			list, err := parseTranscript(string(text), 1)
			if err != nil {
				t.Fatalf("%s: %v", expected, err)
			}
			for program, bin := range programs {
				if program == "reference" && ours[name] {
					continue
				}
				t.Run(program, func(t *testing.T) {
					t.Parallel()
					var env []string
					switch name {
					case "remote-execution":
						env = append(env, "WEFT_REMOTE_URL=unix:"+startWorker(t))
						fallthrough
					case "shared-cache":
						both, err := buildBoth()
						if err != nil {
							t.Fatal(err)
						}
						bin = both
					}
					s := &session{dir: filepath.Join(t.TempDir(), name), bin: bin, reference: program == "reference", env: env}
					copyTree(t, from, s.dir)
					if got, log, err := check(s); got != "" || err != nil {
						t.Errorf("weft --check: %v\n%s%s", err, got, log)
					}
					s.run(t, expected, list)
					s.ends(t)
				})
			}
		})
	}
	if count < 8 {
		t.Errorf("%d examples in %s, want 8 or more", count, examplesDir)
	}
}

// TestExamplesAreDescribed checks every example against its README, and that the list of them in
// examples/README.md is complete.
func TestExamplesAreDescribed(t *testing.T) {
	entries, err := os.ReadDir(examplesDir)
	if err != nil {
		t.Fatal(err)
	}
	index, err := os.ReadFile(filepath.Join(examplesDir, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !e.IsDir() {
			continue
		}
		text, err := os.ReadFile(filepath.Join(examplesDir, e.Name(), "README.md"))
		if err != nil {
			t.Error(err)
		} else if !strings.HasPrefix(string(text), "# "+e.Name()+"\n\n") {
			t.Errorf("%s/README.md does not open with its name", e.Name())
		}
		if !strings.Contains(string(index), "]("+e.Name()+")") {
			t.Errorf("examples/README.md does not mention %s", e.Name())
		}
	}
}

// check validates the example, which only weft can do.
func check(s *session) (got, log string, err error) {
	if s.reference {
		return "", "", nil
	}
	return s.answer("weft --check")
}

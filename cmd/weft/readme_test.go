package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const root = "../.."

// A block is a fenced part of a Markdown file.
type block struct {
	lang string
	text string
	line int // of its first line of text, counted from 1
}

// readBlocks returns the fenced blocks of a file of the repository.
func readBlocks(t *testing.T, name string) []block {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	var blocks []block
	open := false
	for i, line := range strings.Split(string(data), "\n") {
		fence, isFence := strings.CutPrefix(line, "```")
		switch {
		case isFence && open:
			open = false
		case isFence:
			open = true
			blocks = append(blocks, block{lang: fence, line: i + 2})
		case open:
			blocks[len(blocks)-1].text += line + "\n"
		}
	}
	if open {
		t.Fatalf("%s: the last block is not closed", name)
	}
	return blocks
}

// TestReadmeTour follows the tour of README.md: a yaml block becomes the
// Taskfile, a console block is a transcript, played in the same directory.
func TestReadmeTour(t *testing.T) {
	s := &session{dir: t.TempDir(), bin: buildWeft(t), stderr: true}
	played := 0
	for _, b := range readBlocks(t, "README.md") {
		switch b.lang {
		case "yaml":
			if err := os.WriteFile(filepath.Join(s.dir, "Taskfile.yml"), []byte(b.text), 0o644); err != nil {
				t.Fatal(err)
			}
		case "console":
			list, err := parseTranscript(b.text, b.line)
			if err != nil {
				t.Fatalf("README.md: %v", err)
			}
			s.run(t, "README.md", list)
			played += len(list)
		case "sh": // TestReadmeSetUp
		default:
			t.Errorf("README.md:%d: a block of %q, which nothing tests", b.line, b.lang)
		}
	}
	if played < 10 {
		t.Errorf("%d commands in the tour, want 10 or more", played)
	}
}

// TestReadmeSetUp holds the commands under "Set up" to what they promise: the
// example runs as written, the tests are those of .ci/run, and what is
// installed are this module's programs.
func TestReadmeSetUp(t *testing.T) {
	var commands []string
	for _, b := range readBlocks(t, "README.md") {
		if b.lang != "sh" {
			continue
		}
		for line := range strings.Lines(b.text) {
			command, _, _ := strings.Cut(line, "#")
			commands = append(commands, strings.TrimSpace(command))
		}
	}
	if len(commands) != 3 {
		t.Fatalf("set-up commands %q, want one that runs weft, one that tests it, one that installs it", commands)
	}

	args, ok := strings.CutPrefix(commands[0], "go run ./cmd/weft ")
	if !ok {
		t.Fatalf("%q does not run weft from the repository", commands[0])
	}
	s := &session{dir: t.TempDir(), bin: buildWeft(t)}
	copyTree(t, filepath.Join(root, "examples"), filepath.Join(s.dir, "examples"))
	got, log, err := s.answer("weft " + args)
	if err != nil || got == "" || strings.Contains(got, "[exit ") {
		t.Errorf("%s: %v\n%s%s", commands[0], err, got, log)
	}

	ci, err := os.ReadFile(filepath.Join(root, ".ci/run"))
	if err != nil {
		t.Fatal(err)
	}
	if commands[1] != "go test ./..." || !strings.Contains(string(ci), "\n"+commands[1]+"\n") {
		t.Errorf("%q is not the test command of .ci/run", commands[1])
	}

	mod, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	module, _, _ := strings.Cut(strings.TrimPrefix(string(mod), "module "), "\n")
	if want := "CGO_ENABLED=0 go install " + module + "/cmd/...@latest"; commands[2] != want {
		t.Errorf("README.md says %q, want %q", commands[2], want)
	}
}

// TestLinks finds links between our documents that lead nowhere.
func TestLinks(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^):#]+)[^):]*\)`)
	for _, name := range []string{"README.md", "CHANGELOG.md", "docs/differences.md", "examples/README.md"} {
		text, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range link.FindAllSubmatch(text, -1) {
			if _, err := os.Stat(filepath.Join(root, filepath.Dir(name), string(m[1]))); err != nil {
				t.Errorf("%s links to %s: %v", name, m[1], err)
			}
		}
	}
}

package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/pflag"

	"github.com/weftrun/weft/schema"
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
			s.ends(t)
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

// TestReadmeSetUp checks the commands under "Set up": the
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
	if commands[1] != "go test -timeout 20m ./..." || !strings.Contains(string(ci), "\n"+commands[1]+"\n") {
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

// documents returns the names of our documents, by the root of the repository.
func documents(t *testing.T) []string {
	t.Helper()
	pages, err := filepath.Glob(filepath.Join(root, "docs/*.md"))
	if err != nil || len(pages) == 0 {
		t.Fatal(pages, err)
	}
	names := []string{"README.md", "CHANGELOG.md", "examples/README.md"}
	for _, page := range pages {
		names = append(names, "docs/"+filepath.Base(page))
	}
	return names
}

// TestLinks finds broken links between our documents.
func TestLinks(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^):#]*)(#[^):]*)?\)`)
	anchors := map[string]map[string]bool{} // by document
	for _, name := range documents(t) {
		anchors[name] = headings(t, name)
	}
	for name := range anchors {
		text, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range link.FindAllStringSubmatch(string(text), -1) {
			to := name
			if m[1] != "" {
				to = filepath.Join(filepath.Dir(name), m[1])
			}
			if _, err := os.Stat(filepath.Join(root, to)); err != nil {
				t.Errorf("%s links to %s: %v", name, m[1], err)
			}
			if of := anchors[to]; of != nil && m[2] != "" && !of[m[2]] {
				t.Errorf("%s links to %s: there is no such heading", name, m[0])
			}
		}
	}
}

// headings returns the headings of a document in the form used in links.
func headings(t *testing.T, name string) map[string]bool {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	marks := regexp.MustCompile(`[^\w\- ]`)
	found := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		if title := strings.TrimLeft(line, "#"); title != line {
			title = marks.ReplaceAllString(strings.ToLower(strings.TrimSpace(title)), "")
			found["#"+strings.ReplaceAll(title, " ", "-")] = true
		}
	}
	return found
}

// TestDocumentedFlags: weft has every flag that the pages about reports and control name.
func TestDocumentedFlags(t *testing.T) {
	flag := regexp.MustCompile("[ `(]--([a-z][a-z-]+)")
	var o options
	flags := o.flagSet()
	for _, name := range []string{"docs/reports.md", "docs/control.md"} {
		text, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range flag.FindAllStringSubmatch(string(text), -1) {
			if flags.Lookup(m[1]) == nil && m[1] != "context" { // of buildkite-agent
				t.Errorf("%s has --%s, which weft does not know", name, m[1])
			}
		}
	}
}

// TestFlagsPage: docs/flags.md has a row for every flag, by all of its names, and for no other.
func TestFlagsPage(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "docs/flags.md"))
	if err != nil {
		t.Fatal(err)
	}
	flag := regexp.MustCompile("`(?:-([A-Za-z])`, `)?--([a-z][a-z-]*)[^`]*`")
	documented := map[string]int{}
	var o options
	flags := o.flagSet()
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(line, " | ")
		names, row := strings.CutPrefix(cells[0], "| ")
		if !row || !strings.HasPrefix(names, "`") {
			continue
		}
		for _, m := range flag.FindAllStringSubmatch(names, -1) {
			documented[m[2]]++
			switch f := flags.Lookup(m[2]); {
			case f == nil:
				t.Errorf("docs/flags.md has --%s, which weft does not know", m[2])
			case f.Shorthand != m[1]:
				t.Errorf("docs/flags.md: --%s is said to be -%s, and is -%s", m[2], m[1], f.Shorthand)
			}
		}
		if len(cells) < 2 || strings.TrimRight(cells[1], " |\n") == "" {
			t.Errorf("docs/flags.md: nothing is said of %s", names)
		}
	}
	flags.VisitAll(func(f *pflag.Flag) {
		if n := documented[f.Name]; n != 1 {
			t.Errorf("docs/flags.md has %d rows of --%s, want 1", n, f.Name)
		}
	})
}

// TestDocumentedSchemas: the page about reports links to every schema that weft prints.
func TestDocumentedSchemas(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "docs/reports.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, _, names := schema.Published("")
	for _, name := range names {
		if !strings.Contains(string(text), "["+name+"](../schema/"+name+".schema.json)") {
			t.Errorf("docs/reports.md has no link to the schema %q", name)
		}
	}
	if len(names) < 10 {
		t.Errorf("schemas %q", names)
	}
}

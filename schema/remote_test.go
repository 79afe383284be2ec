package schema

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/weftrun/weft/schema/diag"
)

// web opens remote files from a map, and records the requests.
type web struct {
	files  map[string]string // by location
	rounds [][]string
}

func (w *web) open(_ context.Context, _ string, files []RemoteFile) []RemoteContent {
	var round []string
	out := make([]RemoteContent, len(files))
	for i, f := range files {
		location := f.URL.Redacted()
		round = append(round, location)
		source, there := w.files[location]
		switch {
		case !there:
			out[i] = RemoteContent{Absent: true, Problem: &diag.Diagnostic{Kind: diag.NotFound, What: "no " + location}}
		case source == "unread":
			out[i] = RemoteContent{Problem: &diag.Diagnostic{Severity: diag.Warning, Kind: diag.NotCached, What: "unread"}}
		default:
			out[i].Source = source
		}
	}
	w.rounds = append(w.rounds, round)
	return out
}

// loadRemote loads a root file whose remote includes come from w.
func loadRemote(t *testing.T, root string, w *web) (*Workflow, diag.List, string) {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "Taskfile.yml"), []byte(root), 0o644); err != nil {
		t.Fatal(err)
	}
	wf, list := Load(t.Context(), LoadOptions{Dir: dir, Open: w.open})
	return wf, list, dir
}

func TestRemoteIncludes(t *testing.T) {
	w := &web{files: map[string]string{
		"https://h/a/one.yml":              "version: '3'\nincludes:\n  sub: sub.yml\n  git: https://h/r.git//d/x.yml?ref=v1\ntasks: {t: echo one}\n",
		"https://h/a/sub.yml":              "version: '3'\nincludes: {deep: {taskfile: ../deep.yml, dir: inner}}\ntasks: {t: echo sub}\n",
		"https://h/deep.yml":               "version: '3'\ntasks: {t: {dir: d, cmds: [pwd]}}\n",
		"https://h/two.yml":                "version: '3'\ntasks: {t: echo two}\n",
		"https://h/r.git//d/x.yml?ref=v1":  "version: '3'\nincludes: {y: ../y.yml}\ntasks: {t: echo x}\n",
		"https://h/r.git//y.yml?ref=v1":    "version: '3'\ntasks: {t: echo y}\n",
		"https://u:xxxxx@h/with-login.yml": "version: '3'\nincludes: {two: two.yml}\ntasks: {t: echo login}\n",
		"https://u:xxxxx@h/two.yml":        "version: '3'\ntasks: {t: echo two}\n",
	}}
	wf, list, dir := loadRemote(t, `
version: '3'
includes:
  one: https://h/a/one.yml
  two: {taskfile: 'https://h/two.yml', dir: elsewhere}
  again: https://h/two.yml
  login: https://u:secret@h/with-login.yml
tasks:
  default: {deps: ['one:sub:deep:t']}
`, w)
	if err := list.Err(); err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, task := range wf.Tasks {
		names = append(names, task.Name)
	}
	slices.Sort(names)
	if got := strings.Join(names, " "); got != "again:t default login:t login:two:t one:git:t one:git:y:t one:sub:deep:t one:sub:t one:t two:t" {
		t.Errorf("tasks %s", got)
	}
	// Each file once; those that are known at the same time, at the same time.
	want := [][]string{
		{"https://h/a/one.yml", "https://h/two.yml", "https://u:xxxxx@h/with-login.yml"},
		{"https://h/a/sub.yml", "https://h/r.git//d/x.yml?ref=v1", "https://u:xxxxx@h/two.yml"},
		{"https://h/deep.yml", "https://h/r.git//y.yml?ref=v1"},
	}
	if fmt.Sprint(w.rounds) != fmt.Sprint(want) {
		t.Errorf("rounds %v", w.rounds)
	}
	// Directories are those of this machine.
	if got := wf.Task("one:sub:deep:t").Dir.S; got != filepath.Join(dir, "inner/d") {
		t.Errorf("the directory of a task is %s", got)
	}
	if got := wf.Task("two:t").Dir.S; got != filepath.Join(dir, "elsewhere") {
		t.Errorf("the directory of a task is %s", got)
	}
	if f := wf.Task("login:t").Pos.File; !f.Remote || f.Path != "https://u:xxxxx@h/with-login.yml" {
		t.Errorf("file %+v", f)
	}
	if got := wf.Files(); len(got) != 1 {
		t.Errorf("files of this machine: %v", got)
	}
}

func TestRemoteRoot(t *testing.T) {
	w := &web{files: map[string]string{
		"https://h/d/Taskfile.yml": "version: '3'\nincludes: {lib: lib.yml}\ndotenv: [.env]\ntasks: {default: echo}\n",
		"https://h/d/lib.yml":      "version: '3'\ntasks: {t: echo}\n",
	}}
	dir := t.TempDir()
	wf, list := Load(t.Context(), LoadOptions{Dir: dir, Entrypoint: "https://h/d/Taskfile.yml", Open: w.open})
	if err := list.Err(); err != nil {
		t.Fatal(err)
	}
	if wf.Dir != dir || !wf.File.Remote || wf.Task("lib:t") == nil {
		t.Errorf("root directory %s, file %+v, tasks %v", wf.Dir, wf.File, wf.Tasks)
	}
}

func TestRemoteProblems(t *testing.T) {
	sum := func(s string) string { h := sha256.Sum256([]byte(s)); return hex.EncodeToString(h[:]) }
	plain := "version: '3'\ntasks: {t: echo}\n"
	var many strings.Builder
	for i := range 201 {
		fmt.Fprintf(&many, "  n%d: https://h/%d.yml\n", i, i)
	}
	for _, c := range []struct {
		name, includes string
		files          map[string]string
		kind           diag.Kind // of the first error; Other with text "" is none
		text           string
	}{
		{"absent", "a: https://h/a.yml", nil, diag.NotFound, "Taskfile.yml:3:3: no https://h/a.yml"},
		{"optional", "a: {taskfile: 'https://h/a.yml', optional: true}", nil, diag.Other, ""},
		{"optional for one only", "a: {taskfile: 'https://h/a.yml', optional: true}\n  b: https://h/a.yml", nil, diag.NotFound, "Taskfile.yml:3:3"},
		{"broken", "a: {taskfile: 'https://h/a.yml', optional: true}", map[string]string{"https://h/a.yml": "tasks: [\n"}, diag.Syntax, "https://h/a.yml"},
		{"version", "a: https://h/a.yml", map[string]string{"https://h/a.yml": "version: '3.1'\n"}, diag.Other, "version"},
		{"checksum", "a: {taskfile: 'https://h/a.yml', checksum: " + sum(plain) + "}", map[string]string{"https://h/a.yml": plain}, diag.Other, ""},
		{"wrong checksum", "a: {taskfile: 'https://h/a.yml', checksum: " + sum("x") + "}", map[string]string{"https://h/a.yml": plain}, diag.ChecksumMismatch, "got: \"" + sum(plain)},
		{"one of two checksums", "a: {taskfile: 'https://h/a.yml', checksum: " + sum(plain) + "}\n  b: {taskfile: 'https://h/a.yml', checksum: " + sum("x") + "}", map[string]string{"https://h/a.yml": plain}, diag.ChecksumMismatch, "Taskfile.yml:4"},
		{"cycle", "a: https://h/a.yml", map[string]string{"https://h/a.yml": "version: '3'\nincludes: {b: {taskfile: b.yml, optional: true}}\n", "https://h/b.yml": "version: '3'\nincludes: {a: a.yml}\n"}, diag.IncludeCycle, "https://h/a.yml <--> https://h/b.yml"},
		{"itself", "a: https://h/a.yml", map[string]string{"https://h/a.yml": "version: '3'\nincludes: {a: a.yml}\n"}, diag.IncludeCycle, ""},
		{"file of this machine", "a: https://h/a.yml", map[string]string{"https://h/a.yml": "version: '3'\nincludes: {p: 'file:///etc/passwd'}\n"}, diag.FetchFailed, "https://h/a.yml:2"},
		{"path of this machine", "a: https://h/a.yml", map[string]string{"https://h/a.yml": "version: '3'\nincludes: {p: /etc/passwd}\n"}, diag.NotFound, "no https://h/etc/passwd"},
		{"out of the repository", "a: 'https://h/r.git//../../etc/passwd'", nil, diag.FetchFailed, "Taskfile.yml:3"},
		{"ref that is an option", "a: 'https://h/r.git//x.yml?ref=--upload-pack=x'", nil, diag.FetchFailed, "dash"},
		{"dotenv", "a: https://h/a.yml", map[string]string{"https://h/a.yml": "version: '3'\ndotenv: [.env]\n"}, diag.Other, "dotenv"},
		{"too many", many.String()[2:], nil, diag.FetchFailed, "more than 200"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, list, _ := loadRemote(t, "version: '3'\nincludes:\n  "+c.includes+"\n", &web{files: c.files})
			errs := diag.FromError(list.Err())
			switch {
			case c.kind == diag.Other && c.text == "" && len(errs) == 0:
			case len(errs) == 0:
				t.Error("no error")
			case errs[0].Kind != c.kind || !strings.Contains(errs[0].Error(), c.text):
				t.Errorf("kind %d: %v", errs[0].Kind, errs[0])
			}
		})
	}
}

// A file that was left out on purpose may have any task.
func TestRemoteLeftOut(t *testing.T) {
	wf, list, _ := loadRemote(t, "version: '3'\nincludes: {a: https://h/a.yml}\ntasks: {t: {deps: ['a:t']}}\n", &web{files: map[string]string{"https://h/a.yml": "unread"}})
	if err := list.Err(); err != nil {
		t.Fatal(err)
	}
	checked := Check(wf)
	if err := checked.Err(); !wf.Partial || err != nil {
		t.Errorf("partial %t, %v", wf.Partial, err)
	}
}

func TestPin(t *testing.T) {
	sum := strings.Repeat("0123456789abcdef", 4)
	old := strings.Repeat("fedcba9876543210", 4)
	for _, c := range []struct{ name, before, after string }{
		{"short", "includes:\n  a: https://h/a.yml # why\n", "includes:\n  a: {taskfile: 'https://h/a.yml', checksum: SUM} # why\n"},
		{"short, quoted", "includes:\n  a: \"https://h/a.yml\"\n", "includes:\n  a: {taskfile: 'https://h/a.yml', checksum: SUM}\n"},
		{"short, in braces", "includes: {a: 'https://h/a.yml', b: {taskfile: b.yml, optional: true}}\n", "includes: {a: {taskfile: 'https://h/a.yml', checksum: SUM}, b: {taskfile: b.yml, optional: true}}\n"},
		{"map", "includes:\n  a:\n    taskfile: https://h/a.yml # why\n    dir: x\n", "includes:\n  a:\n    taskfile: https://h/a.yml # why\n    checksum: SUM\n    dir: x\n"},
		{"map at the end", "includes:\n  a:\n    dir: x\n    taskfile: 'https://h/a.yml'", "includes:\n  a:\n    dir: x\n    taskfile: 'https://h/a.yml'\n    checksum: SUM"},
		{"map of Windows", "includes:\r\n  a:\r\n    taskfile: https://h/a.yml\r\n", "includes:\r\n  a:\r\n    taskfile: https://h/a.yml\r\n    checksum: SUM\r\n"},
		{"in braces", "includes: {a: {taskfile: 'https://h/a.yml'}}\n", "includes: {a: {taskfile: 'https://h/a.yml', checksum: SUM}}\n"},
		{"replaced", "includes:\n  a:\n    checksum: OLD # since May\n    taskfile: https://h/a.yml\n", "includes:\n  a:\n    checksum: SUM # since May\n    taskfile: https://h/a.yml\n"},
		{"replaced, quoted", "includes: {a: {taskfile: 'https://h/a.yml', checksum: 'OLD'}}\n", "includes: {a: {taskfile: 'https://h/a.yml', checksum: SUM}}\n"},
		{"alias", "x-url: &u https://h/a.yml\nincludes:\n  a: {taskfile: *u}\n", ""},
		{"merged", "x-base: &b {taskfile: 'https://h/a.yml'}\nincludes:\n  a: {<<: *b}\n  c: {<<: *b}\n", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			fill := strings.NewReplacer("SUM", sum, "OLD", old)
			dir := t.TempDir()
			before, after := fill.Replace("version: '3'\n"+c.before), fill.Replace("version: '3'\n"+c.after)
			if err := os.WriteFile(filepath.Join(dir, "Taskfile.yml"), []byte(before), 0o644); err != nil {
				t.Fatal(err)
			}
			found, root, list := RemoteIncludes(t.Context(), LoadOptions{Dir: dir})
			if err := list.Err(); err != nil || root != dir || len(found) == 0 || found[0].Name != "a" {
				t.Fatalf("%v, %s, %+v", err, root, found)
			}
			got, err := found[0].Pin(before, sum)
			switch {
			case c.after == "":
				if err == nil || !strings.Contains(err.Error(), "checksum: "+sum) {
					t.Errorf("%v, %s", err, got)
				}
			case err != nil || got != after:
				t.Errorf("%v\n%s", err, got)
			}
		})
	}
}

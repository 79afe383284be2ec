package remote

import (
	"context"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/weftrun/weft/engine/cache"
	"github.com/weftrun/weft/schema"
)

// TestSurvey: what would run where is known without running anything.
func TestSurvey(t *testing.T) {
	dir := t.TempDir()
	src := `version: '3'
vars: {X: {sh: touch ran}}
remote:
  all: true
  profiles:
    near: {runner: {installed: /usr/bin/weft}}
    far: {platform: {OSFamily: Haiku, ISA: pdp-11}, runner: {installed: /boot/weft}}
    broken: {runner: {file: none}}
tasks:
  silent: {sources: [a], generates: [], cmd: '{{.X}}'}
  off: {remote: false, sources: [a], generates: [], cmd: x}
  plain: {remote: true, sources: [a], generates: [], cmd: '{{OS}}'}
  near: {remote: near, sources: [a], generates: [], cmd: '{{OS}}'}
  far: {remote: far, sources: [a], generates: [], cmd: x, status: ['{{OS}}'], desc: '{{OS}}'}
  named: {remote: far, sources: [a], generates: [], cmds: [x, {cmd: 'echo {{.Y}} {{ARCH | upper}}'}]}
  made: {remote: far, sources: [a], generates: ['b{{exeExt}}'], cmd: x}
  broken: {remote: broken, generates: [], cmd: x}
`
	if err := os.WriteFile(filepath.Join(dir, "Taskfile.yml"), []byte(src), 0o644); err != nil {
		t.Fatal(err)
	}
	w, list := schema.Load(context.Background(), schema.LoadOptions{Dir: dir})
	if err := list.Err(); err != nil {
		t.Fatal(err)
	}
	s := NewSurvey(w)
	type machines struct{ profile, runner, problem string }
	var got []machines
	for _, m := range s.Machines {
		problem := ""
		if m.Problem != "" {
			problem = "yes"
		}
		got = append(got, machines{m.Profile, m.Runner, problem})
	}
	got[len(got)-1].runner, got[len(got)-1].problem = "", "" // whether a test is a runner depends on how it is built
	if want := []machines{{"near", "/usr/bin/weft", ""}, {"far", "/boot/weft", ""}, {"broken", "", "yes"}, {"default", "", ""}}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	here, _ := systemOf(cache.ThisPlatform())
	depends := "its text depends on the system, " + here + " here and haiku there "
	want := map[string]struct {
		profile string
		reasons int
		why     string
	}{
		"near":   {"near", 0, ""},
		"far":    {"far", 0, ""},
		"named":  {"far", 0, depends + "(ARCH in command 2)"},
		"made":   {"far", 0, depends + "(exeExt in a text of the task)"},
		"broken": {"broken", 1, "no weft for"},
	}
	if len(s.Tasks) != len(want)+1 || s.Tasks[0].Task.Name != "plain" || s.Tasks[0].Profile != "default" {
		t.Errorf("got %+v", s.Tasks)
	}
	for _, d := range s.Tasks[1:] {
		w := want[d.Task.Name]
		if d.Profile != w.profile || len(d.Reasons) != w.reasons || len(d.Unsendable) < len(w.why) || d.Unsendable[:len(w.why)] != w.why || w.why == "" && d.Unsendable != "" {
			t.Errorf("%s: got %q, %q, %q", d.Task.Name, d.Profile, d.Reasons, d.Unsendable)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "ran")); err == nil {
		t.Error("a variable was computed")
	}
}

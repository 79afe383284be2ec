package remote

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/weftrun/weft/engine/cache"
	"github.com/weftrun/weft/engine/plan"
	"github.com/weftrun/weft/schema"
)

// TestPlaces: a task's profile, completed by the task, and what is sent there.
func TestPlaces(t *testing.T) {
	dir := t.TempDir()
	runner := elf(62)
	if err := os.WriteFile(filepath.Join(dir, "weft"), runner, 0o600); err != nil {
		t.Fatal(err)
	}
	linux := []schema.Property{{Name: "OSFamily", Value: "linux"}, {Name: "ISA", Value: "x86-64"}}
	w := &schema.Workflow{Dir: dir, Remote: &schema.Remote{Profile: schema.Text{S: "first"}, Profiles: []schema.Profile{
		{Name: "first", Platform: linux, Env: []schema.Property{{Name: "A", Value: "b"}}, Timeout: time.Minute, Runner: schema.Runner{File: "weft"}},
		{Name: "second", Runner: schema.Runner{Installed: "/usr/bin/weft"}},
		{Name: "third", Runner: schema.Runner{File: "none"}},
	}}}
	ps := &places{workflow: w}
	p, err := ps.of(nil)
	if err != nil || p.profile != "first" || p.program != filepath.Join(dir, "weft") || p.limit(&plan.Step{Task: &schema.Task{TaskOptions: new(schema.TaskOptions)}}) != time.Minute+cache.AfterLimit {
		t.Errorf("got %+v, %v", p, err)
	}
	want := cache.Worker{Runner: cache.DigestOf(runner), Platform: cache.Platform{{Name: "OSFamily", Value: "linux"}, {Name: "ISA", Value: "x86-64"}}, Env: []cache.EnvironmentVariable{{Name: "A", Value: "b"}}, Timeout: time.Minute}
	if !reflect.DeepEqual(p.worker, want) || p.String() != "OSFamily=linux, ISA=x86-64" {
		t.Errorf("got %+v, %s", p.worker, p)
	}
	p, err = ps.of(&schema.TaskRemote{Profile: schema.Text{S: "second"}, Platform: []schema.Property{{Name: "Pool", Value: "big"}}})
	want = cache.Worker{Installed: "/usr/bin/weft", Platform: append(cache.ThisPlatform(), cache.Property{Name: "Pool", Value: "big"}), Timeout: time.Hour}
	if err != nil || !reflect.DeepEqual(p.worker, want) || p.program != "" {
		t.Errorf("got %+v, %v", p, err)
	}
	if _, err = ps.of(&schema.TaskRemote{Profile: schema.Text{S: "third"}}); err == nil || !strings.Contains(err.Error(), `no weft for `) || !strings.HasSuffix(err.Error(), `set runner of profile "third"`) {
		t.Errorf("got %v", err)
	}
}

//go:build unix

package engine

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/weftrun/weft/engine/cache"
	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/engine/executor"
	"github.com/weftrun/weft/engine/plan"
	"github.com/weftrun/weft/schema"
)

// server is a shared cache.
type server struct {
	t    *testing.T
	disk *cache.Disk

	mu      sync.Mutex
	results map[cache.Digest][]byte
}

func newServer(t *testing.T) *server {
	return &server{t: t, disk: openDisk(t, t.TempDir()), results: map[cache.Digest][]byte{}}
}

func openDisk(t *testing.T, dir string) *cache.Disk {
	d, err := cache.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	return d
}

// machine is a checkout on a machine of its own, which shares a server's results.
type machine struct {
	*server
	dir, cacheDir string
	local         *cache.Disk
	asked, fails  int // lookups; blobs that are not fetched
	restored      int
	refused       string
	untold        []string
	stored        []string
	stages        []event.Stage
}

func (s *server) machine() *machine {
	m := &machine{server: s, dir: s.t.TempDir(), cacheDir: s.t.TempDir()}
	m.local = openDisk(s.t, m.cacheDir)
	return m
}

func (m *machine) Lookup(_ context.Context, _ string, action cache.Digest) *cache.ActionResult {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.asked++
	b, ok := m.results[action]
	if !ok {
		return nil
	}
	r, err := cache.DecodeActionResult(b)
	if err != nil {
		m.t.Error(err)
	}
	return r
}

func (m *machine) Fetch(ctx context.Context, _ string, blobs []cache.Digest) bool {
	for _, b := range blobs {
		if m.fails > 0 || copyBlob(ctx, m.local, m.disk, b) != nil {
			m.untold = append(m.untold, "cannot be fetched")
			return false
		}
	}
	return true
}

func copyBlob(ctx context.Context, to, from *cache.Disk, b cache.Digest) error {
	f, err := from.OpenBlob(ctx, b)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = to.PutFile(ctx, f.(*os.File))
	return err
}

func (m *machine) Restored() { m.restored++ }

func (m *machine) Refuse(task string, why error) {
	m.refused = why.Error()
	m.untold = append(m.untold, fmt.Sprintf("refused %s: %v", task, why))
}

func (m *machine) Store(task string, key *cache.Key, r *cache.ActionResult) {
	log, err := r.Log()
	if err != nil {
		m.t.Error(err)
		return
	}
	for _, b := range r.Blobs(log) {
		if err := copyBlob(context.Background(), m.disk, m.local, b); err != nil {
			m.t.Error(err)
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.results[key.Action] = r.Append(nil)
	m.stored = append(m.stored, task)
}

func (m *machine) Usable() bool { return true }

func (m *machine) Warnings() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	w := m.untold
	m.untold = nil
	return w
}

// sharedTask copies a source, and writes a log.
const sharedTask = `{sources: [in], generates: [out/**], cache: true, cmds: ['mkdir -p out', 'read -r a <in; echo "$a" >out/a', 'echo log']}`

// run runs the task of a Taskfile with the source in, and returns its outcome, its log and the
// warnings.
func (m *machine) run(taskfile, in string, o Options) (result event.Outcome, log, warnings string) {
	m.t.Helper()
	return m.runWith(m.t.Context(), m, taskfile, in, o)
}

// runWith is run with another server.
func (m *machine) runWith(ctx context.Context, s executor.Shared, taskfile, in string, o Options) (result event.Outcome, log, warnings string) {
	m.t.Helper()
	taskfile = strings.ReplaceAll("version: '3'\n"+taskfile, "TASK", sharedTask)
	if err := os.WriteFile(filepath.Join(m.dir, "in"), []byte(in+"\n"), 0o666); err != nil {
		m.t.Fatal(err)
	}
	w, list := schema.Load(ctx, schema.LoadOptions{Dir: m.dir, Entrypoint: "-", Stdin: strings.NewReader(taskfile)})
	if w == nil {
		m.t.Fatal(list.Err())
	}
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		m.t.Fatal(err)
	}
	defer null.Close()
	o.Workflow, o.UserDir, o.CacheDir, o.Environ, o.CoreUtils = w, m.dir, m.cacheDir, []string{"PATH=" + os.Getenv("PATH")}, true
	o.Shared, o.Stdout, o.Wants.Graph = s, null, true
	o.Sink = func(ev event.Event) {
		switch ev := ev.(type) {
		case *event.Output:
			log += string(ev.Data)
			if ev.Release != nil {
				ev.Release()
			}
		case *event.Progress:
			m.stages = append(m.stages, ev.Stage)
		case *event.StepSettled:
			result = ev.Outcome
			if ev.Outcome == event.Restored && ev.Place != event.Cache && ev.Place != "" {
				m.t.Errorf("its place is %q", ev.Place)
			}
		case *event.DiagnosticFound:
			warnings += ev.Diagnostic.Error() + "\n"
		}
	}
	e, err := New(ctx, o)
	if err != nil {
		m.t.Fatal(err)
	}
	defer e.Close()
	if err := e.Run(ctx, []plan.Call{{Name: "t"}}); err != nil {
		m.t.Fatal(err)
	}
	return result, log, warnings
}

// want fails unless the result of a run is as wanted, and that of the source in.
func (m *machine) want(taskfile, in string, o Options, result event.Outcome, warned string) {
	m.t.Helper()
	got, log, warnings := m.run(taskfile, in, o)
	if got != result || (log == "log\n") != (result != event.Fresh) || !strings.Contains(warnings, warned) || warned == "" && warnings != "" {
		m.t.Errorf("%s with %q and %q; want %s with %q", got, log, warnings, result, warned)
	}
	if out, err := os.ReadFile(filepath.Join(m.dir, "out", "a")); string(out) != in+"\n" {
		m.t.Errorf("out/a has %q, %v", out, err)
	}
}

// clean removes what was made, and what the machine remembers.
func (m *machine) clean(local bool) {
	dirs := []string{filepath.Join(m.dir, "out"), filepath.Join(m.dir, ".weft")}
	if local {
		dirs = append(dirs, filepath.Join(m.cacheDir, "v1"))
		m.local.Close()
	}
	for _, dir := range dirs {
		if err := os.RemoveAll(dir); err != nil {
			m.t.Error(err)
		}
	}
}

const pushing = "cache: {push: true}\ntasks: {t: TASK}"

// slowServer answers no look-up until want of them wait for it.
type slowServer struct {
	*machine
	want    int
	reached chan struct{}

	inFlight, most int // guarded by machine.mu
}

func (s *slowServer) Lookup(ctx context.Context, task string, action cache.Digest) *cache.ActionResult {
	s.count(1)
	defer s.count(-1)
	select {
	case <-s.reached:
	case <-ctx.Done():
	}
	return nil
}

func (s *slowServer) count(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.inFlight += n; s.inFlight > s.most {
		if s.most = s.inFlight; s.most == s.want {
			close(s.reached)
		}
	}
}

// TestSharedLookups: steps that wait for the shared cache hold no slots, but not arbitrarily many of
// them wait: no others start then.
func TestSharedLookups(t *testing.T) {
	const limit, most = 2, 128
	m := newServer(t).machine()
	s := &slowServer{machine: m, want: most, reached: make(chan struct{})}
	tasks := "tasks:\n  t: {deps: [{for: {var: N}, task: one, vars: {N: '{{.ITEM}}'}}], vars: {N: '"
	for i := range 3 * most {
		tasks += fmt.Sprint(i, " ")
	}
	tasks += "'}}\n  one: {sources: [in], generates: ['out/{{.N}}'], cache: true, cmds: ['mkdir -p out', 'echo {{.N}} >out/{{.N}}']}\n"
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if result, _, warnings := m.runWith(ctx, s, tasks, "1", Options{Concurrency: limit}); result != event.Succeeded || warnings != "" {
		t.Errorf("%s, %s", result, warnings)
	}
	if made, err := os.ReadDir(filepath.Join(m.dir, "out")); len(made) != 3*most {
		t.Errorf("%d files, %v", len(made), err)
	}
	if s.most > most+limit { // those that ran when it was reached
		t.Errorf("%d look-ups at the same time, want about %d", s.most, most)
	}
}

// offServer is not used any more.
type offServer struct{ *machine }

func (offServer) Usable() bool { return false }

func (s offServer) Lookup(context.Context, string, cache.Digest) *cache.ActionResult {
	s.t.Error("it was looked up")
	return nil
}

// TestSharedUnusable: a server that is not used any more costs nothing.
func TestSharedUnusable(t *testing.T) {
	m := newServer(t).machine()
	if result, _, warnings := m.runWith(t.Context(), offServer{m}, pushing, "1", Options{}); result != event.Succeeded || warnings != "" {
		t.Errorf("%s, %s", result, warnings)
	}
}

// TestShared: what one machine has stored, another one restores, and keeps.
func TestShared(t *testing.T) {
	s := newServer(t)
	a, b := s.machine(), s.machine()
	a.want(pushing, "1", Options{Push: true}, event.Succeeded, "")
	if a.asked != 1 || len(a.stored) != 1 || a.stored[0] != "t" {
		t.Errorf("%d lookups, stored %q", a.asked, a.stored)
	}
	a.want(pushing, "1", Options{Push: true}, event.Fresh, "")
	a.clean(false)
	a.want(pushing, "1", Options{Push: true}, event.Restored, "")
	if a.asked != 1 || len(a.stored) != 1 || a.restored != 0 {
		t.Errorf("the local cache has it: %d lookups, %d stored", a.asked, len(a.stored))
	}
	b.want(pushing, "1", Options{}, event.Restored, "")
	if b.asked != 1 || b.restored != 1 || len(b.stored) != 0 {
		t.Errorf("%d lookups, %d restored, stored %q", b.asked, b.restored, b.stored)
	}
	if want := []event.Stage{event.Lookup, event.Upload}; !slices.Equal(a.stages, want) {
		t.Errorf("stages where it was made: %q, want %q", a.stages, want)
	}
	if want := []event.Stage{event.Lookup, event.Download}; !slices.Equal(b.stages, want) {
		t.Errorf("stages where it was restored: %q, want %q", b.stages, want)
	}
	b.clean(false)
	b.want(pushing, "1", Options{}, event.Restored, "")
	if b.asked != 1 {
		t.Error("the local cache has not kept it")
	}
	b.want(pushing, "2", Options{}, event.Succeeded, "")
	if b.asked != 2 || len(b.stored) != 0 {
		t.Errorf("%d lookups, stored %q", b.asked, b.stored)
	}
}

// TestSharedOptions: when results are looked up, and when they are stored.
func TestSharedOptions(t *testing.T) {
	task := func(cache string) string {
		return "tasks: {t: " + strings.Replace(sharedTask, "cache: true", "cache: "+cache, 1) + "}"
	}
	secret := "vars: {V: {value: hunter2, secret: true}, W: 'x{{.V}}'}\n" + strings.Replace(task("true"), "echo log", "echo log #{{.W}}", 1)
	for name, tt := range map[string]struct {
		taskfile     string
		o            Options
		asks, stores bool
	}{
		"read only":      {task("true"), Options{}, true, false},
		"push":           {task("true"), Options{Push: true}, true, true},
		"task pushes":    {task("{push: true}"), Options{}, true, true},
		"task does not":  {task("{push: false}"), Options{Push: true}, true, false},
		"task is apart":  {task("{remote: false, push: true}"), Options{Push: true}, false, false},
		"no cache":       {task("true"), Options{Push: true, NoCache: true}, false, false},
		"refresh":        {task("true"), Options{Push: true, Refresh: true}, false, true},
		"force":          {task("true"), Options{Push: true, Force: true}, false, true},
		"computed value": {secret, Options{Push: true}, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			m := newServer(t).machine()
			if got, _, _ := m.run(tt.taskfile, "1", tt.o); got != event.Succeeded {
				t.Errorf("it has %s", got)
			}
			if asks, stores := m.asked > 0, len(m.stored) > 0; asks != tt.asks || stores != tt.stores {
				t.Errorf("looked up: %v, stored: %v", asks, stores)
			}
		})
	}
}

// TestSharedDamage: a damaged local entry is replaced by that of the server.
func TestSharedDamage(t *testing.T) {
	s := newServer(t)
	m := s.machine()
	m.want(pushing, "1", Options{Push: true}, event.Succeeded, "")
	m.clean(false)
	blobs, err := filepath.Glob(filepath.Join(m.cacheDir, "v1", "cas", "*", cache.DigestOf([]byte("1\n")).Hex()))
	if err != nil || len(blobs) != 1 {
		t.Fatal(blobs, err)
	}
	if err := os.Remove(blobs[0]); err != nil {
		t.Fatal(err)
	}
	m.want(pushing, "1", Options{}, event.Restored, "")
	if m.restored != 1 {
		t.Error("it was not the server's")
	}
	m.clean(false)
	m.fails = 1
	if err := os.Remove(blobs[0]); err != nil {
		t.Fatal(err)
	}
	m.want(pushing, "1", Options{}, event.Succeeded, "cannot be fetched")
}

// TestPoisoned: a result that must not be restored changes nothing, and is not kept: the task runs.
func TestPoisoned(t *testing.T) {
	evil := cache.DigestOf([]byte("evil\n"))
	file := func(r *cache.ActionResult, path string) {
		r.Files = append(r.Files, cache.OutputFile{Path: path, Digest: evil, Executable: true})
	}
	for name, tt := range map[string]struct {
		poison func(r *cache.ActionResult)
		why    string
	}{
		"outside":       {func(r *cache.ActionResult) { file(r, "../evil") }, "outside|below the root"},
		"absolute":      {func(r *cache.ActionResult) { file(r, "/tmp/evil") }, "below the root"},
		"undeclared":    {func(r *cache.ActionResult) { file(r, "evil") }, "does not declare it"},
		"a source":      {func(r *cache.ActionResult) { file(r, "in") }, "does not declare it"},
		"unclean":       {func(r *cache.ActionResult) { file(r, "out/../evil") }, "below the root"},
		"git":           {func(r *cache.ActionResult) { file(r, "out/.GIT/hooks/pre-commit") }, "nothing in .git"},
		"twice":         {func(r *cache.ActionResult) { file(r, "out/a") }, "twice"},
		"below a file":  {func(r *cache.ActionResult) { file(r, "out/a/b") }, "directory"},
		"no digest":     {func(r *cache.ActionResult) { r.Files[0].Digest = cache.Digest{} }, "its digest is missing"},
		"link outside":  {func(r *cache.ActionResult) { r.Symlinks = []cache.OutputSymlink{{Path: "out/l", Target: "../../x"}} }, "outside of the root"},
		"absolute link": {func(r *cache.ActionResult) { r.Symlinks = []cache.OutputSymlink{{Path: "out/l", Target: "/etc"}} }, "relative"},
		"through a link": {func(r *cache.ActionResult) {
			r.Symlinks = []cache.OutputSymlink{{Path: "out/l", Target: "."}}
			file(r, "out/l/x")
		}, "directory"},
		"failure":        {func(r *cache.ActionResult) { r.ExitCode = 1 }, "fail"},
		"full directory": {func(r *cache.ActionResult) { r.Directories = []cache.OutputDirectory{{Path: "out/d", Tree: evil}} }, "not empty"},
		"marks":          {func(r *cache.ActionResult) { r.SetLog(&cache.Log{Marks: []cache.Mark{{Command: 99}}}) }, "damaged"},
		"no marks":       {func(r *cache.ActionResult) { r.Metadata.Auxiliary = nil }, "damaged"},
		"huge":           {func(r *cache.ActionResult) { r.Files[0].Digest.Size = 1 << 60 }, "cannot be fetched"},
		"missing":        {func(r *cache.ActionResult) { r.Files[0].Digest = cache.DigestOf([]byte("x")) }, "cannot be fetched"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t)
			a, b := s.machine(), s.machine()
			a.want(pushing, "1", Options{Push: true}, event.Succeeded, "")
			if _, err := s.disk.Put([]byte("evil\n")); err != nil {
				t.Fatal(err)
			}
			var action cache.Digest
			for d, encoded := range s.results {
				r, err := cache.DecodeActionResult(encoded)
				if err != nil {
					t.Fatal(err)
				}
				tt.poison(r)
				s.results[d], action = r.Append(nil), d
			}
			got, log, warnings := b.run(pushing, "1", Options{})
			why, other, _ := strings.Cut(tt.why, "|")
			if got != event.Succeeded || log != "log\n" || !strings.Contains(warnings, why) && (other == "" || !strings.Contains(warnings, other)) || strings.Count(warnings, "\n") != 1 {
				t.Errorf("%s with %q and %q", got, log, warnings)
			}
			for _, name := range []string{"evil", "../evil", "out/l", "out/d", "out/.GIT"} {
				if _, err := os.Lstat(filepath.Join(b.dir, name)); err == nil {
					t.Errorf("%s was made", name)
				}
			}
			entry, err := b.local.Lookup(action)
			if err != nil || entry == nil || len(entry.Files) != 1 || entry.ExitCode != 0 {
				t.Errorf("the local cache has %+v, %v", entry, err)
			}
		})
	}
}

var _ executor.Shared = (*machine)(nil)

package remote

import (
	"context"
	"errors"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weftrun/weft/engine/cache"
	"github.com/weftrun/weft/engine/channel"
	"github.com/weftrun/weft/engine/companion"
	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/engine/executor"
	"github.com/weftrun/weft/engine/plan"
	"github.com/weftrun/weft/engine/sched"
	"github.com/weftrun/weft/schema"
)

// farm is a client of a server that does what a test wants.
type farm struct {
	t    *testing.T
	disk *cache.Disk

	lookup channel.Lookup
	// execute answers the n-th execution, counted from 1.
	execute func(ctx context.Context, n int, q *channel.ExecuteRequest, stage func(channel.Stage)) *channel.Executed

	mu       sync.Mutex // guards the fields below
	missing  int        // fetches that bring nothing
	calls    []string
	inputs   map[channel.Blob]channel.Input
	inFlight int
	most     int
	texts    []string // of diagnostics
}

func (f *farm) note(what string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = append(f.calls, what)
}

func (f *farm) Lookup(context.Context, *channel.LookupRequest) (*channel.Found, error) {
	f.note("lookup")
	return &channel.Found{Lookup: f.lookup, Result: f.result()}, nil
}

func (f *farm) Fetch(context.Context, *channel.FetchRequest) (*channel.Fetched, error) {
	f.note("fetch")
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.missing--; f.missing >= 0 {
		return &channel.Fetched{Missing: []channel.Blob{{}}}, nil
	}
	return &channel.Fetched{}, nil
}

func (f *farm) Upload(_ context.Context, q *channel.UploadRequest) (*channel.Uploaded, error) {
	what := "upload"
	if q.Again {
		what = "upload again"
	}
	f.note(what)
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, in := range q.Inputs {
		f.inputs[in.Blob] = in
	}
	return &channel.Uploaded{}, nil
}

func (f *farm) Execute(ctx context.Context, q *channel.ExecuteRequest, stage func(channel.Stage)) (*channel.Executed, error) {
	what := "execute"
	if q.SkipLookup {
		what = "execute anew"
	}
	f.mu.Lock()
	f.inFlight++
	f.most = max(f.most, f.inFlight)
	f.calls = append(f.calls, what)
	n := 0
	for _, c := range f.calls {
		if strings.HasPrefix(c, "execute") {
			n++
		}
	}
	f.mu.Unlock()
	a := f.execute(ctx, n, q, stage)
	f.mu.Lock()
	f.inFlight--
	f.mu.Unlock()
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return a, nil
}

func (f *farm) Flush(context.Context, *channel.FlushRequest) (*channel.Totals, error) {
	return &channel.Totals{Up: 1, Down: 2}, nil
}

// result is that of a success with one output.
func (f *farm) result() []byte {
	r := cache.ActionResult{Files: []cache.OutputFile{{Path: "out", Digest: cache.DigestOf([]byte("x"))}}}
	return r.Append(nil)
}

// env is the Env of a step of the farm.
type env struct {
	executor.Env
	*farm
}

func (e *env) Emit(ev event.Event) {
	if d, ok := ev.(*event.DiagnosticFound); ok {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.texts = append(e.texts, d.Diagnostic.What)
	}
}

func newFarm(t *testing.T) *farm {
	t.Helper()
	disk, err := cache.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(disk.Close)
	return &farm{t: t, disk: disk, inputs: map[channel.Blob]channel.Input{}, execute: func(context.Context, int, *channel.ExecuteRequest, func(channel.Stage)) *channel.Executed {
		return nil
	}}
}

// server returns a Server of the farm, whose workers have a runner.
func (f *farm) server(o ServerOptions) *Server {
	w := &schema.Workflow{Dir: f.t.TempDir(), Remote: &schema.Remote{Profile: schema.Text{S: "p"}, Profiles: []schema.Profile{{Name: "p", Runner: schema.Runner{Installed: "/weft"}}}}}
	o.Workflow, o.Disk, o.Secret = w, f.disk, func(m []byte) bool { return strings.Contains(string(m), "s3cret") }
	if o.Jobs == 0 {
		o.Jobs = 2
	}
	return NewServer(o, func(connected func(*channel.Connection)) Client {
		connected(&channel.Connection{Server: "farm:1"})
		return f
	})
}

// run performs a step that is told apart by text.
func (f *farm) run(ctx context.Context, s *Server, text string) (*executor.Performed, error) {
	b := &executor.Bound{Step: &plan.Step{Name: "build", Label: "build", Task: &schema.Task{TaskOptions: &schema.TaskOptions{}}}, Env: &env{farm: f}}
	in := &cache.Inputs{Files: []cache.File{{Path: "in", Digest: cache.DigestOf([]byte("in"))}}}
	in.Act.Commands = [][]byte{[]byte(text)}
	return s.Run(ctx, b, in, func(r *cache.ActionResult) ([]cache.Digest, error) {
		if len(r.Files) != 1 {
			return nil, errors.New("odd")
		}
		return []cache.Digest{r.Files[0].Digest}, nil
	})
}

func (f *farm) put(text string) channel.Blob {
	d, err := f.disk.Put([]byte(text))
	if err != nil {
		f.t.Error(err)
	}
	return channel.Blob(d)
}

// TestServerTable: what is called, and what follows from the answers.
func TestServerTable(t *testing.T) {
	works := func(f *farm) *channel.Executed { return &channel.Executed{Result: f.result()} }
	fails := func(class channel.FailureClass) func(*farm) *channel.Executed {
		return func(*farm) *channel.Executed {
			return &channel.Executed{Failure: channel.Failure{Class: class, Text: "why"}}
		}
	}
	exits := func(code int64, said string) func(*farm) *channel.Executed {
		return func(f *farm) *channel.Executed {
			return &channel.Executed{Exit: code, Stdout: f.put("out"), Stderr: f.put(said)}
		}
	}
	said := Greeting + Reason("exit status 3") + LogLine(nil)
	missing := fails(channel.Missing)
	for name, tt := range map[string]struct {
		lookup  channel.Lookup
		missing int
		answers []func(*farm) *channel.Executed
		calls   string
		err     string // why it could not be performed
		failed  string // why the commands have failed
		place   event.Place
	}{
		"executed":           {answers: []func(*farm) *channel.Executed{works}, calls: "lookup, upload, execute, fetch", place: event.Remote},
		"found":              {lookup: channel.Hit, calls: "lookup, fetch", place: event.Cache},
		"found, not whole":   {lookup: channel.Hit, missing: 1, answers: []func(*farm) *channel.Executed{works}, calls: "lookup, fetch, upload, execute anew, fetch", place: event.Remote},
		"not used":           {lookup: channel.Off, answers: []func(*farm) *channel.Executed{works}, calls: "lookup, upload, execute, fetch", place: event.Remote},
		"inputs missing":     {answers: []func(*farm) *channel.Executed{missing, missing, works}, calls: "lookup, upload, execute, upload again, execute, upload again, execute, fetch", place: event.Remote},
		"inputs never there": {answers: []func(*farm) *channel.Executed{missing, missing, missing}, calls: "lookup, upload, execute, upload again, execute, upload again, execute", err: "it has lost files"},
		"outputs missing":    {missing: 1, answers: []func(*farm) *channel.Executed{works, works}, calls: "lookup, upload, execute, fetch, upload again, execute anew, fetch", place: event.Remote},
		"infrastructure":     {answers: []func(*farm) *channel.Executed{fails(channel.Infrastructure)}, calls: "lookup, upload, execute", err: "why"},
		"refused":            {answers: []func(*farm) *channel.Executed{fails(channel.Refused)}, calls: "lookup, upload, execute", err: "why"},
		"over time":          {answers: []func(*farm) *channel.Executed{fails(channel.OverTime)}, calls: "lookup, upload, execute", failed: "[build] task timeout exceeded (1h0m30s)", place: event.Remote},
		"failed command":     {answers: []func(*farm) *channel.Executed{exits(3, said)}, calls: "lookup, upload, execute", failed: "exit status 3", place: event.Remote},
		"no runner":          {answers: []func(*farm) *channel.Executed{exits(127, "sh: weft: not found\n")}, calls: "lookup, upload, execute", err: "its runner did not begin: sh: weft: not found"},
		"killed":             {answers: []func(*farm) *channel.Executed{exits(137, Greeting)}, calls: "lookup, upload, execute", err: "its runner could not perform it: exit status 137; it was killed there: out of memory?"},
		"bad act":            {answers: []func(*farm) *channel.Executed{exits(125, Greeting+Reason("no act"))}, calls: "lookup, upload, execute", err: "its runner could not perform it: no act"},
		"odd result": {answers: []func(*farm) *channel.Executed{func(*farm) *channel.Executed { return &channel.Executed{Result: []byte{}} }},
			calls: "lookup, upload, execute", err: "odd"},
	} {
		f := newFarm(t)
		f.lookup, f.missing = tt.lookup, tt.missing
		f.execute = func(_ context.Context, n int, q *channel.ExecuteRequest, _ func(channel.Stage)) *channel.Executed {
			if q.Task != "build" || q.Profile != "p" || q.Limit != time.Hour+cache.AfterLimit {
				t.Errorf("%s: got %+v", name, q)
			}
			return tt.answers[n-1](f)
		}
		p, err := f.run(t.Context(), f.server(ServerOptions{}), "x")
		if got := strings.Join(f.calls, ", "); got != tt.calls {
			t.Errorf("%s: calls: %s\nwant: %s", name, got, tt.calls)
		}
		if tt.err != "" {
			var u *executor.Unavailable
			if !errors.As(err, &u) || !strings.Contains(err.Error(), tt.err) || len(f.texts) != 1 || !strings.HasPrefix(f.texts[0], `remote: farm:1 does not run "build" (`) {
				t.Errorf("%s: got %v, %q", name, err, f.texts)
			}
			f.calls = nil
			if _, err := f.run(t.Context(), f.server(ServerOptions{Strict: true}), "x"); err == nil || errors.As(err, &u) || !strings.HasPrefix(err.Error(), "farm:1 does not run it: ") {
				t.Errorf("%s: strict: %v", name, err)
			}
			continue
		}
		if err != nil || p.Place != tt.place || (p.Err == nil) != (tt.failed == "") || p.Err != nil && !strings.Contains(p.Err.Error(), tt.failed) || len(f.texts) > 0 {
			t.Errorf("%s: got %+v, %v, %q", name, p, err, f.texts)
			continue
		}
		if name == "over time" && executor.ExitCode(p.Err) != 124 {
			t.Errorf("got %v", p.Err)
		}
		p.Close()
	}
}

// TestServerInputs: everything that the Action needs is sent, from where it is.
func TestServerInputs(t *testing.T) {
	f := newFarm(t)
	f.execute = func(context.Context, int, *channel.ExecuteRequest, func(channel.Stage)) *channel.Executed {
		return &channel.Executed{Result: f.result()}
	}
	s := f.server(ServerOptions{Keep: true})
	large := strings.Repeat("x", channel.MaxInputBytes)
	p, err := f.run(t.Context(), s, large)
	if err != nil {
		t.Fatal(err)
	}
	ofDisk := 0
	for blob, in := range f.inputs {
		switch {
		case in.Path != "":
			if blob != channel.Blob(cache.DigestOf([]byte("in"))) || !strings.HasSuffix(in.Path, "/in") {
				t.Errorf("got %+v", in)
			}
		case in.Data == nil:
			ofDisk++
			if !f.disk.Has(cache.Digest(blob)) {
				t.Error("a large message is nowhere")
			}
		case channel.Blob(cache.DigestOf(in.Data)) != blob:
			t.Errorf("got %+v", in)
		}
	}
	if len(f.inputs) < 5 || ofDisk != 1 { // the file, the act, directories, the command, the action
		t.Errorf("%d inputs, %d in the local cache", len(f.inputs), ofDisk)
	}
	// What was kept is not asked for.
	if err := p.Keep(); err != nil {
		t.Fatal(err)
	}
	f.calls = nil
	if p, err := f.run(t.Context(), s, large); err != nil || p.Place != event.Cache || len(f.calls) > 0 {
		t.Errorf("got %+v, %v, %q", p, err, f.calls)
	}
	if p, err := f.run(t.Context(), f.server(ServerOptions{Anew: true}), large); err != nil || p.Place != event.Remote || p.Keep != nil || f.calls[0] != "upload" {
		t.Errorf("got %+v, %v, %q", p, err, f.calls)
	}
	f.calls = nil
	var here *executor.Unavailable
	if _, err := f.run(t.Context(), s, "the s3cret"); !errors.As(err, &here) || len(f.calls) > 0 || len(f.texts) != 1 || f.texts[0] != `remote: "build" runs here: a message to the server has the value of a secret` {
		t.Errorf("a secret was sent: %v, %q, %q", err, f.calls, f.texts)
	}
	if _, err := f.run(t.Context(), f.server(ServerOptions{Strict: true}), "the s3cret"); err == nil || errors.As(err, &here) || len(f.calls) > 0 || len(f.texts) != 1 {
		t.Errorf("strict: %v, %q, %q", err, f.calls, f.texts)
	}
}

// TestServerInFlight: equal Actions are executed once, and not more steps are there than allowed.
func TestServerInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFarm(t)
		f.execute = func(context.Context, int, *channel.ExecuteRequest, func(channel.Stage)) *channel.Executed {
			time.Sleep(time.Second)
			return &channel.Executed{Result: f.result()}
		}
		s := f.server(ServerOptions{Jobs: 3})
		var wg sync.WaitGroup
		began := time.Now()
		for i := range 24 {
			wg.Go(func() {
				if p, err := f.run(t.Context(), s, strings.Repeat("x", i/2)); err != nil || p.Result == nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if n := strings.Count(strings.Join(f.calls, ","), "execute"); n != 12 || f.most != 3 || time.Since(began) != 4*time.Second {
			t.Errorf("%d executions, %d at a time, %s", n, f.most, time.Since(began))
		}
		if totals := s.Flush(t.Context()); totals.There != 24 || totals.Up != 1 || totals.Down != 2 {
			t.Errorf("got %+v", totals)
		}
	})
}

// TestServerGivenUp: a server that fails again and again is not used any more.
func TestServerGivenUp(t *testing.T) {
	f := newFarm(t)
	good := false
	f.execute = func(context.Context, int, *channel.ExecuteRequest, func(channel.Stage)) *channel.Executed {
		if good {
			return &channel.Executed{Result: f.result()}
		}
		return &channel.Executed{Failure: channel.Failure{Class: channel.Infrastructure, Text: "why"}}
	}
	s := f.server(ServerOptions{})
	step := &plan.Step{Name: "build", Task: &schema.Task{TaskOptions: &schema.TaskOptions{Remote: &schema.TaskRemote{On: schema.True}}}}
	for i := range 7 {
		if wants, told := s.Wants(step); !wants || !told {
			t.Fatalf("it was given up after %d steps", i)
		}
		good = i == 2
		f.run(t.Context(), s, strings.Repeat("x", i))
		if i == 5 {
			break
		}
	}
	if wants, _ := s.Wants(step); wants {
		t.Error("it is still used")
	}
	f.run(t.Context(), s, "on its way") // which fails for the same reason
	if len(f.texts) != 2 || !strings.Contains(f.texts[1], "farm:1 did not run 3 tasks") {
		t.Errorf("got %q", f.texts)
	}
	if got := s.Flush(t.Context()); got.There != 1 || got.Without != 7 {
		t.Errorf("got %+v", got)
	}
}

// TestServerWithoutCompanion: without the second program there is no server, which is told once.
func TestServerWithoutCompanion(t *testing.T) {
	f := newFarm(t)
	s := f.server(ServerOptions{})
	s.client = unavailable{f}
	for _, text := range []string{"x", "y"} {
		if _, err := f.run(t.Context(), s, text); !errors.As(err, new(*executor.Unavailable)) {
			t.Errorf("got %v", err)
		}
		if s.Place(&plan.Step{Task: &schema.Task{TaskOptions: &schema.TaskOptions{Remote: &schema.TaskRemote{On: schema.True}}}}) != sched.Here {
			t.Error("it is still used")
		}
	}
	if len(f.texts) != 1 || f.texts[0] != "remote: it has died: running everything here" {
		t.Errorf("got %q", f.texts)
	}
}

// unavailable is a client without a second program.
type unavailable struct{ *farm }

func (unavailable) Lookup(context.Context, *channel.LookupRequest) (*channel.Found, error) {
	return nil, &companion.UnavailableError{What: "it has died"}
}

func (unavailable) Upload(context.Context, *channel.UploadRequest) (*channel.Uploaded, error) {
	return nil, &companion.UnavailableError{What: "it has died"}
}

// TestServerWaits: a step that waits long for a worker says so, once, and its end ends everything.
func TestServerWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFarm(t)
		f.execute = func(ctx context.Context, _ int, _ *channel.ExecuteRequest, stage func(channel.Stage)) *channel.Executed {
			stage(channel.Queued)
			<-ctx.Done()
			return nil
		}
		s := f.server(ServerOptions{})
		cause := &sched.StepFailed{Task: "other", Err: os.ErrExist}
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Hour, func() { cancel(cause) })
		if _, err := f.run(ctx, s, "x"); err != cause {
			t.Errorf("got %v", err)
		}
		if len(f.texts) != 1 || !strings.HasPrefix(f.texts[0], `remote: "build" has waited 30s for a worker (`) {
			t.Errorf("got %q", f.texts)
		}
		if totals := s.Flush(t.Context()); totals.Left != 0 {
			t.Errorf("got %+v", totals)
		}
	})
}

// TestServerLeft: a step that was stopped while a worker had it may run on there.
func TestServerLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFarm(t)
		f.execute = func(ctx context.Context, _ int, _ *channel.ExecuteRequest, stage func(channel.Stage)) *channel.Executed {
			stage(channel.Executing)
			<-ctx.Done()
			return nil
		}
		s := f.server(ServerOptions{})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if _, err := f.run(ctx, s, "x"); err != context.DeadlineExceeded {
			t.Errorf("got %v", err)
		}
		if totals := s.Flush(t.Context()); totals.Left != 1 || totals.LeftFor != time.Hour+cache.AfterLimit {
			t.Errorf("got %+v", totals)
		}
	})
}

// TestServerWaitLimit: a step that no worker takes in time is performed here, and one that a worker has
// is not.
func TestServerWaitLimit(t *testing.T) {
	for _, taken := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			f := newFarm(t)
			f.execute = func(ctx context.Context, _ int, _ *channel.ExecuteRequest, stage func(channel.Stage)) *channel.Executed {
				stage(channel.Queued)
				if taken {
					time.Sleep(time.Minute)
					stage(channel.Executing)
				}
				select {
				case <-time.After(time.Hour):
				case <-ctx.Done():
				}
				return &channel.Executed{Result: f.result()}
			}
			s := f.server(ServerOptions{})
			s.o.Workflow.Remote.Wait = 2 * time.Minute
			began := time.Now()
			p, err := f.run(t.Context(), s, "x")
			var u *executor.Unavailable
			switch {
			case taken && (err != nil || p.Result == nil):
				t.Errorf("got %v", err)
			case !taken && (!errors.As(err, &u) || err.Error() != "no worker has taken it within 2m0s" || time.Since(began) != 2*time.Minute):
				t.Errorf("got %v after %s", err, time.Since(began))
			}
		})
	}
}

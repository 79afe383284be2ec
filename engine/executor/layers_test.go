package executor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/engine/fingerprint"
	"github.com/weftrun/weft/engine/fingerprint/state"
	"github.com/weftrun/weft/engine/glob"
	"github.com/weftrun/weft/engine/pipe"
	"github.com/weftrun/weft/engine/plan"
	"github.com/weftrun/weft/engine/sched"
	"github.com/weftrun/weft/engine/vars"
	"github.com/weftrun/weft/internal/statefile"
	"github.com/weftrun/weft/schema"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// bodyFunc is a Body.
type bodyFunc func(context.Context, *Bound) Result

func (f bodyFunc) Run(ctx context.Context, b *Bound) Result { return f(ctx, b) }

// reached returns a Body that succeeds, and its number of calls.
func reached() (Body, *int) {
	n := new(int)
	return bodyFunc(func(context.Context, *Bound) Result { *n++; return Result{Outcome: event.Succeeded} }), n
}

// fakeEnv records the events of a step.
type fakeEnv struct {
	Env
	events []event.Event
}

func (e *fakeEnv) Emit(ev event.Event) { e.events = append(e.events, ev) }
func (e *fakeEnv) Release(f func())    { f() }
func (e *fakeEnv) Ask(f func())        { f() }
func (e *fakeEnv) Hold(f func())       { f() }

// story returns the events in words.
func (e *fakeEnv) story() string {
	var words []string
	for _, ev := range e.events {
		switch ev := ev.(type) {
		case *event.TaskSkipped:
			words = append(words, "skipped:"+string(ev.Reason))
		case *event.PreconditionFailed:
			words = append(words, "precondition:"+ev.Message)
		case *event.PromptAssumed:
			words = append(words, "assumed:"+ev.Text)
		case *event.StatusChecked:
			words = append(words, fmt.Sprintf("status:%s:%t", ev.Text, ev.Err == nil))
		default:
			words = append(words, fmt.Sprintf("%T", ev))
		}
	}
	return strings.Join(words, " ")
}

// project is a directory with a Taskfile.
type project struct {
	t        *testing.T
	dir      string
	expander *plan.Expander
	steps    exchange
}

func newProject(t *testing.T, tasks string) *project {
	t.Helper()
	p := &project{t: t, dir: t.TempDir()}
	p.write("Taskfile.yml", "version: '3'\ntasks:\n"+tasks)
	w, list := schema.Load(t.Context(), schema.LoadOptions{Dir: p.dir})
	if err := list.Err(); err != nil {
		t.Fatal(err)
	}
	resolver := vars.New(vars.Options{Workflow: w, UserDir: p.dir})
	p.expander = plan.NewExpander(plan.Options{Workflow: w, Resolver: resolver, Host: yes{}})
	return p
}

func (p *project) write(name, text string) {
	p.t.Helper()
	if err := os.WriteFile(filepath.Join(p.dir, name), []byte(text), 0o644); err != nil {
		p.t.Fatal(err)
	}
}

// bound returns a task of which only the directory is bound.
func (p *project) bound(task string) (*Bound, *fakeEnv) {
	p.t.Helper()
	list, err := p.expander.Expand(p.t.Context(), plan.Call{Name: task})
	if err != nil {
		p.t.Fatal(err)
	}
	env := &fakeEnv{}
	return &Bound{Step: list.Steps[list.Roots[0]], Env: env, Dir: p.dir, steps: &p.steps}, env
}

// holds returns a Test that fails only the listed conditions.
func holds(not ...string) Test {
	return func(_ context.Context, _ *Bound, text string) Result {
		r := Result{Usage: event.Usage{User: time.Second}}
		for _, t := range not {
			if t == text {
				r.Err = errors.New("no")
			}
		}
		return r
	}
}

func TestSkip(t *testing.T) {
	p := newProject(t, "  a: {cmd: x}\n")
	for why, want := range map[plan.Skip]string{plan.NotSkipped: "succeeded ", plan.ByIf: "skipped skipped:if", plan.ByPlatform: "skipped skipped:platforms"} {
		body, n := reached()
		b, env := p.bound("a")
		b.Step.Skip = why
		r := (&skip{body}).Run(t.Context(), b)
		if got := r.Outcome.String() + " " + env.story(); got != want || *n == 1 != (why == plan.NotSkipped) {
			t.Errorf("%d: %q, reached %d times", why, got, *n)
		}
	}
}

func TestBind(t *testing.T) {
	p := newProject(t, `  v: {cmd: x}
  plain: {cmd: x, env: {A: b}}
  below: {cmd: x, dir: sub}
  file: {cmd: x, dir: Taskfile.yml/x}
  out: {cmd: x, outputs: {O: {from: stdout}}}
  reads: {deps: [v], cmd: 'echo {{output "v"}}'}
`)
	for task, want := range map[string]struct {
		dir, env, text string
		capture        bool
		err            string
	}{
		"plain": {env: "A=b", text: "x"},
		"below": {dir: "sub", text: "x"},
		"file":  {err: "not a directory"},
		"out":   {text: "x", capture: true},
		"v":     {text: "x", capture: true}, // others read it
		"reads": {text: "echo 1.2"},
	} {
		t.Run(task, func(t *testing.T) {
			body, n := reached()
			b, _ := p.bound(task)
			b.Dir = ""
			if task == "reads" {
				v := pipe.NewCapture(10, pipe.Fail)
				v.Write([]byte("1.2\n"))
				p.steps.outputs.Store(b.Step.Reads("v"), &Output{Stdout: v})
			}
			r := (&bind{next: body, expander: p.expander, root: p.dir}).Run(t.Context(), b)
			if want.err != "" {
				if r.Err == nil || !strings.Contains(r.Err.Error(), want.err) || r.Outcome != event.Failed || *n != 0 {
					t.Errorf("%+v, reached %d times", r, *n)
				}
				return
			}
			if r.Err != nil || *n != 1 || b.Dir != filepath.Join(p.dir, want.dir) || b.Capture != want.capture {
				t.Errorf("%+v, %q, capture %t, reached %d times", r, b.Dir, b.Capture, *n)
			}
			if got := strings.Join(b.Environ, " "); want.env != "" && !strings.Contains(got, want.env) {
				t.Errorf("the environment is %s", got)
			}
			for _, c := range b.Step.Commands() {
				if c.Text != want.text {
					t.Errorf("the command is %q", c.Text)
				}
			}
		})
	}
}

func TestRequire(t *testing.T) {
	p := newProject(t, `  a: {preconditions: [one, {sh: two, msg: no two}], cmd: x}
  v: {cmd: x}
  reads: {deps: [v], preconditions: ['test {{output "v"}}'], cmd: x}
`)
	for name, tt := range map[string]struct {
		task   string
		not    []string
		forced bool
		dry    bool
		want   string
	}{
		"all hold":        {task: "a", want: "succeeded "},
		"one does not":    {task: "a", not: []string{"two"}, want: "failed precondition:no two"},
		"forced":          {task: "a", not: []string{"one"}, forced: true, want: "succeeded "},
		"unknown":         {task: "reads", not: []string{"test"}, dry: true, want: "succeeded "},
		"the first tells": {task: "a", not: []string{"one", "two"}, want: "failed precondition:`one` failed"},
	} {
		t.Run(name, func(t *testing.T) {
			body, n := reached()
			b, env := p.bound(tt.task)
			b.Forced = tt.forced
			r := (&require{body, holds(tt.not...), tt.dry}).Run(t.Context(), b)
			if got := r.Outcome.String() + " " + env.story(); got != tt.want || (*n == 1) != (r.Err == nil) {
				t.Errorf("%q, %v, reached %d times", got, r.Err, *n)
			}
		})
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cause := &sched.Interrupted{Signal: os.Interrupt}
	b, env := p.bound("a")
	r := (&require{nil, func(context.Context, *Bound, string) Result { cancel(cause); return failed(cause) }, false}).Run(ctx, b)
	if r.Outcome != event.Cancelled || r.Err != cause || env.story() != "" {
		t.Errorf("interrupted: %+v, %s", r, env.story())
	}
}

func TestPrompt(t *testing.T) {
	p := newProject(t, "  a: {prompt: [sure, '', really], cmd: x}\n")
	refused := errors.New("refused")
	for name, tt := range map[string]struct {
		yes, dry bool
		refuse   string
		want     string
	}{
		"answered":     {want: "succeeded  asked a sure, a really"},
		"refused":      {refuse: "really", want: "failed  asked a sure, a really"},
		"assumed":      {yes: true, want: "succeeded assumed:sure assumed:really flushed 2"},
		"only looking": {dry: true, want: "succeeded "},
	} {
		t.Run(name, func(t *testing.T) {
			body, n := reached()
			b, env := p.bound("a")
			var asked []string
			flushed := 0
			l := &prompt{next: body, yes: tt.yes, dry: tt.dry, flush: func() { flushed++ }, confirm: func(_ context.Context, task, text string) error {
				asked = append(asked, task+" "+text)
				if text == tt.refuse {
					return refused
				}
				return nil
			}}
			r := l.Run(t.Context(), b)
			got := r.Outcome.String() + " " + env.story()
			if asked != nil {
				got += " asked " + strings.Join(asked, ", ")
			}
			if flushed > 0 {
				got += fmt.Sprint(" flushed ", flushed)
			}
			if got != tt.want || (*n == 1) != (r.Err == nil) {
				t.Errorf("%q, reached %d times", got, *n)
			}
		})
	}
}

// TestFresh: success is recorded, failure is not; forced and inspected runs change no record; and a
// refused prompt does not count as a failure.
func TestFresh(t *testing.T) {
	t.Run("young source", func(t *testing.T) { testFresh(t, 0) })
	t.Run("old source", func(t *testing.T) { testFresh(t, time.Hour) })
}

// testFresh is TestFresh with a source changed some time ago.
func testFresh(t *testing.T, ago time.Duration) {
	p := newProject(t, "  a: {sources: [s], cmd: x}\n")
	write := func(text string) {
		p.write("s", text)
		if err := os.Chtimes(filepath.Join(p.dir, "s"), time.Time{}, time.Now().Add(-ago)); err != nil {
			t.Fatal(err)
		}
	}
	write("")
	store, tree := state.Open(statefile.Place{Base: p.dir, Path: ".weft"}, state.Options{}), glob.NewTree(nil)
	defer store.Close()
	failure := errors.New("failure")
	for i, step := range []struct {
		content           string
		forced, dry, idle bool // idle: the body is not reached
		err               error
		want              string
	}{
		{err: failure, want: "failed"},
		{err: failure, want: "failed"},
		{want: "succeeded"},
		{want: "fresh"},
		{forced: true, want: "succeeded"},
		{want: "fresh"},
		{forced: true, idle: true, err: failure, want: "failed"},
		{want: "fresh"},
		{content: "changed", dry: true, want: "succeeded"},
		{idle: true, err: failure, want: "failed"},
		{forced: true, want: "succeeded"}, // its inputs are not known
		{want: "succeeded"},
		{want: "fresh"},
		{forced: true, err: failure, want: "failed"},
		{want: "succeeded"},
	} {
		if step.content != "" {
			write(step.content)
			tree.MarkDirty()
		}
		b, _ := p.bound("a")
		b.Forced = step.forced
		l := &fresh{test: holds(), checker: fingerprint.New(store, tree, nil), tree: tree, root: p.dir, secrets: new(pipe.Secrets), dry: step.dry}
		l.next = bodyFunc(func(ctx context.Context, b *Bound) Result {
			if !step.idle {
				b.begin()
			}
			if step.err != nil {
				return failed(step.err)
			}
			return Result{Outcome: event.Succeeded}
		})
		if r := l.Run(t.Context(), b); r.Outcome.String() != step.want {
			t.Errorf("step %d: %s, want %s", i+1, r.Outcome, step.want)
		}
	}
}

// TestFreshStatus: status commands run in order until one fails; outputs that others may read are
// made again, unless they were kept.
func TestFreshStatus(t *testing.T) {
	p := newProject(t, "  a: {status: [one, two], cmd: x}\n  read: {status: [one], cmd: x, outputs: {O: {from: stdout}}}\n")
	for name, tt := range map[string]struct {
		task, not, want string
	}{
		"all hold":     {"a", "", "fresh status:one:true status:two:true"},
		"one does not": {"a", "one", "succeeded status:one:false"},
		"is read":      {"read", "", "succeeded status:one:true"},
	} {
		t.Run(name, func(t *testing.T) {
			b, env := p.bound(tt.task)
			body, _ := reached()
			r := (&fresh{next: body, test: holds(tt.not), secrets: new(pipe.Secrets)}).Run(t.Context(), b)
			if got := r.Outcome.String() + " " + env.story(); got != tt.want {
				t.Errorf("%q", got)
			}
			if b.used.User != time.Second*time.Duration(len(env.events)) {
				t.Errorf("used %v", b.used.User)
			}
		})
	}
}

// TestOutputs: outputs are made from the body's output when it has succeeded, and kept for readers.
func TestOutputs(t *testing.T) {
	p := newProject(t, `  a:
    cmd: x
    outputs: {all: {from: stdout}, list: {from: stdout, as: lines}, deep: {from: stdout, as: json, path: '.x[1]'}, line: {}, file: {from: 'file:f'}, none: {}}
`)
	p.write("f", "in f\n")
	for name, tt := range map[string]struct {
		stdout, file, err string
		fails             bool
		want              map[string]any
	}{
		"all":       {stdout: `{"x": [0, 1.50]}` + "\n", file: "line=1\nmore<<E\na\nb\nE\n", want: map[string]any{"all": `{"x": [0, 1.50]}`, "list": []any{`{"x": [0, 1.50]}`}, "deep": "1.50", "line": "1", "more": "a\nb", "file": "in f"}},
		"no JSON":   {stdout: "x", err: `output "deep" of task "a": it is not JSON`},
		"not there": {stdout: "{}", err: `output "deep" of task "a": there is no value at .x[1]`},
		"a line":    {stdout: `{"x":[1,2]}`, file: "line", err: `line 1: "line" is not name=value`},
		"failure":   {stdout: "x", fails: true},
	} {
		t.Run(name, func(t *testing.T) {
			b, _ := p.bound("a")
			file := filepath.Join(t.TempDir(), "out")
			removed := false
			l := &outputs{file: func(string) (string, func(), error) {
				return file, func() { removed = true }, os.WriteFile(file, nil, 0o600)
			}}
			l.next = bodyFunc(func(_ context.Context, b *Bound) Result {
				if got := b.Environ[len(b.Environ)-1]; got != "WEFT_OUTPUT="+file || !b.begun {
					t.Errorf("%s, begun %t", got, b.begun)
				}
				if err := os.WriteFile(file, []byte(tt.file), 0o600); err != nil {
					t.Fatal(err)
				}
				if tt.fails {
					return failed(errors.New("failure"))
				}
				c := pipe.NewCapture(100, pipe.Fail)
				c.Write([]byte(tt.stdout))
				return Result{Outcome: event.Succeeded, Output: &Output{Stdout: c}}
			})
			r := l.Run(t.Context(), b)
			kept := p.steps.output(b.Step)
			if !removed {
				t.Error("the file was not removed")
			}
			if tt.want == nil {
				if r.Outcome != event.Failed || !strings.Contains(r.Err.Error(), tt.err) || kept != nil {
					t.Errorf("%+v, kept %v", r, kept)
				}
				return
			}
			if r.Err != nil || kept != r.Output {
				t.Fatalf("%+v, kept %v", r, kept)
			}
			if got, want := fmt.Sprint(kept.Values), fmt.Sprint(tt.want); got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		})
	}
}

// TestEncodeOutput: kept outputs are restored unchanged, unless they contain a secret.
func TestEncodeOutput(t *testing.T) {
	c := pipe.NewCapture(100, pipe.Fail)
	c.Write([]byte("written\n"))
	o := &Output{Stdout: c, Values: map[string]any{"a": []any{"b", map[string]any{"c": "value"}}}}
	secrets := new(pipe.Secrets)
	back := decodeOutput(o.encode(secrets))
	if text, err := captured(back.Stdout, "t"); err != nil || text != "written" || fmt.Sprint(back.Values) != fmt.Sprint(o.Values) {
		t.Errorf("%q, %v, %v", text, err, back.Values)
	}
	secrets.Add("value")
	if b := o.encode(secrets); b != nil {
		t.Errorf("a secret was kept: %s", b)
	}
}

// TestExitCode: the exit status of an error is that of its method.
func TestExitCode(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want int
	}{
		{nil, 0},
		{errors.New("other"), 0},
		{&sched.TimedOut{}, 124},
		{&plan.TaskError{Err: fmt.Errorf("wrapped: %w", &sched.TimedOut{})}, 124},
	} {
		if got := ExitCode(tt.err); got != tt.want {
			t.Errorf("%v: %d, want %d", tt.err, got, tt.want)
		}
	}
}

package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/weftrun/weft/engine/jobserver"
	"github.com/weftrun/weft/engine/proc"
	"github.com/weftrun/weft/engine/sched"
	"github.com/weftrun/weft/engine/shell"
	"github.com/weftrun/weft/schema"
	"github.com/weftrun/weft/schema/diag"
)

// makeJobs is the jobserver of a run: the one that weft was started under, which all programs
// inherit; or else one of the run's own over its slots, for the programs of tasks with `jobserver`.
// The zero value is none.
type makeJobs struct {
	limit    int // of the run's own: maximum number of jobs; 0: it is another's
	form     jobserver.Form
	formOnce sync.Once // guards form

	mu       sync.Mutex           // guards the fields below
	pool     *jobserver.Pool      // nil: none; not changed once steps run
	environs map[*string][]string // environments with the jobserver, by the original list
}

func (j *makeJobs) set(pool *jobserver.Pool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.pool = pool
}

// join joins the jobserver that weft was started under, and changes the environment for programs
// that must find it elsewhere.
func (e *Engine) join() {
	pool, environ, err := jobserver.Join(e.o.Environ)
	e.o.Environ = environ
	if err != nil && !e.o.Reference {
		d := &diag.Diagnostic{Severity: diag.Warning, Kind: diag.Other, What: err.Error(), Why: "this run uses its own slots"}
		if errors.Is(err, jobserver.ErrNotInherited) {
			d.Why = "make passes it only to commands that it recognises as make, so " + d.Why
			d.Fix = "put + before the line of the recipe"
		}
		e.warn(d)
	}
	if pool != nil {
		e.jobs.set(pool)
		inherit(e.processes, pool)
	}
}

// inherit makes the programs of t inherit the pipe of an unnamed jobserver.
func inherit(t *proc.Table, pool *jobserver.Pool) {
	if r, w := pool.Files(); r != nil {
		t.Inherit([]proc.Descriptor{{Number: jobserver.ReadEnd, File: r}, {Number: jobserver.WriteEnd, File: w}})
	}
}

// makeJobserver creates a jobserver for a run that was not started under one, if a task needs one.
func (e *Engine) makeJobserver() {
	jobs := e.toShare()
	if jobs == 0 {
		return
	}
	pool, err := jobserver.Make(jobs)
	if err != nil {
		e.warn(&diag.Diagnostic{Severity: diag.Warning, Kind: diag.Other, What: err.Error(), Why: "programs run as many jobs as without a jobserver", Fix: "set TMPDIR to a writable directory"})
		return
	}
	e.jobs.limit = jobs
	e.jobs.set(pool)
}

// toShare returns the number of jobs of the run's own jobserver; 0 if it has none.
func (e *Engine) toShare() int {
	if e.jobs.pool != nil || e.o.Dry || !wantsJobserver(e.o.Workflow) {
		return 0
	}
	return cmp.Or(e.o.Concurrency, runtime.NumCPU())
}

func wantsJobserver(w *schema.Workflow) bool {
	return w.Jobserver || slices.ContainsFunc(w.Tasks, func(t *schema.Task) bool { return t.Running != nil && t.Running.Jobserver == schema.True })
}

// tokens returns the tokens that limit the run beside its slots; may be nil.
func (e *Engine) tokens() sched.Tokens {
	if e.jobs.pool == nil {
		return nil
	}
	return e.jobs.pool
}

// giveJobserver returns environ with the run's own jobserver, for the programs of one step. ended
// is called when they have ended.
func (e *Engine) giveJobserver(ctx context.Context, environ []string) (with []string, ended func()) {
	j := &e.jobs
	j.formOnce.Do(func() {
		if j.form = e.jobserverForm(ctx, environ); j.form != jobserver.FIFO {
			inherit(e.processes, j.pool)
		}
	})
	j.pool.Begin()
	return j.environ(environ), j.pool.End
}

// environ returns environ with the jobserver: the same list for the same list, since programs share
// them.
func (j *makeJobs) environ(environ []string) []string {
	var key *string
	if len(environ) > 0 {
		key = &environ[0]
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.environs == nil {
		j.environs = map[*string][]string{}
	}
	if j.environs[key] == nil {
		j.environs[key] = j.pool.Environ(environ, j.form)
	}
	return j.environs[key]
}

// jobserverForm returns the form of jobserver supported by the make in an environment.
func (e *Engine) jobserverForm(ctx context.Context, environ []string) jobserver.Form {
	ctx, cancel := context.WithTimeoutCause(ctx, makeLimit, fmt.Errorf("make --version took longer than %s", makeLimit))
	defer cancel()
	g, end, err := host{e}.group(ctx, "make", e.o.Workflow.Dir)
	if err != nil {
		return jobserver.FIFO
	}
	defer end()
	version, err := e.shell.Output(ctx, &shell.Script{Argv: []string{"make", "--version"}, Dir: e.o.Workflow.Dir, Env: environ, Group: g})
	if err != nil {
		return jobserver.FIFO
	}
	return jobserver.FormFor(version)
}

// makeLimit is the time limit for `make --version`.
const makeLimit = 10 * time.Second

// ReleaseShared returns resources that other programs would miss, when weft ends without waiting
// for the run. It may be called at any time.
func (e *Engine) ReleaseShared() {
	e.jobs.mu.Lock()
	pool := e.jobs.pool
	e.jobs.mu.Unlock()
	if pool != nil {
		pool.Close()
	}
}

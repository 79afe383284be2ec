package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/weftrun/weft/engine/cache"
	"github.com/weftrun/weft/engine/channel"
	"github.com/weftrun/weft/engine/companion"
	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/engine/executor"
	"github.com/weftrun/weft/engine/plan"
	"github.com/weftrun/weft/engine/sched"
	"github.com/weftrun/weft/schema"
	"github.com/weftrun/weft/schema/diag"
)

// Client are the requests to the second program about the server; see companion.Server.
type Client interface {
	Lookup(context.Context, *channel.LookupRequest) (*channel.Found, error)
	Fetch(context.Context, *channel.FetchRequest) (*channel.Fetched, error)
	Upload(context.Context, *channel.UploadRequest) (*channel.Uploaded, error)
	Execute(context.Context, *channel.ExecuteRequest, func(channel.Stage)) (*channel.Executed, error)
	Flush(context.Context, *channel.FlushRequest) (*channel.Totals, error)
}

// ServerOptions configure a Server. Workflow, Disk and Secret are required.
type ServerOptions struct {
	Workflow *schema.Workflow
	Disk     *cache.Disk     // where blobs come, and what is looked up first
	Strict   bool            // steps are never performed here
	Jobs     int             // steps that are there at a time; 0: results are looked up only
	Anew     bool            // nothing is looked up
	Download schema.Download // which outputs are fetched; those of other steps stay there
	Keep     bool            // Disk keeps results
	// Secret reports whether a message has the value of a secret. Such a message is not sent.
	Secret func(message []byte) bool
}

// maxInRow is how many steps in a row may fail because of the server before it is not used any more.
const maxInRow = 3

// Server implements [executor.Remote] by a server of remote execution.
type Server struct {
	o      ServerOptions
	client Client
	places places
	jobs   chan struct{} // held by steps that are there

	mu      sync.Mutex // guards the fields below
	name    string     // of the server, for messages
	used    bool       // there was a request
	off     bool       // it is not used any more
	inRow   int        // steps in a row that failed because of it
	told    map[string]bool
	without map[*plan.Step]bool // that were to be performed there since it is off
	flights map[cache.Digest]*flight
	totals  Totals
}

// Totals are numbers of a run.
type Totals struct {
	There, Found    int           // steps whose commands ran there, and those whose result was found
	Cannot, Without int           // steps that ran here: they cannot run there, or the server did not run them
	Up, Down        int64         // bytes
	Left            int           // steps that may run on there, since they were stopped here,
	LeftFor         time.Duration // for at most this long
}

// lookups is how many results are looked up at a time if nothing is executed.
const lookups = 16

// NewServer returns a Server. connect is called once for its client, which calls connected with the
// answer of each program that it connects.
func NewServer(o ServerOptions, connect func(connected func(*channel.Connection)) Client) *Server {
	jobs := o.Jobs
	if jobs == 0 {
		jobs = lookups
	}
	s := &Server{o: o, places: places{workflow: o.Workflow}, jobs: make(chan struct{}, jobs), name: "the server", told: map[string]bool{}, without: map[*plan.Step]bool{}, flights: map[cache.Digest]*flight{}}
	s.client = connect(func(a *channel.Connection) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.name = a.Server
	})
	return s
}

// Wants implements executor.Remote.
func (s *Server) Wants(step *plan.Step) (wants, told bool) {
	wants, told = s.o.Workflow.Elsewhere(step.Task)
	s.mu.Lock()
	defer s.mu.Unlock()
	if wants && s.off {
		if !s.without[step] {
			s.without[step] = true
			s.totals.Without++
		}
		return false, false
	}
	return wants, told
}

// Place implements sched.Options.Place, as far as it is known without running anything.
func (s *Server) Place(step *plan.Step) sched.Place {
	s.mu.Lock()
	off := s.off
	s.mu.Unlock()
	if wants, _ := s.o.Workflow.Elsewhere(step.Task); off || !wants || Refusal(step.Task) != "" {
		return sched.Here
	}
	return sched.Elsewhere
}

// Leaves implements executor.Remote.
func (s *Server) Leaves(named bool) bool {
	return s.o.Download == schema.DownloadNone || s.o.Download == schema.DownloadTopLevel && !named
}

// Strict reports whether steps fail that cannot be performed there.
func (s *Server) Strict() bool { return s.o.Strict }

// Places returns how many steps are there at a time.
func (s *Server) Places() int { return cap(s.jobs) }

// Refuses implements executor.Remote.
func (s *Server) Refuses(ctx context.Context, b *executor.Bound, in *cache.Inputs) (why string, err error) {
	if in != nil {
		return refusal(ctx, b, in, s.o.Workflow.Dir)
	}
	if why := Refusal(b.Step.Task); why != "" {
		return why, nil
	}
	p, err := s.places.of(b.Step.Task.Remote)
	if err != nil {
		return err.Error(), nil
	}
	return s.places.differs(p, b.Step.Task, func(f func(string)) {
		for _, u := range b.Step.Scope.Uses() {
			f(u.Name)
		}
	}), nil
}

// Declined implements executor.Remote. Without a server a step that asks for one does not run.
func (s *Server) Declined(_ *plan.Step, why string) error {
	s.mu.Lock()
	s.totals.Cannot++
	s.mu.Unlock()
	if s.o.Strict {
		return fmt.Errorf("it cannot run elsewhere: %s", why)
	}
	return nil
}

// Run implements executor.Remote.
func (s *Server) Run(ctx context.Context, b *executor.Bound, in *cache.Inputs, accept executor.Accept) (*executor.Performed, error) {
	j, err := s.job(b, in, accept)
	if err != nil {
		if err := s.Declined(b.Step, err.Error()); err != nil {
			return nil, err
		}
		s.mu.Lock()
		s.warn(b, "declined "+b.Step.Name, fmt.Sprintf("%q runs here: %v", b.Step.Name, err))
		s.mu.Unlock()
		return nil, &executor.Unavailable{Err: err}
	}
	if p := j.kept(); p != nil {
		return p, nil
	}
	s.tellPrivate(b, in)
	o, err := s.share(ctx, j)
	if errors.Is(err, executor.ErrGone) {
		return nil, err
	}
	var p *executor.Performed
	if err == nil {
		p, err = j.performed(ctx, o)
	}
	if ctx.Err() != nil && err != nil {
		s.leave(j)
		return nil, context.Cause(ctx)
	}
	return p, s.conclude(j, o, err)
}

// tellPrivate warns of inputs that may not be meant for others.
func (s *Server) tellPrivate(b *executor.Bound, in *cache.Inputs) {
	for i := range in.Files {
		switch name := path.Base(in.Files[i].Path); {
		case name == ".env", strings.HasSuffix(name, ".pem"), strings.HasSuffix(name, ".key"), strings.HasPrefix(name, "id_"):
			s.mu.Lock()
			s.warn(b, "private "+b.Step.Name, fmt.Sprintf("%q sends %s to %s, and everyone who may read the server can read it: exclude it from sources", b.Step.Name, diag.Printable(in.Files[i].Path), s.name))
			s.mu.Unlock()
			return
		}
	}
}

// job returns what is to be done for a step.
func (s *Server) job(b *executor.Bound, in *cache.Inputs, accept executor.Accept) (*job, error) {
	p, err := s.places.of(b.Step.Task.Remote)
	if err != nil {
		return nil, err
	}
	j := &job{Server: s, b: b, place: p, accept: accept, anew: s.o.Anew || b.Anew()}
	for i := range in.Files {
		f := &in.Files[i]
		switch {
		case f.Target != "":
		case b.HandedOver(f.Path):
			j.handed = true
			j.add(channel.Input{Blob: channel.Blob(f.Digest)})
		default:
			j.add(channel.Input{Blob: channel.Blob(f.Digest), Path: filepath.Join(s.o.Workflow.Dir, filepath.FromSlash(f.Path))})
		}
	}
	if p.program != "" {
		j.add(channel.Input{Blob: channel.Blob(p.worker.Runner), Path: p.program})
	}
	own := *in // a key takes its files
	own.Files = append([]cache.File(nil), in.Files...)
	if j.key, err = cache.NewRemoteKey(&own, &p.worker); err != nil {
		return nil, err
	}
	for _, m := range j.key.Messages {
		if s.o.Secret(m) {
			return nil, errors.New("a message to the server has the value of a secret")
		}
		input := channel.Input{Blob: channel.Blob(cache.DigestOf(m)), Data: m}
		if len(m) > channel.MaxInputBytes/2 {
			input.Data = nil
			if _, err := s.o.Disk.Put(m); err != nil {
				return nil, err
			}
		}
		j.add(input)
	}
	return j, nil
}

// conclude draws the consequences of how a job has ended, and returns its error: in place of one that
// is because of the server, that the step is to be performed here, unless that is not wanted.
func (s *Server) conclude(j *job, o *outcome, err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil {
		s.inRow = 0
		if o.found {
			s.totals.Found++
		} else {
			s.totals.There++
		}
		return nil
	}
	if s.o.Strict {
		return fmt.Errorf("%s does not run it: %w", s.name, err)
	}
	s.totals.Without++
	s.inRow++
	_, gone := errors.AsType[*companion.UnavailableError](err)
	switch {
	case s.off: // which was told
	case gone:
		s.off = true
		s.warn(j.b, "off", fmt.Sprintf("%v: running everything here", err))
	case s.inRow == maxInRow:
		s.off = true
		s.warn(j.b, "off", fmt.Sprintf("%s did not run %d tasks, the last one because of: %v: running everything here", s.name, maxInRow, err))
	default:
		s.warn(j.b, err.Error(), fmt.Sprintf("%s does not run %q (%v): running it here", s.name, j.b.Step.Name, err))
	}
	return &executor.Unavailable{Err: err}
}

// leave counts a job that was stopped, if a worker has it.
func (s *Server) leave(j *job) {
	if !j.executing.Load() {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.totals.Left++
	s.totals.LeftFor = max(s.totals.LeftFor, j.place.limit(j.b.Step))
}

// warn shows a warning, once for each subject. s.mu is held.
func (s *Server) warn(b *executor.Bound, subject, text string) {
	if s.told[subject] {
		return
	}
	s.told[subject] = true
	b.Emit(&event.DiagnosticFound{Time: time.Now(), Diagnostic: &diag.Diagnostic{Severity: diag.Warning, Kind: diag.SharedCache, What: "remote: " + text}})
}

// flight is an Action that is being executed.
type flight struct {
	done chan struct{} // closed when the fields below are set
	*outcome
	err error
}

// share performs a job, or waits for another one with the same Action.
func (s *Server) share(ctx context.Context, j *job) (*outcome, error) {
	for {
		s.mu.Lock()
		s.used = true
		f := s.flights[j.key.Action]
		if f == nil {
			f = &flight{done: make(chan struct{})}
			s.flights[j.key.Action] = f
			s.mu.Unlock()
			f.outcome, f.err = j.run(ctx)
			s.mu.Lock()
			delete(s.flights, j.key.Action)
			s.mu.Unlock()
			close(f.done)
			return f.outcome, f.err
		}
		s.mu.Unlock()
		select {
		case <-f.done:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
		if f.err == nil && !j.anew {
			return f.outcome, j.complete(ctx, f.outcome)
		}
	}
}

// Flush returns the numbers of the run; nil if nothing was sent or received.
func (s *Server) Flush(ctx context.Context) *Totals {
	s.mu.Lock()
	used, t := s.used, s.totals
	s.mu.Unlock()
	if !used {
		return nil
	}
	if a, err := s.client.Flush(ctx, &channel.FlushRequest{Remote: true}); err == nil {
		t.Up, t.Down = a.Up, a.Down
	}
	if t == (Totals{}) {
		return nil
	}
	return &t
}

// readResult reads a result that is a message, or a blob of the local cache.
func readResult(ctx context.Context, disk *cache.Disk, message []byte, large channel.Blob) (*cache.ActionResult, error) {
	if large != (channel.Blob{}) {
		if large.Size > cache.MaxResult {
			return nil, fmt.Errorf("its result has %d bytes", large.Size)
		}
		f, err := disk.OpenBlob(ctx, cache.Digest(large))
		if err != nil {
			return nil, err
		}
		defer f.Close()
		if message, err = io.ReadAll(f); err != nil {
			return nil, err
		}
	}
	return cache.DecodeActionResult(message)
}

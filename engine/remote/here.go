package remote

import (
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/weftrun/weft/engine/cache"
	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/engine/executor"
	"github.com/weftrun/weft/engine/plan"
	"github.com/weftrun/weft/engine/proc"
	"github.com/weftrun/weft/engine/sched"
	"github.com/weftrun/weft/internal/tempdir"
)

// Options configure a Here. All fields are required, except Environ.
type Options struct {
	Root      string   // the root directory, absolute
	Environ   []string // of this weft: PATH and HOME of the commands
	Processes *proc.Table
	// Register is called with the group of a runner, whose context is ctx, before it starts; ended is
	// called when it has ended.
	Register func(ctx context.Context, g *proc.Group) (ended func())
	// Wants is [executor.Remote.Wants].
	Wants func(*plan.Step) (wants, told bool)
}

// Here implements [executor.Remote] on this machine: a runner performs each step in a temporary
// directory that has nothing but the inputs. So a source that a task forgets is missing, as it would
// be on a worker. No cache is asked or filled.
type Here struct {
	o     Options
	clean sync.Once // what killed runs have left
}

// NewHere returns a Here.
func NewHere(o Options) *Here { return &Here{o: o} }

const herePrefix = "weft-here-"

// Wants implements executor.Remote.
func (h *Here) Wants(s *plan.Step) (wants, told bool) { return h.o.Wants(s) }

// Refuses implements executor.Remote.
func (h *Here) Refuses(ctx context.Context, b *executor.Bound, in *cache.Inputs) (why string, err error) {
	if in == nil {
		return Refusal(b.Step.Task), nil
	}
	return refusal(ctx, b, in, h.o.Root)
}

// Failed is the error of a step that has failed under a runner.
type Failed struct {
	Code int    // exit status of the runner
	Why  string // "exit status 3"
}

func (e *Failed) Error() string { return e.Why }

// ExitCode returns Code.
func (e *Failed) ExitCode() int { return e.Code }

// Leaves implements executor.Remote: what is made is only moved.
func (h *Here) Leaves(bool) bool { return false }

// Declined implements executor.Remote.
func (h *Here) Declined(*plan.Step, string) error { return nil }

// Run implements executor.Remote.
func (h *Here) Run(ctx context.Context, b *executor.Bound, in *cache.Inputs, _ executor.Accept) (p *executor.Performed, err error) {
	h.clean.Do(func() { tempdir.Clean(herePrefix) })
	dir, err := tempdir.New(herePrefix)
	if err != nil {
		return nil, err
	}
	r := &run{Here: h, temp: dir, dir: dir.Path, root: filepath.Join(dir.Path, "root")}
	defer func() {
		if p == nil {
			r.close()
		}
	}()
	if err := os.Mkdir(r.root, 0o777); err != nil {
		return nil, err
	}
	if err := cache.LayOut(ctx, in, h.o.Root, r.root); err != nil {
		return nil, err
	}
	status, err := r.start(ctx, b, in)
	if err != nil {
		return nil, err
	}
	return r.result(ctx, b, status)
}

// run is a step that is performed.
type run struct {
	*Here
	temp        *tempdir.Dir
	dir, root   string   // its directory, and that of the inputs in it
	out, errors *os.File // output of the runner
	disk        *cache.Disk
}

// start starts the runner, and returns how it has ended.
func (r *run) start(ctx context.Context, b *executor.Bound, in *cache.Inputs) (status proc.Status, err error) {
	program, err := self()
	if err != nil {
		return status, err
	}
	if r.out, err = os.Create(filepath.Join(r.dir, "stdout")); err != nil {
		return status, err
	}
	if r.errors, err = os.Create(filepath.Join(r.dir, "stderr")); err != nil {
		return status, err
	}
	g := r.o.Processes.NewGroup(proc.GroupOptions{Name: b.Step.Name, Cookie: b.Cookie, Leftover: proc.LeftoverKill, Stop: proc.Ladder{Grace: grace(b.Step)}})
	defer r.o.Register(ctx, g)()
	defer g.Close()
	process, err := g.Start(&proc.Spec{Path: program, Argv: []string{"weft", Flag, cache.ActPath}, Dir: r.root, Env: r.environ(in), Stdout: r.out, Stderr: r.errors, Confirm: true})
	if err != nil {
		return status, err
	}
	defer context.AfterFunc(ctx, func() { g.Stop(context.Cause(ctx), proc.LadderOf(context.Cause(ctx))) })()
	return process.Wait()
}

// grace returns how long a runner may take to stop the commands of s.
func grace(s *plan.Step) time.Duration {
	longest := time.Duration(0)
	for _, c := range s.Commands() {
		longest = max(longest, c.Stop.Grace)
	}
	return cmp.Or(longest, proc.DefaultGrace) + proc.DefaultGrace
}

// environ returns the environment of the runner.
func (r *run) environ(in *cache.Inputs) (environ []string) {
	declared := map[string]bool{}
	for _, v := range in.Env {
		declared[v.Name] = true
		environ = append(environ, v.Name+"="+v.Value)
	}
	for _, kv := range r.o.Environ {
		if name, _, _ := strings.Cut(kv, "="); (name == "PATH" || name == "HOME") && !declared[name] {
			environ = append(environ, kv)
		}
	}
	return environ
}

// maxSaid is the maximum number of bytes that a runner says on standard error.
const maxSaid = 64 << 20

// result returns what the runner, which has ended, has left.
func (r *run) result(ctx context.Context, b *executor.Bound, status proc.Status) (*executor.Performed, error) {
	said, err := readSaid(r.errors)
	if err != nil {
		return nil, err
	}
	p := &executor.Performed{Place: event.Here, Close: r.close}
	switch {
	case ctx.Err() != nil:
		p.Err = context.Cause(ctx)
	case status.Code != 0 || status.Signal != 0 || !said.ended:
		if p.Err, err = said.failure(status.Code, how(status), b.Step.Label); err != nil {
			return nil, err
		}
	default:
		if r.disk, err = cache.Open(filepath.Join(r.dir, "cache")); err != nil {
			return nil, err
		}
		p.Disk = r.disk
		if p.Result, err = r.disk.Adopt(ctx, r.root); err != nil {
			return nil, err
		}
		return p, nil
	}
	if p.Size, err = r.out.Seek(0, io.SeekEnd); err == nil {
		_, err = r.out.Seek(0, io.SeekStart)
	}
	p.Log, p.Marks = r.out, said.marks
	if len(p.Marks) == 0 && p.Size > 0 { // it was killed
		p.Marks = []cache.Mark{{Command: 1}, {Stream: uint8(event.Stdout)}}
	}
	return p, err
}

// failure returns the error of a step with a label whose runner, which has said s, has not succeeded.
// how describes its end. err is set if it could not perform the step.
func (s *said) failure(code int, how, label string) (failed, err error) {
	why := cmp.Or(s.why, how)
	switch {
	case !s.greeted:
		return nil, fmt.Errorf("its runner did not begin: %s", why)
	case !s.ended:
		return nil, fmt.Errorf("its runner could not perform it: %s", why)
	}
	return failure(code, why, label), nil
}

// failure returns the error of a step with a label that has failed under a runner: the same as if the
// step had exceeded its time limit here, if it has.
func failure(code int, why, label string) error {
	after, err := time.ParseDuration(strings.Trim(why[strings.LastIndexByte(why, ' ')+1:], "()"))
	for _, limit := range [...]sched.Limit{sched.CommandLimit, sched.TaskLimit, sched.IdleLimit} {
		t := &sched.TimedOut{Name: "act", After: after, Limit: limit}
		if err == nil && t.Error() == why {
			t.Name = label
			return t
		}
	}
	return &Failed{code, why}
}

// how describes the end of a program.
func how(s proc.Status) string {
	if s.Signal != 0 {
		return fmt.Sprintf("killed by signal %d (%s)", int(s.Signal), s.Signal)
	}
	return fmt.Sprintf("exit status %d", s.Code)
}

// close removes everything.
func (r *run) close() {
	for _, f := range [...]*os.File{r.out, r.errors} {
		if f != nil {
			f.Close()
		}
	}
	if r.disk != nil {
		r.disk.Close()
	}
	r.temp.Remove()
}

// said is what a runner has said.
type said struct {
	greeted bool // it runs
	ended   bool // the commands have, and marks are those of their log
	marks   []cache.Mark
	why     string // the last message for people, or the first line of something else
}

// readSaid reads what a runner has said.
func readSaid(f *os.File) (*said, error) {
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	b, err := io.ReadAll(io.LimitReader(f, maxSaid))
	if err != nil {
		return nil, err
	}
	return parseSaid(b)
}

// parseSaid parses what a runner has said, which anybody may have written.
func parseSaid(b []byte) (*said, error) {
	s := &said{}
	rest, greeted := bytes.CutPrefix(b, []byte(Greeting))
	s.greeted = greeted
	for line := range bytes.Lines(rest) {
		text := strings.TrimSuffix(string(line), "\n")
		if encoded, ok := strings.CutPrefix(text, logWord); ok && greeted {
			message, err := base64.StdEncoding.DecodeString(encoded)
			if err != nil {
				return nil, fmt.Errorf("its runner describes the log wrongly: %w", err)
			}
			log, err := cache.DecodeLog(message)
			if err != nil {
				return nil, fmt.Errorf("its runner describes the log wrongly: %w", err)
			}
			s.ended, s.marks = true, log.Marks
			continue
		}
		if reason, ok := strings.CutPrefix(text, reasonWord); ok {
			s.why = reason
		} else if s.why == "" {
			s.why = text
		}
	}
	const most = 1000 // bytes
	s.why = strings.ToValidUTF8(s.why[:min(len(s.why), most)], "")
	return s, nil
}

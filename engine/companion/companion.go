// Package companion finds weft-companion, starts it when it is first needed,
// checks that it is this weft's, starts it once more should it die, and ends it.
// It is the same for every room of it; what is said is package channel's.
//
// # Why it has a KEEPER of its own
//
// Nothing may survive the run, weft's death by SIGKILL included, so the program
// is started as those of tasks are: in a process group of its own, by a
// [proc.Table]. It is a table of its own. That of the run is made after the files
// are read, of which some come from here; it hands signals on to the programs of
// the run, which this one is not to get; and it starts its KEEPER only if a task
// runs a program, which stays so. The price is one more process of a few
// milliseconds, in runs that need the second program, and only there.
package companion

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/weftrun/weft/engine/channel"
	"github.com/weftrun/weft/engine/proc"
)

// Options say who asks. Version and Environ are required.
type Options struct {
	// Version is weft's. The second program must have the same.
	Version string
	// Environ is weft's environment, which the second program gets. It must not
	// be changed.
	Environ []string
	// CacheDir is weft's cache directory, absolute; "" is none. Root is the
	// directory of the root Taskfile, "" if there is none.
	CacheDir, Root string
}

// UnavailableError is why there is no second program to ask: it is missing, of
// another version, cannot be started, or died again.
type UnavailableError struct {
	What, Why, Fix string // of a diagnostic; Why and Fix may be ""
	Err            error  // may be nil
}

func (e *UnavailableError) Error() string {
	s := e.What
	for _, more := range [...]string{e.Why, e.Fix} {
		if more != "" {
			s += ": " + more
		}
	}
	return s
}

// Unwrap returns Err.
func (e *UnavailableError) Unwrap() error { return e.Err }

// Companion is the second program of one run. It may be used concurrently.
type Companion struct {
	o    Options
	lock chan struct{} // held to use the fields below, and while a program is started
	now  *instance     // the last one started; nil: none was
	died int           // how often it died
	over bool          // closed
}

// New returns a Companion. It does nothing until something is asked of it.
func New(o Options) *Companion { return &Companion{o: o, lock: make(chan struct{}, 1)} }

// Taskfile fetches one file. The error is a *channel.Error or an
// *UnavailableError, or the context's cause.
func (c *Companion) Taskfile(ctx context.Context, q *channel.TaskfileRequest) (*channel.Taskfile, error) {
	for {
		i, err := c.running(ctx)
		if err != nil {
			return nil, err
		}
		t, err := i.client.Taskfile(ctx, q)
		if !errors.Is(err, channel.ErrClosed) {
			return t, err
		}
	}
}

// running returns the program that runs, and starts one if need be.
func (c *Companion) running(ctx context.Context) (*instance, error) {
	select {
	case c.lock <- struct{}{}:
		defer func() { <-c.lock }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	for {
		switch {
		case c.over:
			return nil, &UnavailableError{What: "weft-companion is not asked any more: the run is over"}
		case c.now != nil && c.now.alive():
			return c.now, nil
		case c.now != nil:
			why := c.now.end()
			c.now = nil
			if c.died++; c.died > 1 {
				return nil, died(why)
			}
		case c.died > 1:
			return nil, died("")
		}
		i, err := c.start(ctx)
		if i == nil {
			return nil, err
		}
		c.now = i
		switch {
		case err == nil:
			return i, nil
		case !errors.Is(err, channel.ErrClosed):
			c.now = nil
			i.end()
			return nil, err
		}
	}
}

func died(why string) error {
	return &UnavailableError{What: "weft-companion died, and died again when it was started once more", Why: why, Fix: "please report this"}
}

// greeting is how long the second program may take to say what it is.
const greeting = 30 * time.Second

// start starts the program and greets it. With an error it may return the
// instance as well, which then must be ended.
func (c *Companion) start(ctx context.Context) (*instance, error) {
	path, err := Find(c.o.Environ, c.o.Version)
	if err != nil {
		return nil, err
	}
	i, err := launch(path, c.o.Environ)
	if err != nil {
		return nil, &UnavailableError{What: fmt.Sprintf("%s cannot be started", path), Why: err.Error(), Fix: install(c.o.Version), Err: err}
	}
	late := &UnavailableError{What: fmt.Sprintf("%s does not answer", path), Why: "it is another program, or the machine is very busy", Fix: install(c.o.Version)}
	ctx, cancel := context.WithTimeoutCause(ctx, greeting, late)
	defer cancel()
	err = i.client.Hello(ctx, channel.Hello{Version: c.o.Version, CacheDir: c.o.CacheDir, Root: c.o.Root})
	if m := (*channel.MismatchError)(nil); errors.As(err, &m) {
		err = &UnavailableError{What: fmt.Sprintf("%s is not this weft's", path), Why: err.Error(), Fix: "install both again: " + install(c.o.Version), Err: err}
	}
	return i, err
}

// Close ends the program, if it runs: it gets the end of its input, and a second
// later it is killed, with all that it started. Requests that are under way fail.
func (c *Companion) Close() {
	c.lock <- struct{}{}
	defer func() { <-c.lock }()
	c.over = true
	if c.now != nil {
		c.now.end()
		c.now = nil
	}
}

// leaving is how long the program may take to end when it is told to.
const leaving = time.Second

// instance is one program that was started.
type instance struct {
	table  *proc.Table
	group  *proc.Group
	client *channel.Client
	out    *os.File      // what it writes
	ended  chan struct{} // closed when it has
	status string        // how it ended; read after ended
}

func launch(path string, environ []string) (*instance, error) {
	in, toIt, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer in.Close()
	fromIt, out, err := os.Pipe()
	if err != nil {
		toIt.Close()
		return nil, err
	}
	defer out.Close()
	i := &instance{table: proc.NewTable(proc.Options{Environ: environ}), out: fromIt, ended: make(chan struct{})}
	i.group = i.table.NewGroup(proc.GroupOptions{Name: Name})
	p, err := i.group.Start(&proc.Spec{Path: path, Argv: []string{Name}, Env: environ, Stdin: in, Stdout: out, Confirm: true})
	if err != nil {
		toIt.Close()
		fromIt.Close()
		i.table.Close(false)
		return nil, err
	}
	go i.wait(p)
	i.client = channel.NewClient(fromIt, onceCloser{toIt})
	return i, nil
}

// onceCloser closes a pipe; that it is closed already is no error.
type onceCloser struct{ io.WriteCloser }

func (o onceCloser) Close() error {
	if err := o.WriteCloser.Close(); !errors.Is(err, os.ErrClosed) {
		return err
	}
	return nil
}

func (i *instance) wait(p *proc.Process) {
	status, err := p.Wait()
	switch {
	case err != nil:
		i.status = err.Error()
	case status.Signal != 0:
		i.status = fmt.Sprintf("killed by signal %d (%s)", int(status.Signal), status.Signal)
	default:
		i.status = fmt.Sprintf("exit status %d", status.Code)
	}
	close(i.ended)
}

// alive reports whether it can be asked.
func (i *instance) alive() bool {
	select {
	case <-i.client.Done():
		return false
	case <-i.ended:
		return false
	default:
		return true
	}
}

// errOver is why the group of a program that was told to end starts nothing.
var errOver = errors.New("weft-companion was told to end")

// end tells it to end, kills it if it does not, and returns what became of it.
func (i *instance) end() string {
	why := i.client.Err()
	i.client.Close()
	timer := time.NewTimer(leaving)
	defer timer.Stop()
	select {
	case <-i.ended:
	case <-timer.C:
		i.group.Kill(errOver)
		<-i.ended
	}
	i.group.Close()
	i.table.Close(false)
	i.client.Wait()
	i.out.Close()
	if why == nil {
		return i.status
	}
	return why.Error() + ", " + i.status
}

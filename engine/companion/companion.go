// Package companion finds weft-companion, starts it when it is first needed, checks that it
// has the same version as this weft, starts it once more if it dies, and ends it. It is the
// same for all rooms of that program; package channel has the messages.
//
// # Why it has its own KEEPER
//
// No process may survive the run, even if weft is killed by SIGKILL. So the program is started
// like those of tasks: in its own process group, by a [proc.Table]. That is another table than
// the run's: the run's is made after the files are read, some of which come from here; it
// forwards signals to the programs of the run, which this program must not get; and it starts
// its KEEPER only if a task runs a program. The cost is one more process, a few milliseconds,
// only in runs that need the second program.
package companion

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/weftrun/weft/engine/channel"
	"github.com/weftrun/weft/engine/proc"
)

// Options configures a Companion. Version and Environ are required.
type Options struct {
	// Version returns weft's version. The second program must have the same.
	Version func() string
	// Environ is weft's environment, which the second program gets. It must not
	// be changed.
	Environ []string
	// CacheDir is weft's cache directory, absolute; "" for none. Root is the directory of the root
	// Taskfile, "" if there is none.
	CacheDir, Root string
}

// UnavailableError means that the second program is missing, has another version, cannot be
// started, or has died again.
type UnavailableError struct {
	What, Why, Fix string // of a diagnostic; Why and Fix may be ""
	Err            error  // may be nil
}

func (e *UnavailableError) Error() string {
	return strings.Join(slices.DeleteFunc([]string{e.What, e.Why, e.Fix}, func(s string) bool { return s == "" }), ": ")
}

// Unwrap returns Err.
func (e *UnavailableError) Unwrap() error { return e.Err }

// Companion is the second program of one run. It is safe for concurrent use.
type Companion struct {
	o       Options
	lock    chan struct{} // guards the fields below, and is locked while a program is started
	current *instance     // the last started one, or nil
	died    int           // how often it has died
	gone    error         // that it has died too often
	closed  bool
}

// New returns a Companion. It starts nothing before the first request.
func New(o Options) *Companion { return &Companion{o: o, lock: make(chan struct{}, 1)} }

// Taskfile fetches a file. The error is a *channel.Error, an *UnavailableError, or the cause of
// ctx.
func (c *Companion) Taskfile(ctx context.Context, q *channel.TaskfileRequest) (*channel.Taskfile, error) {
	return request(c, ctx, (*channel.Client).Taskfile, q)
}

// Conform checks a message of a program. Its errors are those of Taskfile.
func (c *Companion) Conform(ctx context.Context, q *channel.ConformRequest) (*channel.Verdict, error) {
	return request(c, ctx, (*channel.Client).Conform, q)
}

// request sends a request, and repeats it once if the program dies.
func request[Q, A any](c *Companion, ctx context.Context, send func(*channel.Client, context.Context, Q) (A, error), q Q) (answer A, err error) {
	for {
		i, err := c.running(ctx)
		if err != nil {
			return answer, err
		}
		answer, err := send(i.client, ctx, q)
		if !errors.Is(err, channel.ErrClosed) {
			return answer, err
		}
	}
}

// running returns the running program, and starts it if necessary.
func (c *Companion) running(ctx context.Context) (*instance, error) {
	select {
	case c.lock <- struct{}{}:
		defer func() { <-c.lock }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	for {
		switch {
		case c.closed:
			return nil, &UnavailableError{What: "weft-companion is no longer available: the run is over"}
		case c.current != nil && c.current.alive():
			return c.current, nil
		case c.current != nil:
			why := c.current.end()
			c.current = nil
			if c.died++; c.died > 1 {
				c.gone = &UnavailableError{What: "weft-companion crashed, and crashed again after a restart", Why: why, Fix: "please report this"}
			}
		}
		if c.gone != nil {
			return nil, c.gone
		}
		i, err := c.start(ctx)
		if i == nil {
			return nil, err
		}
		c.current = i
		switch {
		case err == nil:
			return i, nil
		case !errors.Is(err, channel.ErrClosed):
			c.current = nil
			i.end()
			return nil, err
		}
	}
}

// greeting is the time limit for the second program's greeting.
const greeting = 30 * time.Second

// start starts the program and greets it. It may return an instance together with an error:
// the caller must end that.
func (c *Companion) start(ctx context.Context) (*instance, error) {
	version := c.o.Version()
	path, err := Find(c.o.Environ, version)
	if err != nil {
		return nil, err
	}
	i, in, err := launch(path, c.o.Environ, nil)
	if err != nil {
		return nil, &UnavailableError{What: fmt.Sprintf("%s cannot be started", path), Why: err.Error(), Fix: install(version), Err: err}
	}
	i.client = channel.NewClient(i.out, in)
	late := &UnavailableError{What: fmt.Sprintf("%s does not answer", path), Why: "it is another program, or the machine is very busy", Fix: install(version)}
	ctx, cancel := context.WithTimeoutCause(ctx, greeting, late)
	defer cancel()
	err = i.client.Hello(ctx, channel.Hello{Version: version, CacheDir: c.o.CacheDir, Root: c.o.Root})
	if m := (*channel.MismatchError)(nil); errors.As(err, &m) {
		err = &UnavailableError{What: fmt.Sprintf("%s has another version than weft", path), Why: err.Error(), Fix: "install both again: " + install(version), Err: err}
	}
	return i, err
}

// Close ends the program, if it is running: it closes its input, and a second later kills it
// with all that it has started. Open requests fail.
func (c *Companion) Close() {
	c.lock <- struct{}{}
	defer func() { <-c.lock }()
	c.closed = true
	if c.current != nil {
		c.current.end()
		c.current = nil
	}
}

// leaving is the time limit for the program to end.
const leaving = time.Second

// instance is a program that was started.
type instance struct {
	table  *proc.Table
	group  *proc.Group
	client *channel.Client // nil in a room
	out    *os.File        // its standard output
	ended  chan struct{}   // closed when it has ended
	status string          // how it has ended; may be read when ended is closed
}

// launch starts the program at path. The caller must close in, which is its standard input, and
// end the instance.
func launch(path string, environ, args []string) (i *instance, in io.WriteCloser, err error) {
	stdin, toIt, err := os.Pipe()
	if err != nil {
		return nil, nil, err
	}
	defer stdin.Close()
	fromIt, out, err := os.Pipe()
	if err != nil {
		toIt.Close()
		return nil, nil, err
	}
	defer out.Close()
	i = &instance{table: proc.NewTable(proc.Options{Environ: environ}), out: fromIt, ended: make(chan struct{})}
	i.group = i.table.NewGroup(proc.GroupOptions{Name: Name})
	p, err := i.group.Start(&proc.Spec{Path: path, Argv: append([]string{Name}, args...), Env: environ, Stdin: stdin, Stdout: out, Confirm: true})
	if err != nil {
		toIt.Close()
		fromIt.Close()
		i.table.Close(false)
		return nil, nil, err
	}
	go i.wait(p)
	return i, onceCloser{toIt}, nil
}

// onceCloser closes a pipe once. Closing it again is not an error.
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

// alive reports whether the program can be sent requests.
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

// errOver is the cause of a group whose program was told to end.
var errOver = errors.New("weft-companion was stopped")

// end requests the program's end, kills it if necessary, and returns its result.
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

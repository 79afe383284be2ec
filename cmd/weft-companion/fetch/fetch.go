// Package fetch is the room of weft-companion that gets remote Taskfiles, by
// HTTP and from git repositories. It returns bytes and where they came from; it
// judges neither their trust nor their content, and asks nobody: that is weft's.
//
// What it does not do, whatever is asked: accept a certificate that is not
// valid, send headers, client certificates or passwords to another host than they
// are for, follow a redirect to a host that was not named, read a file of this
// machine, or hold more than the limit of a file.
package fetch

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/weftrun/weft/engine/channel"
	"github.com/weftrun/weft/engine/proc"
	"github.com/weftrun/weft/internal/taskurl"
)

// Options configure a Room.
type Options struct {
	// Environ is the environment, for git and what it runs, and for proxies.
	Environ []string
}

// Room answers requests. It may be used concurrently.
type Room struct {
	environ []string
	clients clients
	turns   turns
	table   *proc.Table // of git's processes
	temp    func() (string, error)

	ctx   context.Context // done when the room is closed
	close context.CancelFunc

	mu        sync.Mutex // guards the fields below
	cacheDir  string
	tempDir   *tempDir // nil until one is needed
	checkouts map[checkoutKey]*checkout
	fetching  sync.WaitGroup
}

// New returns a Room. It starts nothing.
func New(o Options) *Room {
	r := &Room{environ: o.Environ, table: proc.NewTable(proc.Options{Environ: o.Environ}), checkouts: map[checkoutKey]*checkout{}}
	r.ctx, r.close = context.WithCancel(context.Background())
	r.temp = sync.OnceValues(r.makeTemp)
	return r
}

// Hello takes note of weft's cache directory.
func (r *Room) Hello(weft channel.Hello) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cacheDir = weft.CacheDir
}

// Close ends what is under way and removes what was only for this run.
func (r *Room) Close() {
	r.close()
	r.fetching.Wait()
	r.table.Close(false)
	r.clients.close()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.tempDir != nil {
		r.tempDir.remove()
	}
}

// makeTemp makes the directory for what lives as long as the Room.
func (r *Room) makeTemp() (string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var err error
	if r.tempDir, err = newTempDir(r.cacheDir); err != nil {
		return "", err
	}
	return r.tempDir.path, nil
}

// Taskfile fetches one file. Every error is a *channel.Error, unless ctx is done.
func (r *Room) Taskfile(ctx context.Context, q *channel.TaskfileRequest) (*channel.Taskfile, error) {
	u, err := taskurl.Parse(q.URL)
	if err != nil {
		return nil, &channel.Error{Kind: channel.Invalid, Text: err.Error()}
	}
	if u.Scheme() == "http" && !q.Insecure {
		return nil, insecure()
	}
	if q.MaxBytes <= 0 || q.MaxBytes > channel.MaxTaskfile {
		q.MaxBytes = channel.MaxTaskfile
	}
	leave, err := r.turns.enter(ctx, u.Host())
	if err != nil {
		return nil, err
	}
	defer leave()
	limited, cancel := limit(ctx, q.Timeout)
	defer cancel()
	get := r.overHTTP
	if u.Kind == taskurl.Git {
		get = r.fromGit
	}
	t, err := get(limited, q, u)
	switch {
	case err == nil:
		return t, nil
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case limited.Err() != nil:
		return nil, &channel.Error{Kind: channel.TimedOut, Text: fmt.Sprintf("no complete answer within %s", q.Timeout)}
	}
	return nil, asError(err)
}

// limit returns a context that is done after d; zero is no limit.
func limit(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	if d <= 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, d)
}

func insecure() *channel.Error {
	return &channel.Error{Kind: channel.Insecure, Text: "the connection would not be encrypted"}
}

func tooLarge(max int64) *channel.Error {
	size := fmt.Sprintf("%d bytes", max)
	if max%(1<<20) == 0 {
		size = fmt.Sprintf("%d MiB", max>>20)
	}
	return &channel.Error{Kind: channel.TooLarge, Text: "it has more than " + size}
}

// asError makes any error one that can be sent.
func asError(err error) *channel.Error {
	var e *channel.Error
	if !errors.As(err, &e) {
		e = &channel.Error{Kind: channel.Unknown, Text: err.Error()}
	}
	return e
}

// perHost is how many requests go to one host at a time.
const perHost = 8

// turns lets perHost requests to each host in. The zero value is ready.
type turns struct {
	mu    sync.Mutex // guards slots
	slots map[string]chan struct{}
}

// enter waits for a turn, which leave gives to the next.
func (t *turns) enter(ctx context.Context, host string) (leave func(), err error) {
	t.mu.Lock()
	slots := t.slots[host]
	if slots == nil {
		if t.slots == nil {
			t.slots = map[string]chan struct{}{}
		}
		slots = make(chan struct{}, perHost)
		t.slots[host] = slots
	}
	t.mu.Unlock()
	select {
	case slots <- struct{}{}:
		return func() { <-slots }, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

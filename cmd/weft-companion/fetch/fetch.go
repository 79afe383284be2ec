// Package fetch is the room of weft-companion that gets remote Taskfiles, by HTTP and from git
// repositories. It returns their content and location. It neither decides whether they are trusted,
// nor interprets them, nor prompts the user: weft does that.
//
// No request makes it accept an invalid certificate, send headers, client certificates or passwords
// to a host that they are not for, follow a redirect to a host that is not in the request, read a
// file of this machine, or store more of a file than its limit.
package fetch

import (
	"context"
	"fmt"
	"net/http"
	"sync"

	"github.com/weftrun/weft/engine/channel"
	"github.com/weftrun/weft/engine/proc"
	"github.com/weftrun/weft/internal/taskurl"
)

// Options configure a Room.
type Options struct {
	// Environ is the environment, for git and its programs, and for proxies.
	Environ []string
}

// Room answers requests. It is safe for concurrent use.
type Room struct {
	environ []string
	clients clients
	limiter hostLimiter
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
	r := &Room{environ: o.Environ, table: proc.NewTable(proc.Options{Environ: o.Environ}), checkouts: map[checkoutKey]*checkout{},
		clients: clients{all: map[certificates]*http.Transport{}}, limiter: hostLimiter{slots: map[string]chan struct{}{}}}
	r.ctx, r.close = context.WithCancel(context.Background())
	r.temp = sync.OnceValues(r.makeTemp)
	return r
}

// Hello records weft's cache directory.
func (r *Room) Hello(weft channel.Hello) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cacheDir = weft.CacheDir
}

// Close cancels all requests, waits for their end, and removes the temporary directory.
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

// makeTemp makes the temporary directory, which Close removes.
func (r *Room) makeTemp() (string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var err error
	if r.tempDir, err = newTempDir(r.cacheDir); err != nil {
		return "", err
	}
	return r.tempDir.path, nil
}

// Taskfile fetches one file. The errors are those of [channel.Handler].
func (r *Room) Taskfile(ctx context.Context, q *channel.TaskfileRequest) (*channel.Taskfile, error) {
	u, err := taskurl.Parse(q.URL)
	if err != nil {
		return nil, &channel.Error{Kind: channel.Invalid, Text: err.Error()}
	}
	if u.Scheme() == "http" && !q.Insecure {
		return nil, &channel.Error{Kind: channel.Insecure, Text: "the connection would not be encrypted"}
	}
	if q.MaxBytes <= 0 || q.MaxBytes > channel.MaxTaskfile {
		q.MaxBytes = channel.MaxTaskfile
	}
	leave, err := r.limiter.acquire(ctx, u.Host())
	if err != nil {
		return nil, err
	}
	defer leave()
	limited := ctx
	if q.Timeout > 0 {
		var cancel context.CancelFunc
		limited, cancel = context.WithTimeout(ctx, q.Timeout)
		defer cancel()
	}
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
		return nil, &channel.Error{Kind: channel.TimedOut, Text: fmt.Sprintf("no complete response within %s", q.Timeout)}
	}
	return nil, err
}

func tooLarge(max int64) *channel.Error {
	size := fmt.Sprintf("%d bytes", max)
	if max%(1<<20) == 0 {
		size = fmt.Sprintf("%d MiB", max>>20)
	}
	return &channel.Error{Kind: channel.TooLarge, Text: "it has more than " + size}
}

// perHost is the maximum number of concurrent requests to one host.
const perHost = 8

// hostLimiter limits the number of concurrent requests to each host to perHost.
type hostLimiter struct {
	mu    sync.Mutex // guards slots
	slots map[string]chan struct{}
}

// acquire waits until a request to host is allowed. The caller must call leave after the request.
func (t *hostLimiter) acquire(ctx context.Context, host string) (leave func(), err error) {
	t.mu.Lock()
	slots := t.slots[host]
	if slots == nil {
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

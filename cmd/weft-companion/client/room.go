package client

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/weftrun/weft/engine/cache"
	"github.com/weftrun/weft/engine/channel"
	"github.com/weftrun/weft/engine/pipe"
	"github.com/weftrun/weft/engine/proc"
)

// Options configure a Room.
type Options struct {
	// Environ is the environment: for headers, the token, and the credential helper.
	Environ []string
	// Version is that of weft, which servers are told.
	Version string
}

// Room answers requests about a shared cache, as [channel.CacheHandler] says. It may be used
// concurrently.
type Room struct {
	o     Options
	table *proc.Table // of credential helpers

	mu   sync.Mutex // guards the fields below
	root string     // directory of the root Taskfile
	all  []*connection
}

// connection is what one ConnectRequest has made.
type connection struct {
	cache  *Cache
	local  *cache.Disk
	queue  *queue
	off    string // why there is none; then the fields above are nil
	say    *speaker
	remote bool // of remote execution
}

// New returns a Room. It starts nothing.
func New(o Options) *Room {
	return &Room{o: o, table: proc.NewTable(proc.Options{Environ: o.Environ})}
}

// Hello takes note of the directory of the root Taskfile.
func (r *Room) Hello(weft channel.Hello) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.root = weft.Root
}

// Close drops what is to be stored, and ends all connections.
func (r *Room) Close() {
	r.mu.Lock()
	all := r.all
	r.all = nil
	r.mu.Unlock()
	for _, c := range all {
		if c.cache != nil {
			c.queue.close()
			c.cache.auth.close()
			c.cache.server.Close()
			c.cache.screen.ended.Wait()
			c.local.Close()
		}
	}
	r.table.Close(false)
}

// last returns the connection of the last ConnectRequest of a kind.
func (r *Room) last(remote bool) (*connection, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range slices.Backward(r.all) {
		if c.remote == remote {
			return c, nil
		}
	}
	return nil, &channel.Error{Kind: channel.Invalid, Text: "there is no connection to such a server"}
}

// Connect connects to a server.
func (r *Room) Connect(ctx context.Context, q *channel.ConnectRequest) (*channel.Connection, error) {
	c := &connection{say: &speaker{secrets: new(pipe.Secrets), executes: q.Remote}, remote: q.Remote}
	if err := r.open(c, q); err != nil {
		c.off = c.say.clean(err.Error())
		c.say.warnDown(fmt.Sprintf("cannot be used (%s)", c.off))
	}
	r.mu.Lock()
	r.all = append(r.all, c)
	r.mu.Unlock()
	answer := &channel.Connection{Server: c.say.server, Off: c.off}
	if c.off == "" {
		err := c.cache.ready(ctx)
		a, off := c.cache.status()
		if err != nil && off == "" {
			off = c.say.describe(err)
		}
		answer.Off = off
		answer.API, answer.MaxBatch, answer.MaxBlob = a.API, a.MaxBatch, a.MaxBlob
		answer.Zstd, answer.Reads, answer.Writes, answer.Executes = a.PackedStreams, off == "", a.Writes && off == "", a.Executes && off == ""
	}
	answer.Warnings = c.say.take()
	return answer, nil
}

// open prepares the connection that a request describes.
func (r *Room) open(c *connection, q *channel.ConnectRequest) error {
	a, err := parseAddress(q.URL)
	c.say.server = a.name()
	if err != nil {
		c.say.server = "the server"
		return err
	}
	auth, err := newCredentials(q, &a, r.o.Environ, c.say.secrets)
	if err != nil {
		return err
	}
	r.mu.Lock()
	root := r.root
	r.mu.Unlock()
	if q.Helper != "" {
		h, err := newHelper(q.Helper, &a, root, r.o.Environ, r.table)
		if err != nil && err != errNotForHost {
			return err
		}
		auth.helper = h
		auth.failed = func(why string) {
			c.say.warn("helper", fmt.Sprintf("is used without credentials, since the credential helper has failed (%s)", c.say.clean(why)))
		}
	}
	if err := checkExposure(q, &a, auth); err != nil {
		return err
	}
	config, err := tlsConfig(q, &a, true)
	if err != nil {
		return err
	}
	if q.Insecure && !a.tls && !a.loopback {
		c.say.warn("insecure", "is used without encryption: others on the way can change what is found there")
	}
	if q.Key != "" && readableByOthers(q.Key) {
		c.say.warn("key", fmt.Sprintf("is shown a certificate whose key others on this machine can read: chmod 600 %s", q.Key))
	}
	d := &dialer{address: &a, plain: !a.tls && !q.Insecure, proxy: systemProxy}
	t := new(traffic)
	var server Server
	if a.rpc {
		server, err = newGRPC(&a, d.dial, config, auth, identity{version: r.o.Version, run: q.Run}, t)
	} else {
		server, err = newWeb(&a, d, q, auth, t)
	}
	if err != nil {
		return err
	}
	local, err := cache.Open(q.Local)
	if err != nil {
		server.Close()
		return err
	}
	c.local, c.cache = local, newCache(server, local, q.Push, c.say, auth, t)
	c.queue = newQueue(c.cache.storeGroup)
	return nil
}

// Lookup looks for a result.
func (r *Room) Lookup(ctx context.Context, q *channel.LookupRequest) (*channel.Found, error) {
	c, err := r.last(q.Remote)
	if err != nil {
		return nil, err
	}
	a := new(channel.Found)
	if c.off != "" || c.cache.isOff() {
		a.Lookup, a.Warnings = channel.Off, c.say.take()
		return a, nil
	}
	action := cache.Digest(q.Action)
	f, err := c.cache.lookup(ctx, Call{Action: action.Hex(), Task: q.Task}, action)
	switch {
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case err == nil:
		a.Lookup, a.Result, a.Large = channel.Hit, f.message, channel.Blob(f.large)
	case c.cache.isOff():
		a.Lookup = channel.Off
	}
	a.Warnings = c.say.take()
	return a, nil
}

// Fetch puts blobs into the local cache.
func (r *Room) Fetch(ctx context.Context, q *channel.FetchRequest) (*channel.Fetched, error) {
	c, err := r.last(q.Remote)
	if err != nil {
		return nil, err
	}
	a := new(channel.Fetched)
	if c.off != "" {
		a.Problem = c.off
		return a, nil
	}
	missing, err := c.cache.fetch(ctx, Call{Task: q.Task}, digestsOf(q.Blobs))
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if err != nil {
		a.Problem = c.say.describe(err)
	}
	for _, b := range missing {
		a.Missing = append(a.Missing, channel.Blob(b))
	}
	a.Warnings = c.say.take()
	return a, nil
}

// Upload has the server of remote execution have inputs.
func (r *Room) Upload(ctx context.Context, q *channel.UploadRequest) (*channel.Uploaded, error) {
	c, err := r.last(true)
	if err != nil {
		return nil, err
	}
	a := new(channel.Uploaded)
	a.Failure, err = c.answer(ctx, func() error {
		return c.cache.provide(ctx, Call{Action: cache.Digest(q.Action).Hex(), Task: q.Task}, q.Inputs, q.Again)
	})
	a.Warnings = c.say.take()
	return a, err
}

// Execute has an action executed.
func (r *Room) Execute(ctx context.Context, q *channel.ExecuteRequest, stage func(channel.Stage)) (*channel.Executed, error) {
	c, err := r.last(true)
	if err != nil {
		return nil, err
	}
	a := new(channel.Executed)
	action := cache.Digest(q.Action)
	call := Call{Action: action.Hex(), Task: q.Task, Profile: q.Profile}
	a.Failure, err = c.answer(ctx, func() error {
		r, err := c.cache.execute(ctx, &execution{call: call, action: action, skip: q.SkipLookup, limit: q.Limit, told: stage})
		if err != nil {
			return err
		}
		a.Worker = c.say.clean(r.result.GetExecutionMetadata().GetWorker())
		return c.cache.take(ctx, call, r, a)
	})
	a.Warnings = c.say.take()
	return a, err
}

// answer returns the failure that do returns, or else the error of the request.
func (c *connection) answer(ctx context.Context, do func() error) (channel.Failure, error) {
	if c.off != "" {
		return channel.Failure{Class: channel.Infrastructure, Text: c.off}, nil
	}
	err := do()
	if err == nil {
		return channel.Failure{}, nil
	}
	var f *failed
	if !errors.As(err, &f) && !errors.As(c.cache.infrastructure(ctx, err), &f) {
		return channel.Failure{}, err
	}
	return channel.Failure{Class: f.class, Text: c.say.clean(f.text)}, nil
}

// Store has a result stored.
func (r *Room) Store(_ context.Context, q *channel.StoreRequest) (*channel.Stored, error) {
	c, err := r.last(false)
	if err != nil {
		return nil, err
	}
	a := new(channel.Stored)
	if c.off == "" && !c.cache.isOff() {
		a.Accepted, err = c.store(q)
	}
	a.Warnings = c.say.take()
	return a, err
}

// store queues a result.
func (c *connection) store(q *channel.StoreRequest) (accepted bool, err error) {
	if a, _ := c.cache.status(); !a.Writes {
		return false, nil
	}
	action, message := cache.Digest(q.Action), q.Result
	if cache.DigestOf(q.Message) != action || (len(q.Result) == 0) == (q.Large == channel.Blob{}) || q.Large.Size > cache.MaxResult {
		return false, &channel.Error{Kind: channel.Invalid, Text: "what is to be stored is not whole"}
	}
	if len(message) == 0 {
		if message, err = c.cache.read(cache.Digest(q.Large)); err != nil {
			return false, &channel.Error{Text: "the local cache: " + err.Error()}
		}
	}
	blobs, err := blobsOf(message)
	if err != nil {
		return false, &channel.Error{Kind: channel.Invalid, Text: "the result to be stored cannot be read: " + err.Error()}
	}
	s := &storage{call: Call{Action: action.Hex(), Task: q.Task}, action: action, blobs: blobs, memory: map[cache.Digest][]byte{}, result: q.Result, large: cache.Digest(q.Large)}
	messages := [][]byte{q.Message, q.Command}
	if slices.Contains(blobs, cache.DigestOf(emptyTree)) {
		messages = append(messages, emptyTree) // the local cache does without it
	}
	for _, m := range messages {
		d := cache.DigestOf(m)
		s.blobs, s.memory[d] = append(s.blobs, d), m
	}
	if !c.queue.add(s) {
		c.say.warn("queue", "is too slow for what is to be stored: not everything is")
		return false, nil
	}
	return true, nil
}

// Flush waits until everything is stored, or has failed.
func (r *Room) Flush(ctx context.Context, q *channel.FlushRequest) (*channel.Totals, error) {
	c, err := r.last(q.Remote)
	if err != nil {
		return nil, err
	}
	a := new(channel.Totals)
	if c.off == "" {
		if q.Limit > 0 {
			limited, cancel := context.WithTimeout(ctx, min(q.Limit, time.Hour))
			defer cancel()
			c.queue.flush(limited)
		}
		a.Pushed, a.Pending = c.cache.pushed.Load(), int64(c.queue.pending())
		a.Up, a.Down = c.cache.traffic.up.Load(), c.cache.traffic.down.Load()
	}
	a.Warnings = c.say.last()
	return a, ctx.Err()
}

// emptyTree is the Tree of an empty directory.
var emptyTree = new(cache.Tree).Append(nil)

// blobsOf returns the blobs that a result names.
func blobsOf(message []byte) ([]cache.Digest, error) {
	r, err := cache.DecodeActionResult(message)
	if err != nil {
		return nil, err
	}
	log, err := r.Log()
	if err != nil {
		return nil, err
	}
	blobs := []cache.Digest{r.Stdout, log.Stdout}
	for i := range r.Files {
		blobs = append(blobs, r.Files[i].Digest)
	}
	for i := range r.Directories {
		blobs = append(blobs, r.Directories[i].Tree, r.Directories[i].Root)
	}
	return slices.DeleteFunc(blobs, func(b cache.Digest) bool { return b.Size == 0 && b != cache.DigestOf(nil) }), nil
}

func digestsOf(blobs []channel.Blob) []cache.Digest {
	digests := make([]cache.Digest, len(blobs))
	for i, b := range blobs {
		digests[i] = cache.Digest(b)
	}
	return digests
}

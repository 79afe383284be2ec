package fetch

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/weftrun/weft/engine/channel"
	"github.com/weftrun/weft/internal/taskurl"
)

// fetched is the ref in our bare repository that what was fetched is known by.
const fetched = "refs/weft/fetched"

// checkoutKey is what one git fetch gets, and with what.
type checkoutKey struct {
	repository, ref string
	insecure        bool
	certificates    certificates
	redirectHosts   string
}

// checkout is one repository at one ref, fetched once for all who ask for files
// of it.
type checkout struct {
	key  checkoutKey
	done chan struct{} // closed when the next four are set
	dir  string        // bare
	kept bool          // dir is in the cache directory
	err  error
	at   time.Time // of the end

	// Guarded by Room.mu:
	waiting int                // how many wait for it
	cancel  context.CancelFunc // ends the fetch, for which nobody waits any more
}

// fromGit reads the file at u, or else the first of q.Names in the directory
// there, out of a commit. There is no working tree, so nothing is checked out,
// filtered or followed.
func (r *Room) fromGit(ctx context.Context, q *channel.TaskfileRequest, u *taskurl.URL) (*channel.Taskfile, error) {
	if u.Scheme() == "git" {
		return nil, &channel.Error{Kind: channel.Insecure, Text: "git: connections are not encrypted: use https: or ssh:"}
	}
	t, kept, err := r.readFrom(ctx, q, u)
	if kept != "" && errors.Is(err, errDamaged) {
		os.RemoveAll(kept)
		t, _, err = r.readFrom(ctx, q, u)
	}
	return t, err
}

// readFrom reads what is asked for out of a commit that it has fetched. If that
// comes from the cache directory and is damaged, it returns where that is, and
// forgets it.
func (r *Room) readFrom(ctx context.Context, q *channel.TaskfileRequest, u *taskurl.URL) (t *channel.Taskfile, kept string, err error) {
	c, err := r.checkout(ctx, q, u)
	if err != nil {
		return nil, "", err
	}
	o, err := r.openObjects(ctx, c.dir)
	if err != nil {
		return nil, "", err
	}
	defer o.close()
	t, err = o.taskfile(q, u)
	if c.kept && errors.Is(err, errDamaged) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.forget(c)
		return nil, c.dir, err
	}
	return t, "", err
}

// forget lets what was fetched be fetched again; r.mu is held.
func (r *Room) forget(c *checkout) {
	if r.checkouts[c.key] == c {
		delete(r.checkouts, c.key)
	}
}

// failedFor is how long a failure stands for all who ask after it: long enough for
// those of one load, and not for all of a watch.
const failedFor = 5 * time.Second

// outdated reports whether what is asked for has to be fetched once more.
func (c *checkout) outdated() bool {
	select {
	case <-c.done:
		return c.err != nil && time.Since(c.at) > failedFor
	default:
		return false
	}
}

// checkout returns what u asks for, fetched.
func (r *Room) checkout(ctx context.Context, q *channel.TaskfileRequest, u *taskurl.URL) (*checkout, error) {
	key := checkoutKey{u.Repository, u.Ref, q.Insecure, certificates{q.CACert, q.Cert, q.CertKey}, strings.Join(q.RedirectHosts, " ")}
	r.mu.Lock()
	c := r.checkouts[key]
	if c == nil || c.outdated() {
		c = &checkout{key: key, done: make(chan struct{})}
		r.checkouts[key] = c
		var fetchCtx context.Context
		fetchCtx, c.cancel = context.WithCancel(r.ctx)
		r.fetching.Go(func() {
			defer c.cancel()
			c.dir, c.kept, c.err = r.fetch(fetchCtx, q, u)
			c.at = time.Now()
			close(c.done)
		})
	}
	c.waiting++
	r.mu.Unlock()
	select {
	case <-c.done:
		return c, c.err
	case <-ctx.Done():
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if c.waiting--; c.waiting == 0 {
		c.cancel()
		r.forget(c) // who asks again has it tried again
	}
	return nil, context.Cause(ctx)
}

// fetch fetches what u asks for into a bare directory. That of a commit is kept
// in the cache directory, and found there the next time: a commit never changes.
func (r *Room) fetch(ctx context.Context, q *channel.TaskfileRequest, u *taskurl.URL) (dir string, kept bool, err error) {
	place := ""
	if u.IsCommit() {
		place = r.keptDir(u)
	}
	if place != "" && r.holds(ctx, place, u.Ref) {
		return place, true, nil
	}
	if dir, err = r.newDir(); err != nil {
		return "", false, &channel.Error{Kind: channel.Git, Text: fmt.Sprintf("no directory to fetch into: %v", err)}
	}
	err = r.fetchInto(ctx, dir, q, u, u.Repository)
	if moved(err) {
		var repository string
		if repository, err = r.follow(ctx, q, u); err == nil {
			err = r.fetchInto(ctx, dir, q, u, repository)
		}
	}
	if err != nil {
		os.RemoveAll(dir)
		return "", false, err
	}
	if place != "" && (os.Rename(dir, place) == nil || r.replace(ctx, dir, place, u.Ref)) {
		return place, true, nil
	}
	return dir, false, nil
}

// replace puts dir where something stands that could not be renamed over:
// another weft was faster, which is as good, or what stands there is broken.
func (r *Room) replace(ctx context.Context, dir, kept, commit string) bool {
	if r.holds(ctx, kept, commit) {
		os.RemoveAll(dir)
		return true
	}
	os.RemoveAll(kept)
	return os.Rename(dir, kept) == nil
}

// keptDir returns where a commit is kept, "" without a cache directory.
func (r *Room) keptDir(u *taskurl.URL) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.cacheDir == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(u.Repository + "\x00" + strings.ToLower(u.Ref)))
	return filepath.Join(r.cacheDir, channel.CommitsDir, hex.EncodeToString(sum[:16])+".git")
}

// holds reports whether the bare directory is there and has the commit whole.
func (r *Room) holds(ctx context.Context, dir, commit string) bool {
	if info, err := os.Lstat(dir); err != nil || !info.IsDir() {
		return false
	}
	id, err := r.git(ctx, command{args: []string{"--git-dir=" + dir, "rev-parse", "--quiet", "--verify", fetched + "^{commit}"}})
	return err == nil && strings.TrimSpace(id) == strings.ToLower(commit)
}

// newDir makes an empty directory, which is removed when the Room is closed.
func (r *Room) newDir() (string, error) {
	parent, err := r.temp()
	if err != nil {
		return "", err
	}
	return os.MkdirTemp(parent, "")
}

// fetchInto fetches one commit, without its history, into dir.
func (r *Room) fetchInto(ctx context.Context, dir string, q *channel.TaskfileRequest, u *taskurl.URL, repository string) error {
	// An empty template: no hooks, no attributes, nothing that is the machine's.
	initialise := []string{"-c", "init.defaultObjectFormat=sha1", "init", "--quiet", "--bare", "--template=", dir}
	if u.IsCommit() && len(u.Ref) == 64 {
		initialise = append(initialise, "--object-format=sha256")
	}
	if _, err := r.git(ctx, command{args: initialise}); err != nil {
		return err
	}
	ref := u.Ref
	if ref == "" {
		ref = "HEAD"
	}
	remote := remoteOf(repository)
	_, err := r.git(ctx, command{
		args: []string{
			"--git-dir=" + dir, "-c", "core.hooksPath=" + os.DevNull, "-c", "http.followRedirects=false", "-c", "http.sslVerify=true",
			"-c", "gc.auto=0", "-c", "maintenance.auto=false", "-c", "fetch.writeCommitGraph=false",
			"fetch", "--quiet", "--depth=1", "--no-tags", "--no-recurse-submodules", "--", remote.url, "+" + ref + ":" + fetched,
		},
		environ: append(remote.environ(r.environ), remoteEnviron(q)...),
		hide:    u.Secrets(),
	})
	return err
}

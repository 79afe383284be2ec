package fetch

import (
	"cmp"
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

// fetched is the ref of the fetched commit in the bare repository.
const fetched = "refs/weft/fetched"

// checkoutKey identifies a git fetch: its source and its options.
type checkoutKey struct {
	repository, ref string
	insecure        bool
	certificates    certificates
	redirectHosts   string
}

// checkout is one repository at one ref. It is fetched once for all requests of its files.
type checkout struct {
	key       checkoutKey
	done      chan struct{} // closed when the next four are set
	dir       string        // of the bare repository
	kept      bool          // dir is in the cache directory
	err       error
	fetchedAt time.Time // end of the fetch

	// Guarded by Room.mu:
	waiting int                // number of requests that wait for it
	cancel  context.CancelFunc // ends the fetch when no request waits for it
}

// fromGit reads the file at u from a commit, or if u is a directory the first of q.Names in it. There
// is no working tree, so no file is written or filtered, and no link is followed.
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

// readFrom reads the requested file from the fetched commit. If the commit is in the cache directory
// and is damaged, it forgets it and returns its directory as kept.
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

// forget makes the next request fetch c again. r.mu is held.
func (r *Room) forget(c *checkout) {
	if r.checkouts[c.key] == c {
		delete(r.checkouts, c.key)
	}
}

// failureTTL is the time for which a failure is returned for later requests, too: long enough for
// all requests of one load, but not for a whole session of watch mode.
const failureTTL = 5 * time.Second

// outdated reports whether c has failed and must be fetched again.
func (c *checkout) outdated() bool {
	select {
	case <-c.done:
		return c.err != nil && time.Since(c.fetchedAt) > failureTTL
	default:
		return false
	}
}

// checkout returns the checkout for u, which it fetches if necessary.
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
			c.fetchedAt = time.Now()
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
		r.forget(c) // the next request tries it again
	}
	return nil, context.Cause(ctx)
}

// fetch fetches the repository and ref of u into a bare repository. If the ref is a commit, which
// never changes, the repository is kept in the cache directory for later runs.
func (r *Room) fetch(ctx context.Context, q *channel.TaskfileRequest, u *taskurl.URL) (dir string, kept bool, err error) {
	place := ""
	if u.IsCommit() {
		place = r.keptDir(u)
	}
	if place != "" && r.hasCommit(ctx, place, u.Ref) {
		return place, true, nil
	}
	if dir, err = r.temp(); err == nil {
		dir, err = os.MkdirTemp(dir, "")
	}
	if err != nil {
		return "", false, &channel.Error{Kind: channel.Git, Text: fmt.Sprintf("no directory for the fetch: %v", err)}
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

// replace moves dir to kept, which exists already. If kept is a complete repository, which another
// weft has fetched meanwhile, dir is removed instead.
func (r *Room) replace(ctx context.Context, dir, kept, commit string) bool {
	if r.hasCommit(ctx, kept, commit) {
		os.RemoveAll(dir)
		return true
	}
	os.RemoveAll(kept)
	return os.Rename(dir, kept) == nil
}

// keptDir returns the directory in which a commit is kept, or "" if there is no cache directory.
func (r *Room) keptDir(u *taskurl.URL) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.cacheDir == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(u.Repository + "\x00" + strings.ToLower(u.Ref)))
	return filepath.Join(r.cacheDir, channel.CommitsDir, hex.EncodeToString(sum[:16])+".git")
}

// hasCommit reports whether dir is a bare repository in which commit was fetched.
func (r *Room) hasCommit(ctx context.Context, dir, commit string) bool {
	if info, err := os.Lstat(dir); err != nil || !info.IsDir() {
		return false
	}
	id, err := r.git(ctx, command{args: []string{"--git-dir=" + dir, "rev-parse", "--quiet", "--verify", fetched + "^{commit}"}})
	return err == nil && strings.TrimSpace(id) == strings.ToLower(commit)
}

// fetchInto fetches one commit, without its history, into dir.
func (r *Room) fetchInto(ctx context.Context, dir string, q *channel.TaskfileRequest, u *taskurl.URL, repository string) error {
	// An empty template: no hooks and no attributes of the machine.
	initialise := []string{"-c", "init.defaultObjectFormat=sha1", "init", "--quiet", "--bare", "--template=", dir}
	if u.IsCommit() && len(u.Ref) == 64 {
		initialise = append(initialise, "--object-format=sha256")
	}
	if _, err := r.git(ctx, command{args: initialise}); err != nil {
		return err
	}
	remote := remoteOf(repository)
	_, err := r.git(ctx, command{
		args: []string{
			"--git-dir=" + dir, "-c", "core.hooksPath=" + os.DevNull, "-c", "http.followRedirects=false", "-c", "http.sslVerify=true",
			"-c", "gc.auto=0", "-c", "maintenance.auto=false", "-c", "fetch.writeCommitGraph=false",
			"fetch", "--quiet", "--depth=1", "--no-tags", "--no-recurse-submodules", "--", remote.url, "+" + cmp.Or(u.Ref, "HEAD") + ":" + fetched,
		},
		environ: append(remote.environ(r.environ), remoteEnviron(q)...),
		hide:    u.Secrets(),
	})
	return err
}

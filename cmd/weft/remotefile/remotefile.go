// Package remotefile gets remote Taskfiles for the loader, and decides whether they may be
// used.
//
// [Opener.Open] implements schema.LoadOptions.Open. For each file it uses the copy of an
// earlier run, if that is young enough, or requests it from the server through [Fetcher], which is
// the second program. Then it decides:
//
//	copy or answer ─▶ pinned by a checksum? trusted host? agreed to before? ─▶ use it
//	                                  no ─▶ ask, once for all ─▶ yes: remember, keep a copy
//	                                                             no, or nobody to ask: NotTrusted
//
// Copies are kept in a [cache], which anyone may fill: it proves nothing. The user's consent is
// recorded by [trust] in the user's state directory, which projects cannot write. The package knows
// neither HTTP nor git nor terminals.
package remotefile

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/weftrun/weft/engine/channel"
	"github.com/weftrun/weft/internal/statefile"
	"github.com/weftrun/weft/internal/taskurl"
	"github.com/weftrun/weft/schema"
	"github.com/weftrun/weft/schema/diag"
)

// Options configures what may be fetched, and what is trusted. The zero value fetches nothing,
// since it has no Fetch, and trusts nothing.
type Options struct {
	// Fetch fetches a file. It is called concurrently. An error that is not a
	// *channel.Error means that nothing can be fetched.
	Fetch func(ctx context.Context, r *channel.TaskfileRequest) (*channel.Taskfile, error)
	// CopiesOnly uses copies of any age, without fetching or prompting. A file without a
	// trusted copy is a hint.
	CopiesOnly bool

	Insecure bool          // http: is allowed
	Offline  bool          // use copies of any age; a file without one is an error
	Download bool          // fetch all files again
	Expiry   time.Duration // how long a copy is used without a request to the server; 0 means never
	Timeout  time.Duration // for each file
	// TrustedHosts are hosts, with their port if they have one, whose files need
	// no consent.
	TrustedHosts          []string
	CACert, Cert, CertKey string                      // files, as in channel.TaskfileRequest
	Headers               map[string][]channel.Header // by host, with the port if there is one

	CacheHome string // the user's cache directory; "" keeps no copies
	CacheDir  string // in place of weft's own below CacheHome; relative to the root directory
	StateHome string // the user's state directory; "" records no consent

	AssumeYes bool             // agree to everything
	ShowFirst bool             // show the content before asking
	Reference bool             // ask and fail with the texts of the reference
	Now       func() time.Time // nil means time.Now

	// Ask asks a question and returns the answer: "y", "d", or anything else, which means
	// no. It is nil if there is no user to ask.
	Ask func(ctx context.Context, question, choices string) (string, error)
	// Print shows a text, of one line or more.
	Print func(text string)
	// Warn shows a warning. It may be called concurrently.
	Warn func(*diag.Diagnostic)
}

// Opener opens remote files, each once: a file does not change for a whole run. Its methods
// are for one goroutine.
type Opener struct {
	o      Options
	trust  *trust
	cache  *cache
	opened map[string]*file // by location
	warned sync.Map         // what was warned of
}

// New returns an Opener. It does nothing before Open is called.
func New(o Options) *Opener {
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Opener{o: o, opened: map[string]*file{}}
}

// file is a remote file that is being opened.
type file struct {
	schema.RemoteFile
	location string

	source   string
	sum      string // of source, in hexadecimal
	name     string // of the file, if the URL is a directory of a repository
	etag     string
	fetched  bool // source is the server's, not a copy
	copied   *copied
	followed []string // hosts that the server may redirect to
	problem  *diag.Diagnostic
	absent   bool         // problem is that it does not exist
	redirect *taskurl.URL // problem is this redirect to another host
}

// Open implements schema.LoadOptions.Open; dir is the root directory.
func (op *Opener) Open(ctx context.Context, dir string, files []schema.RemoteFile) []schema.RemoteContent {
	if op.cache == nil {
		op.cache = &cache{place: op.o.cachePlace(dir), warn: op.unsafe}
		op.trust = &trust{home: op.o.StateHome, warn: op.unsafe}
	}
	all := make([]*file, len(files))
	var todo []*file
	for i, f := range files {
		location := f.URL.Redacted()
		if known := op.opened[location]; known != nil && known.problem == nil {
			all[i] = known
			continue
		}
		all[i] = &file{RemoteFile: f, location: location, followed: op.trust.redirects(location)}
		op.opened[location] = all[i]
		todo = append(todo, all[i])
	}
	op.getAll(ctx, todo)
	op.judge(ctx, todo)
	out := make([]schema.RemoteContent, len(all))
	for i, f := range all {
		out[i] = schema.RemoteContent{Source: f.source, Problem: f.problem, Absent: f.absent}
		if f.name != "" && f.URL.Kind == taskurl.Git {
			out[i].Found = f.URL.Join(f.name)
		}
	}
	return out
}

// maxRedirects is the maximum number of redirects of one file to other hosts.
const maxRedirects = 10

// getAll gets all files concurrently, and again those with redirects that the user agrees to.
func (op *Opener) getAll(ctx context.Context, files []*file) {
	for range maxRedirects {
		var wg sync.WaitGroup
		for _, f := range files {
			wg.Go(func() { op.get(ctx, f) })
		}
		wg.Wait()
		// With a checksum it does not matter who sends the content.
		files = slices.DeleteFunc(slices.Clone(files), func(f *file) bool {
			return f.redirect == nil || len(f.Checksums) == 0 && !op.consentToRedirect(ctx, f)
		})
		for _, f := range files {
			f.followed = append(f.followed, f.redirect.Host())
		}
		if len(files) == 0 {
			return
		}
	}
}

// get uses the copy of f, or requests it from the server.
func (op *Opener) get(ctx context.Context, f *file) {
	o := &op.o
	f.problem, f.redirect = nil, nil
	f.copied = op.cache.read(f)
	switch c := f.copied; {
	case !o.Insecure && (f.URL.Scheme() == "http" || f.URL.Scheme() == "git"):
		f.problem = insecure(f)
	case c != nil && (o.Offline || o.CopiesOnly || !o.Download && (f.URL.IsCommit() || c.isYoung(o.Now(), o.Expiry))):
		f.take(c)
	case o.CopiesOnly:
		f.problem = unread(f)
	case o.Offline:
		f.problem = &diag.Diagnostic{Kind: diag.NotCached,
			What: fmt.Sprintf("Taskfile %q was not found in the cache. Remove the --offline flag to use a remote copy or download it using the --download flag", f.location)}
	default:
		op.fetch(ctx, f)
	}
}

// fetch requests f from the server.
func (op *Opener) fetch(ctx context.Context, f *file) {
	o := &op.o
	r := &channel.TaskfileRequest{
		URL: f.URL.String(), Names: schema.FileNames(), Insecure: o.Insecure, CACert: o.CACert, Cert: o.Cert, CertKey: o.CertKey, Timeout: o.Timeout,
		RedirectHosts: slices.Concat(o.TrustedHosts, f.followed), Headers: o.Headers[f.URL.Host()],
	}
	if f.copied != nil {
		r.ETag = f.copied.etag
	}
	answer, err := o.Fetch(ctx, r)
	switch {
	case err != nil:
		op.failed(f, err)
	case answer.NotModified && f.copied != nil && r.ETag != "":
		f.take(f.copied)
		f.fetched = true
	case answer.NotModified:
		f.problem = fetchFailed(f, "the server reports that it has not changed, but there is no copy", "")
	default:
		f.source, f.name, f.etag, f.fetched = string(answer.Body), answer.Name, answer.ETag, true
		f.sum = Checksum(f.source)
	}
}

// take uses a copy.
func (f *file) take(c *copied) {
	f.source, f.sum, f.name, f.etag, f.fetched = c.source, c.sum, c.name, c.etag, false
}

// Checksum returns the SHA-256 of a file, in the form of checksum in a Taskfile.
func Checksum(source string) string {
	sum := sha256.Sum256([]byte(source))
	return hex.EncodeToString(sum[:])
}

// Clear removes all copies, and no other files. dir is the root directory.
func (op *Opener) Clear(dir string) error {
	return (&cache{place: op.o.cachePlace(dir)}).clear()
}

// cachePlace returns the place of the copies.
func (o *Options) cachePlace(root string) *statefile.Place {
	switch dir := o.CacheDir; {
	case dir != "" && !filepath.IsAbs(dir):
		return &statefile.Place{Base: filepath.Join(root, dir), Path: "remote", Project: root}
	case dir != "":
		return &statefile.Place{Base: dir, Path: "remote", Project: root}
	case o.CacheHome != "":
		return &statefile.Place{Base: o.CacheHome, Path: "weft/remote"}
	}
	return nil
}

// unsafe warns once that a file of state is not used.
func (op *Opener) unsafe(err error, consequence string) {
	d := &diag.Diagnostic{Severity: diag.Warning, What: err.Error(), Why: consequence}
	if u, ok := err.(*statefile.Unsafe); ok {
		d.Fix = u.Fix
	}
	if _, told := op.warned.LoadOrStore(d.What, true); !told && op.o.Warn != nil {
		op.o.Warn(d)
	}
}

package serve

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	repb "github.com/bazelbuild/remote-apis/build/bazel/remote/execution/v2"
	"google.golang.org/protobuf/proto"

	"github.com/weftrun/weft/engine/cache"
)

// A result is kept as its message after a seal, the SHA-256 of its key and the message: nothing
// else tells one that was damaged from another one.
const sealSize = sha256.Size

// maxResult is the maximum size of a result's message, in bytes.
const maxResult = 16 << 20

// resultKey returns what the result of an action is stored by: the digest of the action, or, in an
// instance that has a name, one of both. What an action is only its client knows: moon's are no
// messages that the CAS has.
func resultKey(instance string, action key) key {
	if instance == "" {
		return action
	}
	return sha256.Sum256([]byte(instance + "\x00" + action.String()))
}

func sealOf(k key, message []byte) []byte {
	h := sha256.New()
	h.Write(k[:])
	h.Write(message)
	return h.Sum(nil)
}

// putResult keeps a result, if it is well formed and all that it names is here; otherwise the
// error is a refusal.
func (s *store) putResult(k key, r *repb.ActionResult) error {
	if err := checkPaths(r); err != nil {
		return err
	}
	if err := s.complete(r); err != nil {
		return err
	}
	message, err := proto.MarshalOptions{Deterministic: true}.Marshal(r)
	if err != nil {
		return refuse(malformed, "the result cannot be encoded: %v", err)
	}
	if len(message) > maxResult {
		return refuse(tooLarge, "a result may have at most %d bytes, not %d", maxResult, len(message))
	}
	if err := s.writeResult(k, append(sealOf(k, message), message...)); err != nil {
		return err
	}
	s.checked.note(k, time.Now())
	s.collectIfLarge()
	return nil
}

func (s *store) writeResult(k key, b []byte) error {
	size := int64(len(b))
	if err := s.space.reserve(size); err != nil {
		s.collectSoon()
		return err
	}
	defer s.space.release(size)
	name := fmt.Sprintf("%016x", rand.Uint64())
	s.changing()
	f, err := s.tmp.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil {
		s.changing()
		err = s.results.add(k, s.tmp, name, size)
	}
	if err != nil {
		s.tmp.Remove(name)
		s.collectSoon()
	}
	return err
}

// result returns a result of which everything is here. Otherwise the error is a refusal, and the
// result is not kept any longer.
func (s *store) result(k key) (*repb.ActionResult, error) {
	missing := refuse(absent, "there is no result %s", k)
	if _, ok := s.results.use(k); !ok {
		return nil, missing
	}
	f, ok, err := s.results.open(k)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, missing
	}
	defer f.Close()
	r, err := readResult(f, k)
	if err == nil && !s.checked.recently(k, time.Now()) {
		if err = s.complete(r); err == nil {
			s.checked.note(k, time.Now())
		}
	}
	var no *refusal
	if errors.As(err, &no) {
		s.changing()
		s.results.remove(k, f)
		return nil, missing
	}
	return r, err
}

// readResult reads the file of a result. If it is damaged, the error is a refusal.
func readResult(f *os.File, k key) (*repb.ActionResult, error) {
	var b bytes.Buffer
	st, err := f.Stat()
	if err == nil && (st.Size() < sealSize || st.Size() > maxResult+sealSize) {
		err = refuse(malformed, "it is damaged")
	}
	if err == nil {
		b.Grow(int(st.Size()) + bytes.MinRead)
		_, err = b.ReadFrom(f)
	}
	if err != nil {
		return nil, err
	}
	seal, message := b.Next(sealSize), b.Bytes()
	r := new(repb.ActionResult)
	if !bytes.Equal(seal, sealOf(k, message)) || proto.Unmarshal(message, r) != nil {
		return nil, refuse(malformed, "it is damaged")
	}
	return r, nil
}

// checkPaths returns a refusal if a path in a result leads out of the directory of its action, or
// may be misread.
func checkPaths(r *repb.ActionResult) error {
	check := func(what, p string) error {
		switch {
		case !utf8.ValidString(p) || strings.ContainsRune(p, 0):
			return refuse(malformed, "the path %.80q of an output is not UTF-8 text", p)
		case p == "" && what == "directory":
			return nil // all of it
		case p == "" || path.IsAbs(p) || path.Clean(p) != p || p == ".." || strings.HasPrefix(p, "../"):
			return refuse(malformed, "the path %.80q of an output %s is not relative and clean", p, what)
		}
		return nil
	}
	for _, f := range r.OutputFiles {
		if err := check("file", f.GetPath()); err != nil {
			return err
		}
	}
	for _, d := range r.OutputDirectories {
		if err := check("directory", d.GetPath()); err != nil {
			return err
		}
	}
	//lint:ignore SA1019 clients of API 2.0 have these alone
	for _, links := range [...][]*repb.OutputSymlink{r.OutputSymlinks, r.OutputFileSymlinks, r.OutputDirectorySymlinks} {
		for _, l := range links {
			if err := check("link", l.GetPath()); err != nil {
				return err
			}
		}
	}
	return nil
}

// complete returns a refusal if something that a result names is not here. What is here counts as
// used.
func (s *store) complete(r *repb.ActionResult) error {
	need := func(d *repb.Digest) (cache.Digest, error) {
		digest, err := readDigest(d)
		if err == nil && !s.has(digest) {
			err = refuse(incomplete, "the result names the blob %s, which does not exist", digest)
		}
		return digest, err
	}
	for _, f := range r.OutputFiles {
		if _, err := need(f.GetDigest()); err != nil {
			return err
		}
	}
	for _, d := range [...]*repb.Digest{r.StdoutDigest, r.StderrDigest} {
		if d != nil {
			if _, err := need(d); err != nil {
				return err
			}
		}
	}
	for _, dir := range r.OutputDirectories {
		if dir.GetTreeDigest() == nil && dir.GetRootDirectoryDigest() == nil {
			return refuse(malformed, "the output directory %.80q has no digest", dir.GetPath())
		}
		if d := dir.GetTreeDigest(); d != nil {
			tree, err := need(d)
			if err == nil {
				err = s.completeTree(tree)
			}
			if err != nil {
				return err
			}
		}
		if d := dir.GetRootDirectoryDigest(); d != nil {
			root, err := need(d)
			if err == nil {
				err = s.completeDirectory(root, map[key]bool{}, 0)
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// checked remembers which results were complete a short while ago. Their blobs are still here,
// since what was used so lately is not removed.
type checked struct {
	mu sync.Mutex // guards at
	at map[key]time.Time
}

const (
	checkedFor = time.Minute
	maxChecked = 1 << 16 // results
)

func (c *checked) recently(k key, now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	t, ok := c.at[k]
	return ok && now.Sub(t) < checkedFor
}

func (c *checked) note(k key, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.at) >= maxChecked {
		clear(c.at)
	}
	c.at[k] = now
}

// expire forgets what is not recent any more.
func (c *checked) expire(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for k, t := range c.at {
		if now.Sub(t) >= checkedFor {
			delete(c.at, k)
		}
	}
}

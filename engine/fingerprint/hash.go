package fingerprint

import (
	"context"
	"crypto/sha256"
	"io"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// granularity is how long a file must have been left alone before its times
// prove anything: a second change within one tick of the kernel's clock leaves
// the same times ("racy git"). File systems whose times are whole seconds are
// given two.
const granularity = 50 * time.Millisecond

// younger reports whether a file with st may be changed after now without its
// times showing it.
func (st *stat) younger(now int64) bool {
	limit := now - int64(granularity)
	if st.ctime%int64(time.Second) == 0 && st.mtime%int64(time.Second) == 0 {
		limit = now - int64(2*time.Second)
	}
	return st.ctime >= limit || st.mtime >= limit
}

// regular reports whether there is content to read. Reading a pipe or a device
// would not end.
func (st *stat) regular() bool { return st.mode&typeMask == typeReg }

// kind is what a name with this stat, not followed, stands for.
func (st *stat) kind() kind {
	switch st.mode & typeMask {
	case typeDir:
		return isDir
	case typeLink:
		return isLink
	}
	return isFile
}

// hashed is the content of a file as it was when its stat was st.
type hashed struct {
	st     stat
	digest Digest
	young  bool // st proves nothing: read again next time
}

// known returns what an earlier reading in this process found, if it still
// counts.
func (t *Tree) known(it item) (hashed, bool) {
	var h hashed
	if it.d == nowhere {
		t.mu.Lock()
		h = t.hashes[it.e.name]
		t.mu.Unlock()
	} else {
		it.d.mu.Lock()
		if it.e.hash != nil {
			h = *it.e.hash
		}
		it.d.mu.Unlock()
	}
	return h, !h.young && h.st == it.e.st && h.digest != (Digest{})
}

func (t *Tree) remember(it item, h hashed) {
	if it.d == nowhere {
		t.mu.Lock()
		if t.hashes == nil {
			t.hashes = map[string]hashed{}
		}
		t.hashes[it.e.name] = h
		t.mu.Unlock()
		return
	}
	it.d.mu.Lock()
	it.e.hash = &h
	it.d.mu.Unlock()
}

// read hashes the items whose index is in todo, on all processors, and puts
// the results into into, which is indexed as items is. A file that cannot be
// read has the zero Digest.
func (t *Tree) read(ctx context.Context, items []item, todo []int32, into []hashed) error {
	if len(todo) == 0 {
		return nil
	}
	var next atomic.Int32
	work := func() {
		buf := buffers.Get().(*[128 << 10]byte)
		defer buffers.Put(buf)
		for {
			i := int(next.Add(1)) - 1
			if i >= len(todo) || ctx.Err() != nil {
				return
			}
			it := items[todo[i]]
			h, ok := t.known(it)
			if !ok {
				h = hashed{st: it.e.st, young: it.e.st.younger(clock())}
				switch {
				case it.e.kind == isDangling:
					h.digest = linkDigest(it.e.target())
				case it.e.st.regular():
					h.digest = hashFile(ctx, it.path(), buf[:])
				default:
					h.digest = notContent
				}
				if h.digest != (Digest{}) && ctx.Err() == nil {
					t.remember(it, h)
				}
			}
			into[todo[i]] = h
		}
	}
	var wg sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(todo)/8, 8) - 1 {
		wg.Go(work)
	}
	work()
	wg.Wait()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return nil
}

// notContent stands for the content of what is neither file nor directory.
var notContent = Digest{1}

// linkDigest stands for the content of a link that leads nowhere.
func linkDigest(target string) Digest { return sha256.Sum256([]byte("link\x00" + target)) }

var buffers = sync.Pool{New: func() any { return new([128 << 10]byte) }}

// hashFile returns the digest of a file's content, or the zero Digest.
func hashFile(ctx context.Context, p string, buf []byte) (d Digest) {
	f, err := os.OpenFile(p, os.O_RDONLY|noWait, 0)
	if err != nil {
		return Digest{}
	}
	defer f.Close()
	n, err := io.ReadFull(f, buf)
	if err == io.ErrUnexpectedEOF || err == io.EOF {
		return sha256.Sum256(buf[:n])
	}
	h := sha256.New()
	for err == nil {
		if ctx.Err() != nil {
			return Digest{}
		}
		h.Write(buf[:n])
		n, err = f.Read(buf)
	}
	if err != io.EOF {
		return Digest{}
	}
	h.Sum(d[:0])
	return d
}

package glob

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// Digest is the SHA-256 of a file's content. The zero Digest means that there is
// none that can be read.
type Digest [sha256.Size]byte

// String returns the digest in hexadecimal.
func (d Digest) String() string { return hex.EncodeToString(d[:]) }

// Content is the content of a file as it was with a Stat.
type Content struct {
	Stat   Stat
	Digest Digest
	Recent bool // Stat proves nothing; see Stat.Recent
}

// Digests returns the content of the files that Find finds, by absolute path. It does
// not read a file whose Stat is known. The only error is that of ctx.
func (t *Tree) Digests(ctx context.Context, dir string, ps []Pattern, gitignore bool) (map[string]Digest, error) {
	found, err := t.FindAndRead(ctx, dir, ps, gitignore)
	if err != nil {
		return nil, err
	}
	contents := make([]Content, len(found.Files))
	todo := make([]int32, len(found.Files))
	for i := range todo {
		todo[i] = int32(i)
	}
	if err := t.Read(ctx, found.Files, todo, contents); err != nil {
		return nil, err
	}
	digests := make(map[string]Digest, len(found.Files))
	for i, f := range found.Files {
		digests[f.Path()] = contents[i].Digest
	}
	return digests, nil
}

// DigestOf returns the digest of one file, as [Tree.Digests] has it; the zero Digest if
// there is none.
func (t *Tree) DigestOf(ctx context.Context, path string) Digest {
	found, _ := t.named(path)
	if len(found) == 0 {
		return Digest{}
	}
	buf := buffers.Get().(*buffer)
	defer buffers.Put(buf)
	return found[0].read(ctx, buf).Digest
}

// largeFile is the size from which a file is read beside others, in bytes.
const largeFile = 1 << 20

// Read reads the files whose index is in todo, on all processors, and stores what it
// finds in contents, which is indexed as files is. It does not read a file whose Stat
// is known. The only error is that of ctx.
func (t *Tree) Read(ctx context.Context, files []File, todo []int32, contents []Content) error {
	if len(todo) == 0 {
		return nil
	}
	var next atomic.Int32
	work := func() {
		buf := buffers.Get().(*buffer)
		defer buffers.Put(buf)
		for {
			i := int(next.Add(1)) - 1
			if i >= len(todo) || ctx.Err() != nil {
				return
			}
			f := files[todo[i]]
			c, ok := t.known(f)
			if !ok {
				c = f.read(ctx, buf)
				if c.Digest != (Digest{}) && ctx.Err() == nil {
					t.remember(f, c)
				}
			}
			contents[todo[i]] = c
		}
	}
	var size int64
	for _, i := range todo {
		size += files[i].e.st.Size
	}
	// A goroutine is worth eight files, or a large one.
	worth := max(len(todo)/8, min(len(todo), int(size/largeFile)))
	var wg sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), worth, 8) - 1 {
		wg.Go(work)
	}
	work()
	wg.Wait()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return nil
}

// known returns the content of a file that was read earlier in this process, if it is still valid.
func (t *Tree) known(f File) (Content, bool) {
	var c Content
	if f.d.byName {
		t.mu.Lock()
		c = t.contents[f.Path()]
		t.mu.Unlock()
	} else {
		f.d.mu.Lock()
		if f.e.content != nil {
			c = *f.e.content
		}
		f.d.mu.Unlock()
	}
	return c, !c.Recent && c.Stat == f.e.st && c.Digest != (Digest{})
}

func (t *Tree) remember(f File, c Content) {
	if f.d.byName {
		t.mu.Lock()
		if t.contents == nil {
			t.contents = map[string]Content{}
		}
		t.contents[f.Path()] = c
		t.mu.Unlock()
		return
	}
	f.d.mu.Lock()
	f.e.content = &c
	f.d.mu.Unlock()
}

func (f File) read(ctx context.Context, buf *buffer) Content {
	c := Content{Stat: f.e.st, Recent: f.e.st.Recent(time.Now())}
	switch {
	case f.Dangling():
		c.Digest = sha256.Sum256([]byte("link\x00" + f.Target()))
	case f.e.st.Regular():
		var same bool
		c.Digest, same = f.hash(ctx, buf[:])
		c.Recent = c.Recent || !same
	default:
		c.Digest = notContent
	}
	return c
}

// notContent is the digest of anything that is neither file nor directory.
var notContent = Digest{1}

type buffer [128 << 10]byte

var buffers = sync.Pool{New: func() any { return new(buffer) }}

// Open opens a file for reading. It does not block if the file has become a pipe.
func (f File) Open() (*os.File, error) { return open(f.Path()) }

func open(path string) (*os.File, error) { return os.OpenFile(path, os.O_RDONLY|noWait, 0) }

// Unreadable returns why a file cannot be read; nil if it can.
func (f File) Unreadable() error {
	r, err := f.Open()
	if err != nil {
		return reason(err)
	}
	defer r.Close()
	if _, err := r.Read(make([]byte, 1)); err != io.EOF {
		return reason(err)
	}
	return nil
}

// hash returns the digest of a file's content, or the zero Digest, and whether it is the file that
// its Stat is about: another one may have come to be at its path, also by a link that was replaced.
func (f File) hash(ctx context.Context, buf []byte) (d Digest, same bool) {
	r, err := openContent(f.d.prefix, f.e.name)
	if err != nil {
		return Digest{}, false
	}
	defer r.Close()
	opened, err := r.stat()
	same = err == nil && opened == f.e.st
	n, err := r.Read(buf)
	if same && err == nil && n < len(buf) && int64(n) == opened.Size {
		return sha256.Sum256(buf[:n]), true
	}
	h := sha256.New()
	for err == nil {
		if ctx.Err() != nil {
			return Digest{}, false
		}
		h.Write(buf[:n])
		n, err = r.Read(buf)
	}
	if err != io.EOF {
		return Digest{}, false
	}
	h.Sum(d[:0])
	return d, same
}

package cache

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"time"
)

// encoder frames what is hashed: every text with its length before it, so that
// no two different sequences have one encoding.
type encoder struct {
	h   hash.Hash
	buf [8]byte
}

func newEncoder(kind string) *encoder {
	e := &encoder{h: sha256.New()}
	e.text(formatVersion)
	e.text(kind)
	return e
}

func (e *encoder) number(n int) {
	binary.LittleEndian.PutUint64(e.buf[:], uint64(n))
	e.h.Write(e.buf[:])
}

func (e *encoder) text(s string) {
	e.number(len(s))
	io.WriteString(e.h, s)
}

func (e *encoder) sum() (d Digest) {
	e.h.Sum(d[:0])
	return d
}

// digest covers everything of in that is not a file.
func (in *Inputs) digest() Digest {
	e := newEncoder("texts")
	e.text(relative(in.Root, in.Dir))        // another directory is another result
	e.text(runtime.GOOS)                     // tools differ
	e.text(runtime.GOARCH)                   //
	e.number(int(in.Method))                 // what was recorded differs
	e.text(strconv.FormatBool(in.Gitignore)) // other files count
	e.number(len(in.Fields))
	for _, f := range in.Fields {
		e.text(f.Name) // a variable that moves to another name
		e.text(f.Value)
	}
	for _, ps := range [...][]Pattern{in.Sources, in.Generates} {
		e.number(len(ps)) // another promise
		for _, p := range ps {
			e.text(strconv.FormatBool(p.Exclude))
			e.text(p.Glob)
		}
	}
	return e.sum()
}

// whole is the fingerprint: the texts and the files.
func (in *Inputs) whole(texts Digest, files []file) Digest {
	e := newEncoder("whole")
	e.h.Write(texts[:])
	base := relative(in.Root, in.Dir)
	e.number(len(files))
	for i := range files {
		f := &files[i]
		e.text(filepath.Join(base, f.path)) // moving counts
		e.number(int(f.mode))               // type and executable bit
		if in.Method == Timestamp {
			e.number(int(f.mtime))
			continue
		}
		e.h.Write(f.digest[:]) // content, or the target of a link
	}
	return e.sum()
}

func relative(root, dir string) string {
	if rel, err := filepath.Rel(root, dir); err == nil {
		return filepath.ToSlash(rel)
	}
	return dir
}

// stored are the fields as the state keeps them: of a secret only its digest.
func stored(in *Inputs) []Field {
	out := make([]Field, len(in.Fields))
	for i, f := range in.Fields {
		if f.Secret {
			f.Value = secretDigest(f.Value)
		}
		out[i] = f
	}
	return out
}

func secretDigest(s string) string {
	e := newEncoder("secret")
	e.text(s)
	d := e.sum()
	return d.String()[:16]
}

// file is one source. path is relative to Inputs.Dir, with slashes.
type file struct {
	path         string
	size         int64
	mtime, ctime int64 // nanoseconds; mtime 0 in an entry: never equal
	ino          uint64
	mode         uint32 // type and executable bit
	digest       Digest // zero: not known
}

func (f *file) sameStat(o *file) bool {
	return f.size == o.size && f.mtime == o.mtime && f.ctime == o.ctime && f.ino == o.ino && f.mode == o.mode && o.mtime != 0
}

// hash reads the file's content.
func (f *file) hash(ctx context.Context, dir string) error {
	path := filepath.Join(dir, filepath.FromSlash(f.path))
	r, err := os.Open(path)
	if err != nil {
		return err
	}
	defer r.Close()
	h := sha256.New()
	buf := make([]byte, 128<<10)
	for {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		n, err := r.Read(buf)
		h.Write(buf[:n])
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
	}
	h.Sum(f.digest[:0])
	return nil
}

// granularity is how coarse the times of files may be.
const granularity = 20 * time.Millisecond

// settled returns the files for an entry. One that was changed so shortly
// before it was looked at that a later change could leave the same times is
// marked, and read again next time ("racy git").
func settled(files []file, at time.Time) []file {
	out := make([]file, len(files))
	copy(out, files)
	limit := at.Add(-granularity).UnixNano()
	for i := range out {
		if out[i].mtime >= limit || out[i].ctime >= limit {
			out[i].mtime = 0
		}
	}
	return out
}

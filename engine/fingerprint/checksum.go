package fingerprint

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"time"

	"github.com/weftrun/weft/engine/fingerprint/state"
	"github.com/weftrun/weft/engine/glob"
	"github.com/weftrun/weft/internal/xxh3"
)

// Checksum is the variable CHECKSUM as the format defines it: XXH3-128 over
// base name and content of every source, in order; its halves in hexadecimal
// without leading zeros. While the stat of the sources is unchanged, the recorded value is returned
// and nothing is read.
func (by *Checker) Checksum(ctx context.Context, dir string, ps []glob.Pattern, gitignore bool) (string, error) {
	found, err := by.files.Find(ctx, dir, ps, gitignore)
	if err != nil {
		return "", err
	}
	k := memoOf(dir, ps, gitignore)
	stats := statsOf(dir, found.Files)
	if r, ok := by.state.Get(k); ok && len(r.Head) == 2*len(stats) && statSum(r.Head) == stats {
		return checksumText(r.Head[len(stats):]), nil
	}
	now := time.Now()
	h := new(xxh3.Hasher)
	buf := make([]byte, 32<<10)
	young := false
	for _, file := range found.Files {
		if ctx.Err() != nil {
			return "", context.Cause(ctx)
		}
		io.WriteString(h, file.Name())
		if !file.Stat().Regular() { // a dangling link, a pipe
			io.WriteString(h, file.Target())
			continue
		}
		f, err := file.Open()
		if err != nil {
			return "", err
		}
		_, err = io.CopyBuffer(h, struct{ io.Reader }{f}, buf)
		f.Close()
		if err != nil {
			return "", err
		}
		young = young || file.Stat().Recent(now)
	}
	sum := h.Sum128().Bytes()
	if !young {
		by.state.PutLater(k, append(stats[:], sum[:]...), nil)
	}
	return checksumText(sum[:]), nil
}

// checksumText is CHECKSUM for a sum.
func checksumText(sum []byte) string {
	return fmt.Sprintf("%x%x", binary.BigEndian.Uint64(sum), binary.BigEndian.Uint64(sum[8:]))
}

// memoOf returns the key under which a CHECKSUM is stored: it identifies the sources.
func memoOf(dir string, ps []glob.Pattern, gitignore bool) state.Key {
	b := framed([]byte("checksum"), dir)
	if gitignore {
		b = append(b, 1)
	}
	for _, p := range ps {
		if p.Exclude {
			b = append(b, '!')
		}
		b = framed(b, p.Glob)
	}
	return state.KeyOf(formatVersion, string(b))
}

// Timestamp is the variable TIMESTAMP: the time of the newest source, local;
// the start of 1970 when there is none.
func (by *Checker) Timestamp(ctx context.Context, dir string, ps []glob.Pattern, gitignore bool) (time.Time, error) {
	found, err := by.files.Find(ctx, dir, ps, gitignore)
	if err != nil {
		return time.Time{}, err
	}
	var newest int64
	for _, f := range found.Files {
		newest = max(newest, f.Stat().Mtime)
	}
	return time.Unix(0, newest), nil
}

package fingerprint

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/weftrun/weft/engine/glob"
	"github.com/weftrun/weft/internal/xxh3"
)

// Checksum is the variable CHECKSUM as the format defines it: XXH3-128 over
// base name and content of every source, in order; its halves in hexadecimal
// without leading zeros. While the stat of the sources is what it was, the
// recorded value is returned and nothing is read.
func (s *Store) Checksum(ctx context.Context, t *glob.Tree, dir string, ps []glob.Pattern, gitignore bool) (string, error) {
	t.Hide(s.dir)
	found, err := t.Find(ctx, dir, ps, gitignore)
	if err != nil {
		return "", err
	}
	k := memoOf(dir, ps, gitignore)
	stats := statsOf(dir, found.Files)
	if e := s.load(k); e != nil && e.stats == stats && !e.young {
		return text(e.made), nil
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
		if !file.Stat().Regular() { // a link that leads nowhere, a pipe
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
		young = young || file.Stat().Young(now)
	}
	sum := statSum(h.Sum128().Bytes())
	if !young {
		s.save(k, &entry{stats: stats, made: sum}, true)
	}
	return text(sum), nil
}

func text(sum statSum) string {
	var hi, lo uint64
	for i := range 8 {
		hi, lo = hi<<8|uint64(sum[i]), lo<<8|uint64(sum[i+8])
	}
	return fmt.Sprintf("%x%x", hi, lo)
}

// memoOf is where a CHECKSUM is remembered: by what it is of.
func memoOf(dir string, ps []glob.Pattern, gitignore bool) id {
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
	return idOf(string(b))
}

// Timestamp is the variable TIMESTAMP: the time of the newest source, local;
// the start of 1970 when there is none.
func (s *Store) Timestamp(ctx context.Context, t *glob.Tree, dir string, ps []glob.Pattern, gitignore bool) (time.Time, error) {
	t.Hide(s.dir)
	found, err := t.Find(ctx, dir, ps, gitignore)
	if err != nil {
		return time.Time{}, err
	}
	var newest int64
	for _, f := range found.Files {
		newest = max(newest, f.Stat().Mtime)
	}
	return time.Unix(0, newest), nil
}

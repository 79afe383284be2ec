package cache

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/zeebo/xxh3"
)

// Checksum is the variable CHECKSUM: XXH3-128 over base name and content of
// every file, in order, as the format defines it.
func (s *Store) Checksum(ctx context.Context, t *Tree, dir string, ps []Pattern, gitignore bool) (string, error) {
	paths, err := t.Glob(ctx, dir, ps, gitignore)
	if err != nil {
		return "", err
	}
	h := xxh3.New()
	buf := make([]byte, 128<<10)
	for _, p := range paths {
		if ctx.Err() != nil {
			return "", context.Cause(ctx)
		}
		if !filepath.IsAbs(p) {
			p = filepath.Join(dir, p)
		}
		f, err := os.Open(p)
		if err != nil {
			return "", err
		}
		io.WriteString(h, filepath.Base(p))
		_, err = io.CopyBuffer(h, struct{ io.Reader }{f}, buf)
		f.Close()
		if err != nil {
			return "", err
		}
	}
	sum := h.Sum128()
	return fmt.Sprintf("%x%x", sum.Hi, sum.Lo), nil
}

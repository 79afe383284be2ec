package executor

import (
	"context"
	"crypto/sha256"
	"maps"
	"slices"

	"github.com/weftrun/weft/engine/glob"
)

// SourcesDigest returns a digest of the names and contents of a service's sources, without the
// files that it generates. It is zero for a service without sources.
func (b *Bound) SourcesDigest(ctx context.Context) (sum [sha256.Size]byte, err error) {
	patterns := Patterns(b.Step.Sources())
	if len(patterns) == 0 {
		return sum, nil
	}
	for _, p := range Patterns(b.Step.Generates()) {
		patterns = append(patterns, glob.Pattern{Glob: p.Glob, Exclude: !p.Exclude})
	}
	files, err := b.tree.Digests(ctx, b.Dir, patterns, b.Step.Gitignore())
	if err != nil {
		return sum, err
	}
	h := sha256.New()
	for _, path := range slices.Sorted(maps.Keys(files)) {
		digest := files[path]
		h.Write([]byte(path + "\x00"))
		h.Write(digest[:])
	}
	h.Sum(sum[:0])
	return sum, nil
}

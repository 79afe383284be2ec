package executor

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/weftrun/weft/engine/cache"
	"github.com/weftrun/weft/engine/fingerprint"
	"github.com/weftrun/weft/engine/glob"
	"github.com/weftrun/weft/engine/plan"
)

// cacheKey returns the key of the result of b, a cached step, from the sources that its check
// found.
func (l *fresh) cacheKey(ctx context.Context, b *Bound) (*cache.Key, error) {
	in, err := l.fileInputs(ctx, b)
	if err != nil {
		return nil, err
	}
	s := b.Step.ForFingerprint()
	if l.expander != nil {
		if s, err = l.expander.ForCacheKey(ctx, b.Step); err != nil {
			return nil, err
		}
	}
	if err := l.eachPart(ctx, b, s, func(p part) { addPart(in, &p) }); err != nil {
		return nil, err
	}
	return cache.NewKey(in)
}

// fileInputs returns inputs with the files that the check of b has found, and with all else that is
// the same wherever b is performed.
func (l *fresh) fileInputs(ctx context.Context, b *Bound) (*cache.Inputs, error) {
	in := &cache.Inputs{}
	in.Act.Dir = strings.TrimSuffix(glob.Relative(l.root, b.Dir+"/"), "/")
	in.Dirs = emptyDirs(in.Act.Dir, b.Step.Sources())
	in.Files = make([]cache.File, 0, b.check.Sources()+len(in.Dirs)+1) // plus the directories that NewKey adds
	err := b.check.EachFile(ctx, func(f fingerprint.File) {
		if !b.HandedOver(f.Path) {
			in.Files = append(in.Files, inputFile(&f))
		}
	})
	if err != nil {
		return nil, err
	}
	for _, f := range b.handed {
		in.Files = append(in.Files, f)
	}
	in.Act.Captured = b.Capture
	for _, g := range b.Step.Writes() {
		in.Act.Generates = append(in.Act.Generates, cache.Pattern{Glob: l.fromRoot(in.Act.Dir, g.Pattern), Exclude: g.Exclude})
	}
	return in, nil
}

func inputFile(f *fingerprint.File) cache.File {
	out := cache.File{Path: f.Path, Executable: f.Executable, Target: filepath.ToSlash(f.Target)}
	if f.Digest != (glob.Digest{}) {
		out.Digest = cache.Digest{Hash: f.Digest, Size: f.Size}
	}
	return out
}

// addPart adds p to the inputs of the key.
func addPart(in *cache.Inputs, p *part) {
	act := &in.Act
	switch p.kind {
	case partCommand:
		act.Commands = append(act.Commands, []byte(p.value))
	case partEnv:
		if !strings.HasPrefix(p.name, "WEFT_") {
			in.Env = append(in.Env, cache.EnvironmentVariable{Name: p.name, Value: p.value})
		}
	case partKey:
		act.Keys = append(act.Keys, p.value)
	case partInherited:
		act.Inherited = append(act.Inherited, cache.Inherited{Name: p.name, Value: p.value, Set: p.set})
	case partSalt:
		in.Salt = p.value
	case partOutput:
		act.Outputs = append(act.Outputs, cache.Value{Name: p.name, Made: p.value})
	case partInput:
		act.Inputs = append(act.Inputs, []byte(p.value))
	default:
		panic(fmt.Sprintf("executor: a part of the kind %d", p.kind))
	}
}

// fromRoot converts a pattern relative to dir to one relative to the root.
func (l *fresh) fromRoot(dir, pattern string) string {
	if strings.Contains(pattern, "$") {
		pattern = os.ExpandEnv(pattern)
	}
	switch rest, inside := strings.CutPrefix(pattern, strings.TrimSuffix(l.root, "/")+"/"); {
	case inside:
		return rest
	case dir == "" || filepath.IsAbs(pattern):
		return pattern
	}
	return dir + "/" + pattern
}

// emptyDirs returns the directories that exist even if they contain no files, relative to the root:
// the directory of the commands, and sources that end with a slash and name one.
func emptyDirs(dir string, sources []plan.Glob) (dirs []string) {
	add := func(d string) {
		if d != "." && d != ".." && !strings.HasPrefix(d, "../") {
			dirs = append(dirs, d)
		}
	}
	if dir != "" {
		add(dir)
	}
	for _, g := range sources {
		if strings.HasSuffix(g.Pattern, "/") && !g.Exclude && !filepath.IsAbs(g.Pattern) && !strings.ContainsAny(g.Pattern, `*?[{$~\'"`) {
			add(filepath.ToSlash(filepath.Join(dir, g.Pattern)))
		}
	}
	return dirs
}

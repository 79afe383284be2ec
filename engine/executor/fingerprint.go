package executor

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/weftrun/weft/engine/fingerprint"
	"github.com/weftrun/weft/engine/glob"
	"github.com/weftrun/weft/engine/plan"
)

// inputs returns everything the step's fingerprint covers.
func (l *fresh) inputs(ctx context.Context, b *Bound) (*fingerprint.Inputs, error) {
	in := new(fingerprint.Inputs)
	return in, l.fillInputs(ctx, b, in)
}

// fillInputs is like inputs but reuses the lists of in.
func (l *fresh) fillInputs(ctx context.Context, b *Bound, in *fingerprint.Inputs) error {
	s := b.Step
	err := l.fillFileInputs(ctx, b, in)
	if err != nil || in.V3 {
		return err
	}
	in.FilesOnly, in.Outputs = false, b.readable()
	err = l.eachPart(ctx, b, s.ForFingerprint(), func(p part) {
		in.Fields = append(in.Fields, p.field())
	})
	if err != nil {
		return err
	}
	for _, u := range s.Scope.Uses() {
		in.Fields = append(in.Fields, fingerprint.Field{Name: "var " + u.Name, Value: fmt.Sprint(u.Value), Secret: s.Scope.Secret(u.Name)})
	}
	if in.Depfile != nil {
		in.Fields = append(in.Fields, fingerprint.Field{Name: "depfile", Value: in.Depfile.Glob})
	}
	// What the files read here were made from.
	s.Needs(func(n *plan.Step) {
		if k := originOf(n); k != nil && (k.holds.Load() || b.ahead) && reads(b.Dir, in.Sources, n, l.root) {
			in.Fields = append(in.Fields, fingerprint.Field{Name: "need " + n.Label, Value: k.digest.String()[:16]})
		}
	})
	return nil
}

// fillFileInputs is the part of fillInputs about files.
func (l *fresh) fillFileInputs(ctx context.Context, b *Bound, in *fingerprint.Inputs) error {
	s := b.Step
	method, err := methodOf(s)
	if err != nil {
		return err
	}
	*in = fingerprint.Inputs{
		Name: s.Label, Root: l.root, Dir: b.Dir, Method: method, Fields: in.Fields[:0],
		Sources: appendPatterns(in.Sources[:0], s.Sources()), Generates: appendPatterns(in.Generates[:0], s.Writes()),
		Gitignore: s.Gitignore(),
	}
	if s.Rule() == plan.FingerprintV3 {
		return l.applyV3(ctx, b, in)
	}
	if d := s.Depfile(); d != nil {
		in.Depfile = &glob.Pattern{Glob: d.Pattern, Pos: d.Pos}
	}
	in.Key, in.FilesOnly = key(s), true
	return nil
}

// applyV3 changes inputs to the rules of the reference: one state per task, whatever its variables;
// names and contents of its sources, or their times; and the existence of generated files.
func (l *fresh) applyV3(ctx context.Context, b *Bound, in *fingerprint.Inputs) error {
	s := b.Step
	in.Key, in.V3, in.Outputs = s.Task.Pos.File.Path+"\x00"+s.Label+"\x00"+plan.FingerprintV3, true, b.readable()
	if in.Method != fingerprint.Checksum {
		return nil
	}
	sum, err := l.checker.Checksum(ctx, b.Dir, in.Sources, in.Gitignore)
	in.Sources, in.Fields = nil, []fingerprint.Field{{Name: "sources content", Value: sum}}
	return err
}

// MethodError is an unknown up-to-date method.
type MethodError struct{ Method string }

func (e *MethodError) Error() string { return fmt.Sprintf("invalid method %q", e.Method) }

// methodOf resolves the step's up-to-date method.
func methodOf(s *plan.Step) (fingerprint.Method, error) {
	switch m := s.Method(); m {
	case "", "checksum":
		return fingerprint.Checksum, nil
	case "timestamp":
		return fingerprint.Timestamp, nil
	case "none":
		return fingerprint.None, nil
	default:
		return 0, &MethodError{m}
	}
}

// key returns the key of the step's state: one per task and arguments, including those of the
// command line if they matter.
func key(s *plan.Step) string {
	key := s.Task.Pos.File.Path + "\x00" + s.Name + "\x00" + s.Arguments()
	for _, v := range s.Scope.CommandLineUses() {
		key += fmt.Sprintf("\x00%s=%v", v.Name, v.Value)
	}
	return key
}

// Patterns converts globs for the cache.
//
//go:noinline
func Patterns(gs []plan.Glob) []glob.Pattern {
	if len(gs) == 0 {
		return nil
	}
	return appendPatterns(make([]glob.Pattern, 0, len(gs)), gs)
}

//go:noinline
func appendPatterns(ps []glob.Pattern, gs []plan.Glob) []glob.Pattern {
	for _, g := range gs {
		ps = append(ps, glob.Pattern{Glob: g.Pattern, Exclude: g.Exclude, Pos: g.Pos})
	}
	return ps
}

// reads reports whether sources may match what the need generates. A false positive only makes the
// step run needlessly.
func reads(dir string, sources []glob.Pattern, need *plan.Step, root string) bool {
	needDir, err := need.Scope.Dir(context.Background())
	if err != nil {
		return true
	}
	for _, g := range need.Writes() {
		for _, s := range sources {
			if !g.Exclude && !s.Exclude && overlap(join(needDir, g.Pattern), join(dir, s.Glob)) {
				return true
			}
		}
	}
	return false
}

func join(dir, pattern string) string {
	if filepath.IsAbs(pattern) {
		return filepath.Clean(pattern)
	}
	return filepath.Join(dir, pattern)
}

// overlap compares the parts of two patterns before their first special characters.
func overlap(a, b string) bool {
	i, j := strings.IndexAny(a, `*?[{$~\`), strings.IndexAny(b, `*?[{$~\`)
	switch {
	case i < 0 && j < 0:
		return a == b || strings.HasPrefix(b, a+"/") // a may be a directory
	case i < 0:
		return strings.HasPrefix(a, b[:j]) || strings.HasPrefix(b[:j], a+"/")
	case j < 0:
		return strings.HasPrefix(b, a[:i])
	}
	return strings.HasPrefix(a[:i], b[:j]) || strings.HasPrefix(b[:j], a[:i])
}

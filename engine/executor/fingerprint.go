package executor

import (
	"cmp"
	"context"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/weftrun/weft/engine/fingerprint"
	"github.com/weftrun/weft/engine/glob"
	"github.com/weftrun/weft/engine/plan"
)

// inputs is everything the step's fingerprint covers.
func (l *fresh) inputs(ctx context.Context, b *Bound) (*fingerprint.Inputs, error) {
	s := b.Step
	in, err := l.fileInputs(ctx, b)
	if err != nil || in.Loose {
		return in, err
	}
	in.FilesOnly, in.Outputs = false, b.readable()
	env, err := s.Scope.DeclaredEnv(ctx)
	if err != nil {
		return nil, err
	}
	var encoded []byte
	for i, c := range s.Commands() {
		encoded = c.Encode(encoded[:0], false)
		in.Fields = append(in.Fields, fingerprint.Field{Name: "command " + strconv.Itoa(i+1), Value: string(encoded), Secret: c.Shown != c.Text})
	}
	for _, e := range env {
		in.Fields = append(in.Fields, fingerprint.Field{Name: "env " + e.Name, Value: fmt.Sprint(e.Value), Secret: true})
	}
	for _, u := range s.Scope.Uses() {
		in.Fields = append(in.Fields, fingerprint.Field{Name: "var " + u.Name, Value: fmt.Sprint(u.Value), Secret: s.Scope.Secret(u.Name)})
	}
	for _, o := range s.Outputs() {
		in.Fields = append(in.Fields, fingerprint.Field{Name: "output " + o.Name, Value: strings.TrimSpace(o.From + " " + o.As + " " + o.Path)})
	}
	s.EachInput(func(n *plan.Step) {
		digest, problem := b.steps.digest(n)
		err = cmp.Or(err, problem)
		in.Fields = append(in.Fields, fingerprint.Field{Name: "input " + n.Label, Value: digest, Secret: true})
	})
	// What the files read here were made from.
	s.Needs(func(n *plan.Step) {
		if d, ok := l.digests.Load(n); ok && reads(b.Dir, in.Sources, n, l.root) {
			in.Fields = append(in.Fields, fingerprint.Field{Name: "need " + n.Label, Value: d.(fingerprint.Digest).String()[:16]})
		}
	})
	return in, err
}

// fileInputs are the inputs as far as files go.
func (l *fresh) fileInputs(ctx context.Context, b *Bound) (*fingerprint.Inputs, error) {
	s := b.Step
	method, err := methodOf(s)
	if err != nil {
		return nil, err
	}
	in := &fingerprint.Inputs{
		Name: s.Label, Root: l.root, Dir: b.Dir, Method: method,
		Sources: Patterns(s.Sources()), Generates: Patterns(s.Generates()),
		Gitignore: s.Gitignore(),
	}
	if s.Rule() == plan.FingerprintV3 {
		return in, l.loosen(ctx, b, in)
	}
	in.Key, in.FilesOnly = key(s), true
	return in, nil
}

// loosen completes inputs by the rule of the format's own runner: one state a task, whatever
// it is called with; the names and the content of its sources, or their times; and that what
// it generates is there.
func (l *fresh) loosen(ctx context.Context, b *Bound, in *fingerprint.Inputs) error {
	s := b.Step
	in.Key, in.Loose, in.Outputs = s.Task.File.Path+"\x00"+s.Label+"\x00"+plan.FingerprintV3, true, b.readable()
	if in.Method != fingerprint.Checksum {
		return nil
	}
	sum, err := l.checker.Checksum(ctx, b.Dir, in.Sources, in.Gitignore)
	in.Sources, in.Fields = nil, []fingerprint.Field{{Name: "sources content", Value: sum}}
	return err
}

// MethodError is an up-to-date method that does not exist.
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

// key names the step's state: one per task and what it is called with, from
// the command line too where it makes a difference.
func key(s *plan.Step) string {
	key := s.Task.File.Path + "\x00" + s.Name + "\x00" + s.Arguments()
	for _, v := range s.Scope.Given() {
		key += fmt.Sprintf("\x00%s=%v", v.Name, v.Value)
	}
	return key
}

// Patterns are globs as the cache knows them.
func Patterns(gs []plan.Glob) []glob.Pattern {
	if len(gs) == 0 {
		return nil
	}
	ps := make([]glob.Pattern, len(gs))
	for i, g := range gs {
		ps[i] = glob.Pattern{Glob: g.Pattern, Exclude: g.Exclude, Pos: g.Pos}
	}
	return ps
}

// reads reports whether sources may match what the need generates. It may say
// yes where the answer is no: then the step runs once more than it had to.
func reads(dir string, sources []glob.Pattern, need *plan.Step, root string) bool {
	needDir, err := need.Scope.Dir(context.Background())
	if err != nil {
		return true
	}
	for _, g := range need.Generates() {
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

// overlap compares two patterns by what stands before their first special
// character.
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

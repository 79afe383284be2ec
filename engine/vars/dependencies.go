package vars

import (
	"context"
	"path/filepath"

	"github.com/weftrun/weft/schema"
)

// Dependencies returns the definitions that the values of refs come from, in their order: those
// that the names mean, and all that these refer to. A dynamic variable comes from everything before
// it, which its command sees. Dependencies computes nothing.
func (s *Scope) Dependencies(refs Refs) []*schema.Var {
	b := dependencySet{f: s.frame, at: make([]bool, s.work().top)}
	b.addNames(refs.names, refs.all, len(b.at))
	var out []*schema.Var
	for pos, in := range b.at {
		if in && !s.isMatch(pos) {
			v, _, _ := s.at(pos)
			out = append(out, v)
		}
	}
	return out
}

// dependencySet is a set of definitions, with all that they come from.
type dependencySet struct {
	f  *frame
	at []bool // by position
}

func (b *dependencySet) addNames(names []string, all bool, before int) {
	if all {
		for pos := range before {
			b.add(pos)
		}
	}
	for _, name := range names {
		if pos := b.f.find(name, before); pos >= 0 {
			b.add(pos)
		}
	}
}

func (b *dependencySet) add(pos int) {
	if b.at[pos] {
		return
	}
	b.at[pos] = true
	if b.f.isMatch(pos) {
		return
	}
	v, _, _ := b.f.at(pos)
	b.addNames(nil, v.Kind == schema.Dynamic, pos)
	b.f.eachTemplate(v, func(t *tmpl) { b.addNames(t.names, t.all, pos) })
}

// DotenvFiles returns the absolute paths of the dotenv files that commands of the task get
// variables from, its own and the root's, whether there are such files or not.
func (s *Scope) DotenvFiles(ctx context.Context) (paths []string, err error) {
	global := s.r.Global(s.mode)
	for _, f := range s.r.o.Workflow.Dotenv {
		path, err := global.Expand(ctx, f)
		if err != nil {
			return nil, err
		}
		if path != "" {
			paths = append(paths, filepath.Clean(s.r.below(path)))
		}
	}
	if s.call.Task == nil || len(s.call.Task.Dotenv) == 0 {
		return paths, nil
	}
	dir, err := s.Dir(ctx)
	if err != nil {
		return nil, err
	}
	for _, f := range s.call.Task.Dotenv {
		path, err := s.text(ctx, f.S, view{before: s.work().top})
		if err != nil {
			return nil, located(err, f.Pos)
		}
		paths = append(paths, filepath.Clean(absolute(dir, path)))
	}
	return paths, nil
}

package vars

import (
	"context"
	"path/filepath"
	"strings"

	"mvdan.cc/sh/v3/expand"

	"github.com/weftrun/weft/internal/limit"
)

// Dir returns the directory of the task's commands, as an absolute path. Outside of any task
// it is the root directory.
func (s *Scope) Dir(ctx context.Context) (string, error) {
	t := s.call.Task
	if t == nil || t.Dir.S == "" {
		return s.r.o.Workflow.Dir, nil
	}
	w := s.work()
	if w.dir != "" {
		return w.dir, nil
	}
	dir, err := s.text(ctx, t.Dir.S, view{before: w.top})
	if err != nil {
		if s.mode != Fast {
			return "", located(err, t.Dir.Pos)
		}
		dir = t.Dir.S
	}
	if dir, err = s.r.expandPath(dir); err != nil {
		return "", err
	}
	w.dir = filepath.Clean(s.r.below(dir))
	return w.dir, nil
}

// variablesDir returns the directory in which commands of the task's variables are run. It is
// needed before any of them is computed, so it sees only the process environment and the
// special variables, and expands neither ~ nor $VAR.
func (f *frame) variablesDir(ctx context.Context) (string, error) {
	w := f.work()
	w.dep |= ofTask
	if w.varDir == "" {
		dir := f.call.Task.Dir
		text, err := f.text(ctx, dir.S, view{})
		if err != nil {
			return "", located(err, dir.Pos)
		}
		w.varDir = filepath.Clean(f.r.below(text))
	}
	return w.varDir, nil
}

// below returns path, relative to the root directory, as an absolute path.
func (r *Resolver) below(path string) string { return absolute(r.o.Workflow.Dir, path) }

// absolute returns path, relative to dir, as an absolute path.
func absolute(dir, path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(dir, path)
}

// expandPath expands ~, $VAR from the process environment, and everything else that a shell
// expands in a here-document. Quotes and globs have no meaning.
func (r *Resolver) expandPath(path string) (string, error) {
	if !strings.ContainsAny(path, "$`~\\") {
		return path, nil
	}
	env := r.osEnv()
	get := func(name string) string { return env[name] }
	word, err := limit.Document(path, get)
	if err != nil {
		return "", err
	}
	return expand.Literal(&expand.Config{Env: expand.FuncEnviron(get)}, word)
}

package vars

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/weftrun/weft/schema"
)

// LoadDotenv reads the root dotenv files. It adds their variables to the global env, unless
// that or an earlier file defines them. Paths may refer to global env and vars, without those
// of the command line. It must return before any other method is called.
func (r *Resolver) LoadDotenv(ctx context.Context) error {
	files := r.o.Workflow.Dotenv
	if len(files) == 0 {
		return nil
	}
	r.setFindingDotenv(true)
	vs, err := r.rootDotenv(ctx, files)
	r.setFindingDotenv(false)
	if err != nil {
		return err
	}
	r.mu.Lock()
	r.dotenv = vs
	r.mu.Unlock()
	return nil
}

func (r *Resolver) setFindingDotenv(finding bool) {
	r.mu.Lock()
	r.findingDotenv = finding
	r.mu.Unlock()
	r.forget()
}

func (r *Resolver) rootDotenv(ctx context.Context, files []schema.Text) (schema.Vars, error) {
	s := r.Global(Full)
	var vs schema.Vars
	var bad *TemplateError
	for _, f := range files {
		path := f.S
		if bad == nil { // like the reference, expand no path after one that fails
			text, err := s.Expand(ctx, f)
			switch {
			case err == nil:
				path = text
			case errors.Is(err, ErrNotRun):
				continue // the path is unknown
			case !errors.As(err, &bad):
				return nil, err
			}
		}
		if path == "" {
			continue
		}
		path = r.below(path)
		values, err := ReadDotenv(ctx, path, r.shownPath(path))
		var line *DotenvLineError
		switch {
		case errors.As(err, &line):
			return nil, err
		case err != nil:
			return nil, fmt.Errorf("error reading env file %s: %w", path, err)
		}
		vs = addMissing(vs, r.o.Workflow.Env, values, f)
	}
	return vs, nil
}

// addMissing appends the variables of a file, sorted, that neither vs nor env has. Their
// values are templates.
func addMissing(vs, env schema.Vars, values map[string]string, file schema.Text) schema.Vars {
	names := make([]string, 0, len(values))
	for name := range values {
		if vs.Index(name) < 0 && env.Index(name) < 0 {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		vs = append(vs, schema.Var{Name: name, Value: values[name], Pos: file.Pos})
	}
	return vs
}

// taskDotenv reads the task's dotenv files.
func (f *frame) taskDotenv(ctx context.Context) (schema.Vars, error) {
	files := f.call.Task.Dotenv
	if len(files) == 0 {
		return nil, nil
	}
	f.w.dep |= ofTask
	dir, err := (&Scope{frame: f}).Dir(ctx)
	if err != nil {
		return nil, err
	}
	var vs schema.Vars
	for _, file := range files {
		path, err := f.text(ctx, file.S, view{before: f.w.top})
		if err != nil {
			if f.mode == Fast {
				continue
			}
			return nil, located(err, file.Pos)
		}
		if !filepath.IsAbs(path) {
			path = filepath.Join(dir, path)
		}
		values, err := ReadDotenv(ctx, path, f.r.shownPath(path))
		if err != nil {
			return nil, &DotenvError{File: file, Path: path, Err: err}
		}
		vs = addMissing(vs, nil, values, file)
	}
	return vs, nil
}

// shownPath returns a path to be shown: relative if it is below the directory in which weft
// was started.
func (r *Resolver) shownPath(path string) string {
	if rel, err := filepath.Rel(r.o.UserDir, path); err == nil && filepath.IsLocal(rel) {
		return rel
	}
	return path
}

// DotenvError is the error of a task's dotenv file that cannot be read.
type DotenvError struct {
	File schema.Text // as it is written
	Path string      // absolute
	Err  error
}

// Error returns only the text of Err, as the reference does.
func (e *DotenvError) Error() string { return e.Err.Error() }

// Unwrap returns Err.
func (e *DotenvError) Unwrap() error { return e.Err }

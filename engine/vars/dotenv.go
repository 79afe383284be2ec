package vars

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/joho/godotenv"

	"github.com/weftrun/weft/internal/fifo"
	"github.com/weftrun/weft/schema"
	"github.com/weftrun/weft/schema/diag"
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
	if err == nil {
		r.mu.Lock()
		r.dotenv = vs
		r.mu.Unlock()
	}
	return err
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
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if vs.Index(name) < 0 && env.Index(name) < 0 {
			vs = append(vs, schema.Var{Name: name, Value: values[name], Pos: file.Pos})
		}
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
		path = absolute(dir, path)
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

// maxDotenv is the largest dotenv file that is read, in bytes.
const maxDotenv = 16 << 20

// DotenvLineError is the error of a line in a dotenv file. It does not quote the file, which
// may contain secrets.
type DotenvLineError struct {
	Path string // as it is shown
	Line int    // from 1; 0 if it is unknown
	What string // what is wrong
}

func (e *DotenvLineError) Error() string {
	if e.Line == 0 {
		return e.Path + ": " + e.What
	}
	return fmt.Sprintf("%s:%d: %s", e.Path, e.Line, e.What)
}

var errLarge = errors.New("larger than a dotenv file may be")

// ReadDotenv reads the dotenv file at path. Errors call it name. A file that does not exist
// has no variables.
func ReadDotenv(ctx context.Context, path, name string) (map[string]string, error) {
	src, err := fifo.ReadAll(ctx, path, maxDotenv, errLarge)
	switch {
	case err == errLarge:
		return nil, &DotenvLineError{Path: name, What: fmt.Sprintf("larger than %d MiB: it cannot be a file of NAME=value lines", maxDotenv>>20)}
	case errors.Is(err, os.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, err
	}
	return parseDotenv(src, name)
}

// parseDotenv reads NAME=value lines. The parser may panic on other text, which becomes an
// error.
func parseDotenv(src []byte, name string) (values map[string]string, err error) {
	defer func() {
		if recover() != nil {
			values, err = nil, &DotenvLineError{Path: name, What: "a line must have the form NAME=value"}
		}
	}()
	src = bytes.TrimPrefix(src, []byte("\ufeff"))
	if line := growsAt(string(src)); line > 0 {
		return nil, &DotenvLineError{Path: name, Line: line, What: fmt.Sprintf("the values up to here have more than %d MiB", maxDotenv>>20)}
	}
	values, err = godotenv.UnmarshalBytes(src)
	if err != nil {
		return nil, dotenvProblem(string(src), name, err)
	}
	delete(values, "") // the parser's result for a last line that is a word without a newline
	return values, nil
}

// growsAt returns the line of src at which the values, with the variables in them replaced,
// become larger than maxDotenv together, or 0. Each value may be twice as large as the one
// before.
func growsAt(src string) int {
	if !strings.Contains(src, "$") {
		return 0
	}
	sizes := map[string]int{}
	total := 0
	for i, line := range strings.Split(src, "\n") {
		name, value, _ := strings.Cut(line, "=")
		name = strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(name), "export "))
		size := len(value)
		for _, part := range strings.Split(value, "$")[1:] {
			part = strings.TrimPrefix(part, "{")
			end := 0
			for end < len(part) && (isLetter(part[end]) || '0' <= part[end] && part[end] <= '9') {
				end++
			}
			size += sizes[part[:end]]
		}
		sizes[name] = size
		if total += size; total > maxDotenv {
			return i + 1
		}
	}
	return 0
}

// dotenvProblem converts an error of the parser, which quotes the file, to a
// DotenvLineError.
func dotenvProblem(src, name string, err error) error {
	src = strings.ReplaceAll(src, "\r\n", "\n")
	e := &DotenvLineError{Path: name, What: "a line must have the form NAME=value"}
	text := err.Error()
	if value, ok := strings.CutPrefix(text, "unterminated quoted value "); ok {
		e.What = "the quote that begins here is not closed"
		for i, line := range strings.Split(src, "\n") {
			if strings.HasSuffix(line, value) && !strings.HasSuffix(line, `\`+value) {
				e.Line = i + 1 // the last one: what follows it holds no such quote
			}
		}
		return e
	}
	if !strings.HasPrefix(text, `unexpected character "\n"`) && strings.HasPrefix(text, "unexpected character") {
		e.What += `; a name consists of letters, digits, "_" and "."`
	}
	if _, quoted, ok := strings.Cut(text, " near "); ok {
		if rest, err := strconv.Unquote(quoted); err == nil && strings.HasSuffix(src, rest) {
			e.Line = 1 + strings.Count(src[:len(src)-len(rest)], "\n")
		}
		return e
	}
	e.Line = 1 + strings.Count(strings.TrimRight(src, " \t\n"), "\n")
	return e
}

// CheckDotenv reports the dotenv files of a workflow that cannot be read. It ignores files
// that do not exist, and those whose paths need variables.
func CheckDotenv(w *schema.Workflow) diag.List {
	var list diag.List
	seen := map[string]bool{}
	check := func(dir string, files []schema.Text) {
		for _, f := range files {
			path := f.S
			if path == "" || schema.IsTemplate(path) {
				continue
			}
			path = absolute(dir, path)
			if seen[path] {
				continue
			}
			seen[path] = true
			if _, err := ReadDotenv(context.Background(), path, f.S); err != nil {
				list.Add(&diag.Diagnostic{Pos: f.Pos, Kind: diag.Other, What: err.Error()})
			}
		}
	}
	check(w.Dir, w.Dotenv)
	for _, t := range w.Tasks {
		dir := t.Dir.S
		if len(t.Dotenv) == 0 || schema.IsTemplate(dir) || strings.ContainsAny(dir, "$`~\\") {
			continue
		}
		check(absolute(w.Dir, dir), t.Dotenv)
	}
	return list
}

package vars

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"

	"github.com/joho/godotenv"
	"mvdan.cc/sh/v3/shell"

	"github.com/weftrun/weft/schema"
)

// Dir returns the directory of the task's commands, absolute.
func (s *Scope) Dir(ctx context.Context) (string, error) {
	if s.m.dir == "" {
		dir, err := s.dirAt(ctx, end)
		if err != nil {
			return "", err
		}
		s.m.dir = dir
	}
	return s.m.dir, nil
}

// varDir is the directory that dynamic variables of the task run in: the
// task's own variables cannot be part of it.
func (s *Scope) varDir(ctx context.Context) (string, error) {
	if s.m.varDir == "" {
		if s.m.inDir {
			return s.r.o.Workflow.Dir, nil
		}
		s.m.inDir = true
		dir, err := s.dirAt(ctx, place{taskBlock, 0})
		s.m.inDir = false
		if err != nil {
			return "", err
		}
		s.m.varDir = dir
	}
	return s.m.varDir, nil
}

func (s *Scope) dirAt(ctx context.Context, p place) (string, error) {
	root := s.r.o.Workflow.Dir
	if s.call.Task == nil || s.call.Task.Dir.S == "" {
		return root, nil
	}
	dir, err := s.expand(ctx, s.call.Task.Dir.S, p)
	if err != nil {
		return "", err
	}
	if dir, err = s.r.expandPath(dir); err != nil {
		return "", fmt.Errorf("dir %q: %w", s.call.Task.Dir.S, err)
	}
	if filepath.IsAbs(dir) {
		return filepath.Clean(dir), nil
	}
	return filepath.Join(root, dir), nil
}

// expandPath expands ~ and $VAR in a path.
func (r *Resolver) expandPath(path string) (string, error) {
	if path == "~" || strings.HasPrefix(path, "~/") {
		if home, ok := r.getenv("HOME"); ok {
			path = home + path[1:]
		}
	}
	if !strings.Contains(path, "$") {
		return path, nil
	}
	return shell.Expand(path, func(name string) string {
		v, _ := r.getenv(name)
		return v
	})
}

// declared is one variable that a workflow puts into the environment.
type declared struct {
	v    *schema.Var
	at   place
	text string // of dotenv files
	file bool   // text is the value
}

// Environ returns the complete environment of the task's commands. Tasks that
// add nothing of their own share one slice, which must not be changed.
func (s *Scope) Environ(ctx context.Context) ([]string, error) {
	if s.m.environ != nil {
		return s.m.environ, nil
	}
	t := s.call.Task
	if len(s.r.env) == 0 && (t == nil || len(t.Env) == 0 && len(t.Dotenv) == 0) {
		return s.r.o.Environ, nil
	}
	decl, err := s.DeclaredEnv(ctx)
	if err != nil {
		return nil, err
	}
	env := s.r.o.Environ
	if s.r.o.EnvPrecedence {
		names := map[string]bool{}
		for _, b := range decl {
			names[b.Name] = true
		}
		env = slices.DeleteFunc(slices.Clone(env), func(kv string) bool {
			name, _, _ := strings.Cut(kv, "=")
			return names[name]
		})
	}
	env = env[:len(env):len(env)]
	for _, b := range decl {
		if _, taken := s.r.getenv(b.Name); taken && !s.r.o.EnvPrecedence {
			continue
		}
		env = append(env, b.Name+"="+b.Value.(string))
	}
	s.m.environ = env
	return env, nil
}

// DeclaredEnv returns the environment that the workflow declares for the task,
// with the values its commands see, sorted by name. All values are strings.
func (s *Scope) DeclaredEnv(ctx context.Context) ([]Binding, error) {
	var list []declared
	index := map[string]int{}
	put := func(d declared, name string) {
		if i, ok := index[name]; ok {
			list[i] = d
			return
		}
		index[name] = len(list)
		list = append(list, d)
	}
	for i := range s.r.env {
		put(declared{v: &s.r.env[i], at: place{envBlock, i}}, s.r.env[i].Name)
	}
	if t := s.call.Task; t != nil {
		file, err := s.taskDotenv(ctx)
		if err != nil {
			return nil, err
		}
		for i := range file {
			put(declared{v: &file[i], text: file[i].Value.(string), file: true}, file[i].Name)
		}
		for i := range t.Env {
			put(declared{v: &t.Env[i], at: end}, t.Env[i].Name)
		}
	}
	var out []Binding
	for _, d := range list {
		text, ok, err := s.exportedValue(ctx, d, out)
		if err != nil {
			return nil, err
		}
		if v, taken := s.r.getenv(d.v.Name); taken && !s.r.o.EnvPrecedence {
			text, ok = v, true
		}
		if ok {
			out = append(out, Binding{d.v.Name, text})
		}
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Name < out[j].Name })
	return out, nil
}

// exportedValue is the value of d in the environment of commands; before are
// those that come before it.
func (s *Scope) exportedValue(ctx context.Context, d declared, before []Binding) (string, bool, error) {
	if d.file {
		return d.text, true, nil
	}
	var value any
	var err error
	switch {
	case d.v.Kind == schema.Dynamic && d.at.block == envBlock:
		value, err = s.compute(ctx, d.v, d.at)
	case d.v.Kind == schema.Dynamic:
		value, err = s.envCommand(ctx, d.v, before)
	case d.v.Kind == schema.Ref:
		value, err = s.ref(ctx, d.v.Text, end)
	default:
		value, err = s.value(ctx, d.v.Value, end)
	}
	if err != nil {
		return "", false, err
	}
	text, ok := exported(value)
	return text, ok, nil
}

// envCommand runs the command of a task's env: in the task's directory, with
// the environment so far.
func (s *Scope) envCommand(ctx context.Context, v *schema.Var, before []Binding) (any, error) {
	if s.mode == Fast {
		return "", nil
	}
	text, err := s.expand(ctx, v.Text, end)
	if err != nil {
		return nil, err
	}
	dir := v.Dir
	if dir == "" {
		if dir, err = s.Dir(ctx); err != nil {
			return nil, err
		}
	}
	env := s.r.o.Environ[:len(s.r.o.Environ):len(s.r.o.Environ)]
	s.r.getenv("")
	for _, b := range before {
		env = s.r.export(env, b.Name, b.Value)
	}
	return s.r.run(ctx, text, dir, env)
}

// taskDotenv reads the task's dotenv files; the first to define a name wins.
func (s *Scope) taskDotenv(ctx context.Context) (schema.Vars, error) {
	if len(s.call.Task.Dotenv) == 0 {
		return nil, nil
	}
	dir, err := s.Dir(ctx)
	if err != nil {
		return nil, err
	}
	return s.dotenv(ctx, s.call.Task.Dotenv, dir)
}

// LoadDotenv reads the root dotenv files: their values join the global env for
// names that it does not set. It must return before anything else is asked.
func (r *Resolver) LoadDotenv(ctx context.Context) error {
	files := r.o.Workflow.Dotenv
	if len(files) == 0 {
		return nil
	}
	vs, err := r.Global(Full).dotenv(ctx, files, r.o.Workflow.Dir)
	if err != nil {
		return err
	}
	env := slices.Clone(r.env)
	for _, v := range vs {
		if env.Index(v.Name) < 0 {
			env = append(env, v)
		}
	}
	r.env = env
	return nil
}

func (s *Scope) dotenv(ctx context.Context, files []schema.Text, dir string) (schema.Vars, error) {
	var vs schema.Vars
	for _, f := range files {
		path, err := s.expand(ctx, f.S, end)
		if err != nil {
			return nil, err
		}
		if path == "" {
			continue
		}
		if path, err = s.r.expandPath(path); err != nil {
			return nil, err
		}
		if !filepath.IsAbs(path) {
			path = filepath.Join(dir, path)
		}
		values, err := readDotenv(path)
		if err != nil {
			return nil, fmt.Errorf("error reading env file %s: %w", path, err)
		}
		names := make([]string, 0, len(values))
		for n := range values {
			names = append(names, n)
		}
		sort.Strings(names)
		for _, n := range names {
			if vs.Index(n) < 0 {
				vs = append(vs, schema.Var{Name: n, Value: values[n], Pos: f.Pos})
			}
		}
	}
	return vs, nil
}

// readDotenv parses one file; one that is not there says nothing. The parser
// may panic on what is no dotenv file: that is an error like any other.
func readDotenv(path string) (values map[string]string, err error) {
	if _, err := os.Stat(path); os.IsNotExist(err) {
		return nil, nil
	}
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("not NAME=value lines: %v", p)
		}
	}()
	return godotenv.Read(path)
}

package vars

import (
	"context"
	"slices"
	"sort"
	"strconv"
	"strings"

	"github.com/weftrun/weft/schema"
)

// environment is the environment of commands. It is immutable.
type environment struct {
	all      []string  // complete
	declared []Binding // what the workflow declares, sorted; values are strings
	file     []Binding // the same with the values that it declares, whatever the process environment says
	// names are the variables that it was computed from. It is not valid in a scope where
	// they have other definitions.
	names  []string
	secret []string // names of declared variables
}

// Environ returns the complete environment of the task's commands. The result must not be
// modified: tasks that declare no environment share it.
func (s *Scope) Environ(ctx context.Context) ([]string, error) {
	if !s.declares() {
		return s.r.o.Environ, nil
	}
	e, err := s.environment(ctx)
	if err != nil {
		return nil, err
	}
	return e.all, nil
}

// DeclaredEnv returns the part of the environment that the workflow declares, with the values
// that the task's commands see, sorted by name. All values are strings. The result must not
// be modified.
func (s *Scope) DeclaredEnv(ctx context.Context) ([]Binding, error) {
	if !s.declares() {
		return nil, nil
	}
	e, err := s.environment(ctx)
	if err != nil {
		return nil, err
	}
	if !s.secretNames || len(e.secret) == 0 {
		return e.declared, nil
	}
	named := slices.Clone(e.declared)
	for i := range named {
		if name := named[i].Name; slices.Contains(e.secret, name) {
			named[i].Value = nameOf(name)
		}
	}
	return named, nil
}

// FileEnv is DeclaredEnv with the values that the workflow declares, for commands that run on another
// machine: the environment of this process does not override them. secret are the names of those that
// are secret. The results must not be modified.
func (s *Scope) FileEnv(ctx context.Context) (declared []Binding, secret []string, err error) {
	if !s.declares() {
		return nil, nil, nil
	}
	e, err := s.environment(ctx)
	if err != nil {
		return nil, nil, err
	}
	return e.file, e.secret, nil
}

// EnvKnown reports whether Environ needs neither a command nor a prompt: it has been computed, or
// all declared values are literals in the file.
func (s *Scope) EnvKnown() bool {
	if !s.declares() || s.w != nil && s.w.environ != nil {
		return true
	}
	t := s.call.Task
	written := func(v schema.Var) bool { return v.Kind == schema.Static && !hasTemplate(v.Value) }
	return (t == nil || len(t.Env)+len(t.Dotenv) == 0) && all(s.r.o.Workflow.Env, written) && all(s.r.dotenv, written)
}

func all(vs schema.Vars, f func(schema.Var) bool) bool {
	return !slices.ContainsFunc(vs, func(v schema.Var) bool { return !f(v) })
}

func (f *frame) declares() bool {
	t := f.call.Task
	return len(f.r.o.Workflow.Env)+len(f.r.dotenv) > 0 || t != nil && len(t.Env)+len(t.Dotenv) > 0
}

// environment computes the environment, or returns that of another task for which the same is
// declared.
func (f *frame) environment(ctx context.Context) (*environment, error) {
	w := f.work()
	if w.environ != nil {
		return w.environ, nil
	}
	t := f.call.Task
	own := t != nil && len(t.Env)+len(t.Dotenv) > 0
	if plain := f.r.plain.Load(); !own && f.mode == Full && plain != nil && f.r.globals.Load() == w.globals && !f.defines(plain.names) {
		w.environ = plain
		return plain, nil
	}
	before := w.dep
	w.dep = 0
	e, err := f.declare(ctx)
	dep := w.dep
	w.dep |= before
	if err != nil {
		return nil, err
	}
	w.environ = e
	if !own && f.mode == Full && dep == 0 && f.r.globals.Load() == w.globals {
		f.r.plain.Store(e)
	}
	return e, nil
}

// defines reports whether a definition after the global ones defines one of names.
func (f *frame) defines(names []string) bool {
	w := f.w
	if w.top <= w.atInclude+1 {
		return false
	}
	for _, name := range names {
		if f.find(name, w.top) >= w.atInclude {
			return true
		}
	}
	return false
}

// declaration is a variable that the workflow declares in the environment.
type declaration struct {
	v      *schema.Var
	global int // its position in the list, or -1
	value  any
	ready  bool
}

// declarations returns the declarations for the task, in order. A later one replaces an
// earlier one of the same name.
func (f *frame) declarations(ctx context.Context) ([]declaration, error) {
	n := len(f.r.o.Workflow.Env) + len(f.r.dotenv)
	list := make([]declaration, 0, n+4)
	at := make(map[string]int, n+4)
	put := func(v *schema.Var, global int) {
		if i, ok := at[v.Name]; ok {
			list[i] = declaration{v: v, global: global}
			return
		}
		at[v.Name] = len(list)
		list = append(list, declaration{v: v, global: global})
	}
	for i := range n {
		put(f.w.globals.defs[i], i)
	}
	t := f.call.Task
	if t == nil {
		return list, nil
	}
	files, err := f.taskDotenv(ctx)
	if err != nil {
		return nil, err
	}
	for i := range files {
		put(&files[i], -1)
	}
	for i := range t.Env {
		put(&t.Env[i], -1)
	}
	return list, nil
}

// declare computes the environment: first the values, then the commands, in order. Each
// command sees everything that is computed before it.
func (f *frame) declare(ctx context.Context) (*environment, error) {
	list, err := f.declarations(ctx)
	if err != nil {
		return nil, err
	}
	e := &environment{}
	from := view{before: f.w.top}
	for i := range list {
		d := &list[i]
		f.eachTemplate(d.v, func(t *tmpl) { e.names = append(e.names, t.names...) })
		if d.v.Secret {
			e.secret = append(e.secret, d.v.Name)
		}
		switch {
		case d.v.Kind == schema.Dynamic:
			continue
		case d.v.Kind == schema.Ref:
			d.value, err = f.ref(ctx, d.v.Text, from)
		default:
			d.value, err = f.value(ctx, d.v.Value, from)
		}
		if err != nil {
			if f.mode != Fast {
				return nil, located(err, d.v.Pos)
			}
			d.value = d.v.Value
		}
		d.ready = true
		f.reportDeclared(d)
	}
	for i := range list {
		d := &list[i]
		if d.ready || f.mode == Fast {
			continue
		}
		if d.value, err = f.declaredCommand(ctx, d, list); err != nil {
			return nil, located(err, d.v.Pos)
		}
		d.ready = true
		f.reportDeclared(d)
	}
	e.declared = known(list)
	e.all = f.r.environment(e.declared)
	if d := e.declared; len(d) > 1 {
		sort.Slice(d, func(i, j int) bool { return d[i].Name < d[j].Name })
	}
	e.file = e.declared
	if !f.r.o.EnvPrecedence {
		os := f.r.osEnv()
		for i, b := range e.file {
			if v, taken := os[b.Name]; taken && v != b.Value {
				if &e.file[0] == &e.declared[0] {
					e.declared = slices.Clone(e.file)
				}
				e.declared[i].Value = v
			}
		}
	}
	return e, nil
}

// declaredCommand runs a command of env, in the task's directory and with the environment
// computed so far. For a global one it returns the value of the variable, unless the task's
// variables make it another command.
func (f *frame) declaredCommand(ctx context.Context, d *declaration, list []declaration) (any, error) {
	if f.r.o.Shell == nil {
		return nil, ErrNotRun
	}
	text, err := f.text(ctx, d.v.Text, view{before: f.w.top})
	if err != nil || text == "" {
		return "", err
	}
	if d.global >= 0 {
		first, err := f.text(ctx, d.v.Text, view{before: d.global})
		if err == nil && first == text {
			c, err := f.eval(ctx, d.global)
			return c.v, err
		}
	}
	f.w.dep |= ofTask
	dir := f.r.below(d.v.Dir)
	if d.v.Dir == "" {
		if dir, err = (&Scope{frame: f}).Dir(ctx); err != nil {
			return nil, err
		}
	}
	add := known(list)
	key := make([]string, 0, len(add)+2)
	for _, b := range add {
		key = append(key, b.Name+"="+b.Value.(string))
	}
	slices.Sort(key)
	return f.r.run(ctx, command{v: d.v, text: text, dir: dir, env: f.r.environment(add), key: append(key, text, dir)})
}

// known returns the declarations whose values are computed and can be in an environment.
func known(list []declaration) []Binding {
	out := make([]Binding, 0, len(list))
	for i := range list {
		if text, ok := exported(list[i].value); ok && list[i].ready {
			out = append(out, Binding{list[i].v.Name, text})
		}
	}
	return out
}

// environment adds declared variables, whose values are strings, to the process environment,
// which has priority unless the experiment ENV_PRECEDENCE is on.
func (r *Resolver) environment(declared []Binding) []string {
	os := r.osEnv()
	all := make([]string, len(r.o.Environ), len(r.o.Environ)+len(declared))
	copy(all, r.o.Environ)
	for _, b := range declared {
		entry := b.Name + "=" + b.Value.(string)
		if _, taken := os[b.Name]; !taken {
			all = append(all, entry)
			continue
		}
		if !r.o.EnvPrecedence {
			continue
		}
		for i := range all {
			if strings.HasPrefix(all[i], b.Name+"=") {
				all[i] = entry
			}
		}
	}
	return all
}

// exported returns a value as it is written in an environment. ok is false unless it is a
// scalar.
func exported(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case bool:
		return strconv.FormatBool(v), true
	case int:
		return strconv.Itoa(v), true
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64), true
	case float32:
		return strconv.FormatFloat(float64(v), 'g', -1, 32), true
	}
	return "", false
}

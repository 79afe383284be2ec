package vars

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/weftrun/weft/internal/limit"
	"github.com/weftrun/weft/schema"
	"github.com/weftrun/weft/schema/diag"
)

// CommandError is the error of a dynamic variable whose command has failed. It does not
// unwrap, since the command's exit status is not that of a task's command.
type CommandError struct {
	Pos     diag.Pos // of the variable; not valid when unknown
	Command string
	Err     error // how it failed
}

func (e *CommandError) Error() string {
	return fmt.Sprintf(`Command "%s" failed: %v`, e.Command, e.Err)
}

// dynamic runs the command of v, the definition at pos.
func (f *frame) dynamic(ctx context.Context, v *schema.Var, pos int) (string, error) {
	if f.r.o.Shell == nil {
		return "", ErrNotRun
	}
	text, err := f.text(ctx, v.Text, view{before: pos})
	if err != nil || text == "" {
		return "", err
	}
	env, key, err := f.dynamicEnv(ctx, text, pos)
	if err != nil {
		return "", err
	}
	dir, err := f.dynamicDir(ctx, v, pos)
	if err != nil {
		return "", err
	}
	return f.r.run(ctx, command{v: v, text: text, dir: dir, env: env, key: append(key, text, dir)})
}

// Output runs a command that belongs to no variable and returns its output without one final
// newline. It is run in the directory and the environment of the task's commands, once for all
// callers with the same.
func (s *Scope) Output(ctx context.Context, t schema.Text) (string, error) {
	if s.r.o.Shell == nil {
		return "", ErrNotRun
	}
	dir, err := s.Dir(ctx)
	if err != nil {
		return "", err
	}
	env, err := s.Environ(ctx)
	if err != nil {
		return "", err
	}
	declared, err := s.DeclaredEnv(ctx)
	if err != nil {
		return "", err
	}
	key := make([]string, 0, len(declared)+2)
	for _, b := range declared {
		key = append(key, b.Name+"="+b.Value.(string))
	}
	return s.r.run(ctx, command{v: &schema.Var{Pos: t.Pos}, text: t.S, dir: dir, env: env, key: append(key, t.S, dir)})
}

// Global returns the scope outside of any task.
func (s *Scope) Global() *Scope { return s.r.Global(s.mode) }

// dynamicDir returns the directory in which a dynamic variable is run.
func (f *frame) dynamicDir(ctx context.Context, v *schema.Var, pos int) (string, error) {
	w := f.w
	switch {
	case v.Dir != "":
		dir, err := f.text(ctx, v.Dir, view{before: pos})
		return f.r.below(dir), err
	case pos >= w.atTask && f.call.Task != nil,
		w.include != nil && pos >= w.atInclude+w.include.taskDir && pos < w.atCall:
		return f.variablesDir(ctx)
	}
	return f.r.o.Workflow.Dir, nil
}

// dynamicEnv returns the environment of a command at pos: the process environment, and every
// scalar before pos that the process does not set. key identifies the result of the command:
// it leaves out special variables that text does not name, since they differ from task to
// task.
func (f *frame) dynamicEnv(ctx context.Context, text string, pos int) (env, key []string, err error) {
	w := f.w
	for p := range pos {
		if _, err := f.eval(ctx, p); err != nil {
			return nil, nil, err
		}
	}
	var add []Binding
	size := 0 // of large values
	for _, name := range specialNames {
		if f.find(name, pos) >= 0 {
			continue
		}
		before := w.dep
		value, _ := f.special(name)
		add = append(add, Binding{name, value})
		if !strings.Contains(text, name) {
			w.dep = before
			continue
		}
		key = append(key, name+"="+value)
	}
	for p := range pos {
		v, _, _ := f.at(p)
		name := v.Name
		if f.find(name, pos) != p {
			continue
		}
		c, err := f.eval(ctx, p)
		if err != nil {
			return nil, nil, err
		}
		if value, ok := exported(c.v); ok && !c.absent {
			add = append(add, Binding{name, value})
			if len(value) > largeValue {
				size += len(value)
				sum := sha256.Sum256([]byte(value))
				value = string(sum[:]) // the key is kept
			}
			if !strings.HasPrefix(name, "CLI_") || strings.Contains(text, name) {
				key = append(key, name+"="+value)
			}
		}
	}
	slices.Sort(key)
	// The environment is made of copies, here and for the program.
	if err := limit.Grow(int64(3 * size)); err != nil {
		return nil, nil, &TemplateError{Err: err}
	}
	return f.r.environment(add), key, nil
}

// largeValue is the size of a value, in bytes, from which it is counted.
const largeValue = 4 << 10

// command is a command of a dynamic variable, ready to run. Commands with the
// same key have the same result.
type command struct {
	v    *schema.Var
	text string
	dir  string
	env  []string
	key  []string
}

// results holds the outputs of dynamic variables. A command is run once for each key; callers
// that need the same result wait for the first.
type results struct {
	mu sync.Mutex // guards m
	m  map[string]*result
}

// result is one output; text and err are set when done is closed.
type result struct {
	done chan struct{}
	text string
	err  error
}

// claim returns the result of key. If mine is true, the caller must run the command.
func (c *results) claim(key string) (res *result, mine bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if res := c.m[key]; res != nil {
		return res, false
	}
	if c.m == nil {
		c.m = map[string]*result{}
	}
	res = &result{done: make(chan struct{})}
	c.m[key] = res
	return res, true
}

// errAbandoned is the result of a command that was cancelled because its caller was. Other
// callers run it again.
var errAbandoned = errors.New("abandoned")

// run returns the output of a command without one final newline. An error is returned to all
// callers that wait, but is not kept.
func (r *Resolver) run(ctx context.Context, c command) (string, error) {
	key := strings.Join(c.key, "\x00")
	for {
		if ctx.Err() != nil {
			return "", context.Cause(ctx)
		}
		res, mine := r.results.claim(key)
		if mine {
			return r.get(ctx, c, key, res)
		}
		select {
		case <-res.done:
		case <-ctx.Done():
			return "", context.Cause(ctx)
		}
		if res.err != errAbandoned {
			return res.text, res.err
		}
	}
}

// get runs a command for all callers that wait for res.
func (r *Resolver) get(ctx context.Context, c command, key string, res *result) (text string, err error) {
	res.err = errAbandoned // unless Output returns
	defer func() {
		if res.err != nil {
			r.results.mu.Lock()
			if r.results.m[key] == res {
				delete(r.results.m, key)
			}
			r.results.mu.Unlock()
		}
		close(res.done)
	}()
	out, err := r.o.Shell.Output(ctx, c.text, c.dir, c.env)
	switch {
	case err != nil && ctx.Err() != nil:
		return "", context.Cause(ctx)
	case err != nil:
		res.err = &CommandError{Pos: c.v.Pos, Command: c.text, Err: err}
		return "", res.err
	}
	if line, ok := strings.CutSuffix(out, "\n"); ok {
		out = strings.TrimSuffix(line, "\r")
	}
	res.text, res.err = out, nil
	if c.v.Secret {
		r.reportSecret("", out) // with its name when it is evaluated
	}
	if r.o.OnDynamic != nil {
		shown := out
		if c.v.Secret {
			shown = mask
		}
		r.o.OnDynamic(c.text, shown)
	}
	return out, nil
}

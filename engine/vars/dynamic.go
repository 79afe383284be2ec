package vars

import (
	"context"
	"fmt"
	"sort"
	"strings"
	"sync"

	"github.com/weftrun/weft/schema"
)

// CommandError is a dynamic variable whose command failed.
type CommandError struct {
	Command string
	Err     error
}

func (e *CommandError) Error() string {
	return fmt.Sprintf("Command %q failed: %v", e.Command, e.Err)
}

// Unwrap returns how the command failed.
func (e *CommandError) Unwrap() error { return e.Err }

// dynamic runs the command of v, which stands at p.
func (s *Scope) dynamic(ctx context.Context, v *schema.Var, p place) (any, error) {
	if s.mode == Fast {
		return "", nil
	}
	text, err := s.expand(ctx, v.Text, p)
	if err != nil || text == "" {
		return "", err
	}
	env, err := s.shellEnv(ctx, p)
	if err != nil {
		return nil, err
	}
	dir, err := s.dynamicDir(ctx, v, p)
	if err != nil {
		return nil, err
	}
	return s.r.run(ctx, text, dir, env)
}

// dynamicDir is where a dynamic variable runs.
func (s *Scope) dynamicDir(ctx context.Context, v *schema.Var, p place) (string, error) {
	switch {
	case v.Dir != "":
		return v.Dir, nil
	case p.block == taskBlock || p.block == fileBlock:
		return s.varDir(ctx)
	}
	return s.r.o.Workflow.Dir, nil
}

// shellEnv is the environment of a command of a dynamic variable at p: the
// process environment, then every scalar defined before p it does not define.
func (s *Scope) shellEnv(ctx context.Context, p place) ([]string, error) {
	env := s.r.o.Environ[:len(s.r.o.Environ):len(s.r.o.Environ)]
	s.r.getenv("")
	for b := 0; b <= min(p.block, blocks-1); b++ {
		for i := range s.block(b) {
			if b == p.block && i >= p.index {
				break
			}
			v := &s.block(b)[i]
			value, err := s.compute(ctx, v, place{b, i})
			if err != nil {
				return nil, err
			}
			env = s.r.export(env, v.Name, value)
		}
	}
	for _, n := range specialNames {
		if value, ok, err := s.lookup(ctx, n, p); ok && err == nil {
			if _, _, taken := s.find(n, p); !taken {
				env = s.r.export(env, n, value)
			}
		}
	}
	return env, nil
}

// export appends NAME=value for scalars; the process environment wins.
func (r *Resolver) export(env []string, name string, v any) []string {
	text, ok := exported(v)
	if !ok {
		return env
	}
	if _, taken := r.environ[name]; taken && !r.o.EnvPrecedence {
		return env
	}
	return append(env, name+"="+text)
}

// exported is how a value stands in an environment; only scalars do.
func exported(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case bool, int, int64, uint64, float64, float32:
		return fmt.Sprint(v), true
	}
	return "", false
}

// results are the outputs of dynamic variables. Equal commands in equal
// surroundings run once; who comes second waits for the first.
type results struct {
	mu sync.Mutex // guards m
	m  map[string]*result
}

type result struct {
	done chan struct{}
	text string
	err  error
}

func (c *results) clear() {
	c.mu.Lock()
	c.m = nil
	c.mu.Unlock()
}

// run returns the output of text, without one final newline.
func (r *Resolver) run(ctx context.Context, text, dir string, env []string) (string, error) {
	key := resultKey(text, dir, env)
	for {
		r.results.mu.Lock()
		known := r.results.m[key]
		if known == nil {
			break
		}
		r.results.mu.Unlock()
		select {
		case <-known.done:
		case <-ctx.Done():
			return "", context.Cause(ctx)
		}
		if known.err == nil {
			return known.text, nil
		}
		if _, failed := known.err.(*CommandError); failed {
			return "", known.err
		}
		// The one that ran it was cancelled, which says nothing about us.
		if ctx.Err() != nil {
			return "", context.Cause(ctx)
		}
	}
	res := &result{done: make(chan struct{})}
	if r.results.m == nil {
		r.results.m = map[string]*result{}
	}
	r.results.m[key] = res
	r.results.mu.Unlock()
	defer close(res.done)
	res.text, res.err = r.output(ctx, text, dir, env)
	if res.err != nil && ctx.Err() != nil {
		res.err = context.Cause(ctx)
		r.results.mu.Lock()
		delete(r.results.m, key)
		r.results.mu.Unlock()
	}
	return res.text, res.err
}

func (r *Resolver) output(ctx context.Context, text, dir string, env []string) (string, error) {
	out, err := r.o.Shell.Output(ctx, text, dir, env)
	if err != nil {
		return "", &CommandError{Command: text, Err: err}
	}
	out = strings.TrimSuffix(out, "\n")
	out = strings.TrimSuffix(out, "\r")
	if r.o.OnDynamic != nil {
		r.o.OnDynamic(text, out)
	}
	return out, nil
}

// resultKey leaves out the special variables that text does not name: they
// differ from task to task.
func resultKey(text, dir string, env []string) string {
	kept := make([]string, 0, len(env))
	for _, kv := range env {
		name, _, _ := strings.Cut(kv, "=")
		if !isSpecial(name) || strings.Contains(text, name) {
			kept = append(kept, kv)
		}
	}
	sort.Strings(kept)
	return text + "\x00" + dir + "\x00" + strings.Join(kept, "\x00")
}

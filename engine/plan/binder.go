package plan

import (
	"context"

	"github.com/weftrun/weft/engine/vars"
	"github.com/weftrun/weft/schema"
)

// binder expands many texts and keeps the first error. Without a scope, texts stay
// as they are written.
type binder struct {
	ctx   context.Context
	scope *vars.Scope
	err   error
}

// text returns t expanded, or as it is written.
//
//go:noinline
func (b *binder) text(t schema.Text) string { return b.expand(t, (*vars.Scope).Expand) }

// shown returns text with the values of secret variables masked.
func (b *binder) shown(t schema.Text) string { return b.expand(t, (*vars.Scope).Show) }

func (b *binder) expand(t schema.Text, by func(*vars.Scope, context.Context, schema.Text) (string, error)) string {
	if b.err != nil || b.scope == nil || !schema.IsTemplate(t.S) {
		return t.S
	}
	s, err := by(b.scope, b.ctx, t)
	if err != nil {
		b.err = err
		return t.S
	}
	return s
}

// each returns the results of f for the elements of a list; nil for nil.
func each[T, U any](list []T, f func(*T) U) []U {
	if list == nil {
		return nil
	}
	out := make([]U, len(list))
	for i := range list {
		out[i] = f(&list[i])
	}
	return out
}

func (b *binder) texts(ts []schema.Text) []string {
	return each(ts, func(t *schema.Text) string { return b.text(*t) })
}

func (b *binder) globs(gs []schema.Glob) []Glob {
	return each(gs, func(g *schema.Glob) Glob {
		return Glob{Pattern: b.text(g.Pattern), Exclude: g.Exclude, Pos: g.Pattern.Pos}
	})
}

// files binds into out the source and generated files of t, and everything else that must be known
// before its needs run.
func (b *binder) files(t *schema.Task, out *bound) {
	out.method, out.sources, out.generates = b.text(t.Method), b.globs(t.Sources), b.globs(t.Generates)
	if !t.Depfile.IsZero() {
		out.depfile = &Glob{Pattern: b.text(t.Depfile), Pos: t.Depfile.Pos}
	}
	if r := t.Running; r != nil {
		out.running = &running{service: b.service(r.Service), ports: b.ports(r.Ports), after: b.texts(r.After)}
	}
}

// body binds the checks, prompts, connections, cache key and outputs of t into out.
func (b *binder) body(t *schema.Task, out *bound) {
	out.status, out.prompts = b.texts(t.Status), b.texts(t.Prompt)
	out.preconditions = each(t.Preconditions, func(p *schema.Precondition) Precondition {
		cmd, msg := b.text(p.Cmd), b.text(p.Msg)
		return Precondition{Cmd: cmd, Msg: message(p, cmd, msg)}
	})
	if s := out.more().service; s != nil {
		b.connections(t.Running.Service, s)
	}
	if t.Cache != nil && len(t.Cache.Key) > 0 {
		if out.running == nil {
			out.running = &running{}
		}
		out.running.cacheKey = b.cacheTexts(t.Cache)
	}
	out.outputs = each(t.Outputs, func(o *schema.NamedOutput) Output {
		return Output{Name: o.Name, From: b.text(o.From), As: o.As, Path: o.Path}
	})
}

// message returns the message for a p that does not hold.
func message(p *schema.Precondition, cmd, msg string) string {
	switch {
	case msg != "":
		return msg
	case p.Short:
		return "`" + cmd + "` failed"
	}
	return cmd + " failed"
}

// variables binds the variables passed to a task; nil if that fails.
func (b *binder) variables(vs schema.Vars) schema.Vars {
	if b.err != nil || b.scope == nil || len(vs) == 0 {
		return vs
	}
	out, err := b.scope.BindCall(b.ctx, vs)
	b.err = err
	return out
}

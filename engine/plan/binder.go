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

func (b *binder) text(t schema.Text) string { return b.expand(t, (*vars.Scope).Expand) }

// shown is text with the values of secret variables masked.
func (b *binder) shown(t schema.Text) string { return b.expand(t, (*vars.Scope).Show) }

func (b *binder) expand(t schema.Text, by func(*vars.Scope, context.Context, schema.Text) (string, error)) string {
	if b.err != nil || b.scope == nil || !isTemplate(t.S) {
		return t.S
	}
	s, err := by(b.scope, b.ctx, t)
	if err != nil {
		b.err = err
		return t.S
	}
	return s
}

// each returns what f makes of every element of a list; nil of nil.
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

// files binds into out what tells which files t is made from and which it makes.
func (b *binder) files(t *schema.Task, out *bound) {
	out.method, out.sources, out.generates = b.text(t.Method), b.globs(t.Sources), b.globs(t.Generates)
}

// body binds into out what t runs and asks beside its commands, and what it puts out.
func (b *binder) body(t *schema.Task, out *bound) {
	out.status, out.prompts = b.texts(t.Status), b.texts(t.Prompt)
	out.preconditions = each(t.Preconditions, func(p *schema.Precondition) Precondition {
		cmd, msg := b.text(p.Cmd), b.text(p.Msg)
		return Precondition{Cmd: cmd, Msg: message(p, cmd, msg)}
	})
	out.outputs = each(t.Outputs, func(o *schema.NamedOutput) Output {
		return Output{Name: o.Name, From: b.text(o.From), As: o.As, Path: o.Path}
	})
}

// message is what is said when p does not hold.
func message(p *schema.Precondition, cmd, msg string) string {
	switch {
	case msg != "":
		return msg
	case p.Short:
		return "`" + cmd + "` failed"
	}
	return cmd + " failed"
}

// variables binds what is passed to a task; nil if that fails.
func (b *binder) variables(vs schema.Vars) schema.Vars {
	if b.err != nil || b.scope == nil || len(vs) == 0 {
		return vs
	}
	out, err := b.scope.BindCall(b.ctx, vs)
	b.err = err
	return out
}

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

func (b *binder) texts(ts []schema.Text) []string {
	if len(ts) == 0 {
		return nil
	}
	out := make([]string, len(ts))
	for i, t := range ts {
		out[i] = b.text(t)
	}
	return out
}

func (b *binder) globs(gs []schema.Glob) []Glob {
	if len(gs) == 0 {
		return nil
	}
	out := make([]Glob, len(gs))
	for i, g := range gs {
		out[i] = Glob{Pattern: b.text(g.Pattern), Exclude: g.Exclude, Pos: g.Pattern.Pos}
	}
	return out
}

func (b *binder) preconditions(ps []schema.Precondition) []Precondition {
	if len(ps) == 0 {
		return nil
	}
	out := make([]Precondition, len(ps))
	for i := range ps {
		cmd, msg := b.text(ps[i].Cmd), b.text(ps[i].Msg)
		out[i] = Precondition{Cmd: cmd, Msg: message(&ps[i], cmd, msg)}
	}
	return out
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

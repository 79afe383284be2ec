package vars

import (
	"context"
	"sort"

	"github.com/weftrun/weft/schema"
)

// The blocks of definitions of a scope, in order of increasing priority.
const (
	envBlock = iota
	globalBlock
	includeBlock
	fileBlock
	callBlock
	taskBlock
	blocks
)

// place is a position in the list of definitions: what stands before it can be
// seen from it.
type place struct{ block, index int }

// end sees everything.
var end = place{block: blocks}

// Binding is a name with its value.
type Binding struct {
	Name  string
	Value any
}

// Scope is what one call of a task can see. It is for one goroutine at a time;
// scopes made from one another by With count as one.
type Scope struct {
	r        *Resolver
	call     Call
	mode     Mode
	bindings []Binding // of loops and the like; the last of a name wins
	m        *memo
}

// memo is what a scope and those made from it have computed.
type memo struct {
	values  map[*schema.Var]any
	secret  map[string]bool
	uses    map[string]any
	dir     string
	varDir  string
	inDir   bool
	environ []string
}

// Scope returns the scope of a call. Nothing is computed.
func (r *Resolver) Scope(c Call, m Mode) *Scope {
	s := &struct {
		Scope
		memo
	}{}
	s.Scope = Scope{r: r, call: c, mode: m, m: &s.memo}
	return &s.Scope
}

// Global returns the scope outside of any task.
func (r *Resolver) Global(m Mode) *Scope { return r.Scope(Call{}, m) }

// With returns a scope in which vs are bound as well.
func (s *Scope) With(vs ...Binding) *Scope {
	c := *s
	c.bindings = append(append([]Binding(nil), s.bindings...), vs...)
	return &c
}

// block returns the definitions of a block.
func (s *Scope) block(b int) schema.Vars {
	t := s.call.Task
	switch {
	case b == envBlock:
		return s.r.env
	case b == globalBlock:
		return s.r.globals
	case t == nil:
		return nil
	case b == callBlock:
		return s.call.Vars
	case b == taskBlock:
		return t.Vars
	case t.Include == nil:
		return nil
	case b == includeBlock:
		return t.Include.Vars
	case b == fileBlock:
		return t.Include.FileVars
	}
	return nil
}

// find returns the last definition of name before p.
func (s *Scope) find(name string, p place) (*schema.Var, place, bool) {
	for b := min(p.block, blocks-1); b >= 0; b-- {
		vs := s.block(b)
		n := len(vs)
		if b == p.block {
			n = min(n, p.index)
		}
		for i := n - 1; i >= 0; i-- {
			if vs[i].Name == name {
				return &vs[i], place{b, i}, true
			}
		}
	}
	return nil, place{}, false
}

// lookup returns the value that name has at p.
func (s *Scope) lookup(ctx context.Context, name string, p place) (any, bool, error) {
	if p == end {
		for i := len(s.bindings) - 1; i >= 0; i-- {
			if s.bindings[i].Name == name {
				return s.bindings[i].Value, true, nil
			}
		}
	}
	v, at, ok := s.find(name, p)
	if name == "MATCH" && s.call.Task != nil && p.block > callBlock && (!ok || at.block < callBlock) {
		return append([]string{}, s.call.Match...), true, nil
	}
	if ok && at.block > envBlock {
		value, err := s.compute(ctx, v, at)
		return value, true, err
	}
	if p.block >= globalBlock {
		if value, ok := s.r.commandLine(name); ok {
			return value, true, nil
		}
	}
	if ok {
		value, err := s.compute(ctx, v, at)
		return value, true, err
	}
	if value, ok := s.special(name); ok {
		return value, true, nil
	}
	if value, ok := s.r.getenv(name); ok {
		return value, true, nil
	}
	return nil, false, nil
}

// compute returns the value of the definition v, which stands at p.
func (s *Scope) compute(ctx context.Context, v *schema.Var, p place) (any, error) {
	if v.Kind == schema.Static {
		if text, ok := v.Value.(string); !ok || !isTemplate(text) {
			if !ok && hasTemplate(v.Value) {
				return s.memoized(ctx, v, p)
			}
			return v.Value, nil
		}
	}
	return s.memoized(ctx, v, p)
}

func (s *Scope) memoized(ctx context.Context, v *schema.Var, p place) (any, error) {
	if value, ok := s.m.values[v]; ok {
		return value, nil
	}
	value, err := s.evaluate(ctx, v, p)
	if err != nil {
		return nil, err
	}
	if s.m.values == nil {
		s.m.values = map[*schema.Var]any{}
	}
	s.m.values[v] = value
	return value, nil
}

func (s *Scope) evaluate(ctx context.Context, v *schema.Var, p place) (any, error) {
	switch v.Kind {
	case schema.Ref:
		return s.ref(ctx, v.Text, p)
	case schema.Dynamic:
		return s.dynamic(ctx, v, p)
	}
	return s.value(ctx, v.Value, p)
}

// Get returns the value of name; ok tells whether anything defines it.
func (s *Scope) Get(ctx context.Context, name string) (v any, ok bool, err error) {
	v, ok, err = s.lookup(ctx, name, end)
	if ok && err == nil {
		s.use(name, v)
	}
	return v, ok, err
}

// Defined reports whether anything defines name, without computing it.
func (s *Scope) Defined(name string) bool {
	for _, b := range s.bindings {
		if b.Name == name {
			return true
		}
	}
	if v, _, ok := s.find(name, end); ok {
		return v.Kind != schema.Static || v.Value != nil
	}
	if isSpecial(name) {
		return true
	}
	_, ok := s.r.getenv(name)
	return ok
}

// names returns every name that can be seen from p.
func (s *Scope) names(p place) []string {
	seen := map[string]bool{}
	add := func(n string) { seen[n] = true }
	s.r.getenv("")
	for n := range s.r.environ {
		add(n)
	}
	for _, n := range specialNames {
		add(n)
	}
	for b := 0; b <= min(p.block, blocks-1); b++ {
		for i, v := range s.block(b) {
			if b < p.block || i < p.index {
				add(v.Name)
			}
		}
	}
	if p == end {
		if len(s.call.Match) > 0 {
			add("MATCH")
		}
		for _, b := range s.bindings {
			add(b.Name)
		}
	}
	names := make([]string, 0, len(seen))
	for n := range seen {
		names = append(names, n)
	}
	sort.Strings(names)
	return names
}

// use remembers that a text referred to name.
func (s *Scope) use(name string, v any) {
	if isSpecial(name) {
		return
	}
	if s.m.uses == nil {
		s.m.uses = map[string]any{}
	}
	s.m.uses[name] = v
}

// Uses returns the variables that the texts expanded so far referred to, but
// for the special ones, sorted by name.
func (s *Scope) Uses() []Binding {
	if len(s.m.uses) == 0 {
		return nil
	}
	out := make([]Binding, 0, len(s.m.uses))
	for n, v := range s.m.uses {
		out = append(out, Binding{n, v})
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Name < out[j].Name })
	return out
}

// BindCall returns what a call passes on: values and references are computed
// here, in the caller's scope; a dynamic variable's command is expanded here
// and run in the callee's.
func (s *Scope) BindCall(ctx context.Context, vs schema.Vars) (schema.Vars, error) {
	if len(vs) == 0 {
		return nil, nil
	}
	out := make(schema.Vars, len(vs))
	for i, v := range vs {
		out[i] = v
		var err error
		switch v.Kind {
		case schema.Static:
			out[i].Value, err = s.value(ctx, v.Value, end)
		case schema.Ref:
			out[i].Kind, out[i].Text = schema.Static, ""
			out[i].Value, err = s.ref(ctx, v.Text, end)
		case schema.Dynamic:
			out[i].Text, err = s.expand(ctx, v.Text, end)
		}
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

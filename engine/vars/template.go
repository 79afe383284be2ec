package vars

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"text/template/parse"

	"github.com/go-task/template"

	"github.com/weftrun/weft/schema"
)

func isTemplate(s string) bool { return strings.Contains(s, "{{") }

// hasTemplate reports whether a string anywhere in v is a template.
func hasTemplate(v any) bool {
	switch v := v.(type) {
	case string:
		return isTemplate(v)
	case []any:
		for _, x := range v {
			if hasTemplate(x) {
				return true
			}
		}
	case map[string]any:
		for k, x := range v {
			if isTemplate(k) || hasTemplate(x) {
				return true
			}
		}
	}
	return false
}

// compiled is a parsed template and what it refers to.
type compiled struct {
	t     *template.Template
	names []string
	all   bool // it may refer to any name
	err   error
}

// parsed keeps compiled templates by their text.
type parsed struct {
	m    sync.Map // string → *compiled
	base func() *template.Template
	once sync.Once
}

// compile parses text, once.
func (p *parsed) compile(text string) *compiled {
	if c, ok := p.m.Load(text); ok {
		return c.(*compiled)
	}
	p.once.Do(func() {
		p.base = sync.OnceValue(func() *template.Template { return template.New("").Funcs(functions()) })
	})
	c := &compiled{}
	if strings.Contains(text, "define") || strings.Contains(text, "block") {
		// Its definitions must not reach other templates.
		c.t, c.err = template.New("").Funcs(functions()).Parse(text)
		c.all = true
	} else {
		c.t, c.err = p.base().New(text).Parse(text)
	}
	if c.err == nil && !c.all && c.t.Tree != nil {
		r := references{seen: map[string]bool{}}
		r.walk(c.t.Tree.Root, true)
		c.names, c.all = r.names, r.all
	}
	actual, _ := p.m.LoadOrStore(text, c)
	return actual.(*compiled)
}

// references collects the names a template refers to.
type references struct {
	seen  map[string]bool
	names []string
	all   bool
}

func (r *references) add(name string) {
	if !r.seen[name] {
		r.seen[name] = true
		r.names = append(r.names, name)
	}
}

// walk visits n; root tells whether the dot is the map of all variables here.
func (r *references) walk(n parse.Node, root bool) {
	switch n := n.(type) {
	case nil:
	case *parse.ListNode:
		if n == nil {
			return
		}
		for _, x := range n.Nodes {
			r.walk(x, root)
		}
	case *parse.ActionNode:
		r.pipe(n.Pipe, root)
	case *parse.IfNode:
		r.pipe(n.Pipe, root)
		r.walk(n.List, root)
		r.walk(n.ElseList, root)
	case *parse.RangeNode:
		r.pipe(n.Pipe, root)
		r.walk(n.List, false)
		r.walk(n.ElseList, root)
	case *parse.WithNode:
		r.pipe(n.Pipe, root)
		r.walk(n.List, false)
		r.walk(n.ElseList, root)
	case *parse.TemplateNode:
		r.all = true
	case *parse.PipeNode:
		r.pipe(n, root)
	case *parse.CommandNode:
		for _, a := range n.Args {
			r.walk(a, root)
		}
	case *parse.FieldNode:
		if root {
			r.add(n.Ident[0])
		}
	case *parse.ChainNode:
		r.walk(n.Node, root)
	case *parse.VariableNode:
		if n.Ident[0] == "$" {
			if len(n.Ident) == 1 {
				r.all = true
			} else {
				r.add(n.Ident[1])
			}
		}
	case *parse.DotNode:
		r.all = r.all || root
	}
}

func (r *references) pipe(p *parse.PipeNode, root bool) {
	if p == nil {
		return
	}
	for _, c := range p.Cmds {
		r.walk(c, root)
	}
}

// data returns the variables that c refers to, as seen from p.
func (s *Scope) data(ctx context.Context, c *compiled, p place) (map[string]any, error) {
	names := c.names
	if c.all {
		names = s.names(p)
	}
	data := make(map[string]any, len(names))
	for _, n := range names {
		v, ok, err := s.lookup(ctx, n, p)
		if err != nil {
			return nil, err
		}
		if ok {
			data[n] = v
		}
		if p == end && !c.all {
			s.use(n, v)
		}
	}
	return data, nil
}

// expand expands text at p.
func (s *Scope) expand(ctx context.Context, text string, p place) (string, error) {
	if !isTemplate(text) {
		return text, nil
	}
	out, err := s.execute(ctx, text, p, nil)
	if err != nil && s.mode == Fast {
		return text, nil
	}
	return out, err
}

// execute runs the template text; over, if not nil, replaces values.
func (s *Scope) execute(ctx context.Context, text string, p place, over func(map[string]any)) (string, error) {
	c := s.r.parsed.compile(text)
	if c.err != nil {
		return "", c.err
	}
	data, err := s.data(ctx, c, p)
	if err != nil {
		return "", err
	}
	if over != nil {
		over(data)
	}
	return render(c.t, data)
}

// render executes t; a function that panics is an error.
func render(t *template.Template, data map[string]any) (out string, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("template: %v", p)
		}
	}()
	var b strings.Builder
	if err := t.Execute(&b, data); err != nil {
		return "", tidy(err)
	}
	return strings.ReplaceAll(b.String(), "<no value>", ""), nil
}

// tidy names a template error without the text it is named after.
func tidy(err error) error {
	var exec template.ExecError
	if errors.As(err, &exec) {
		return errors.New(strings.Replace(exec.Error(), "template: "+exec.Name+":", "template: :", 1))
	}
	return err
}

// Expand expands a text of the task.
func (s *Scope) Expand(ctx context.Context, t schema.Text) (string, error) {
	return s.expand(ctx, t.S, end)
}

// mask stands for the value of a secret variable where it is shown.
const mask = "*****"

// Show expands t for showing: secret variables that t itself names are masked.
func (s *Scope) Show(ctx context.Context, t schema.Text) (string, error) {
	if !isTemplate(t.S) {
		return t.S, nil
	}
	c := s.r.parsed.compile(t.S)
	secret := false
	for _, n := range c.names {
		secret = secret || s.isSecret(n)
	}
	if !secret {
		return s.expand(ctx, t.S, end)
	}
	return s.execute(ctx, t.S, end, func(data map[string]any) {
		for n := range data {
			if s.isSecret(n) {
				data[n] = mask
			}
		}
	})
}

// isSecret reports whether the definition that name means is secret.
func (s *Scope) isSecret(name string) bool {
	for _, b := range s.bindings {
		if b.Name == name {
			return false
		}
	}
	v, _, ok := s.find(name, end)
	return ok && v.Secret
}

// Value expands the templates anywhere in v.
func (s *Scope) Value(ctx context.Context, v any) (any, error) { return s.value(ctx, v, end) }

func (s *Scope) value(ctx context.Context, v any, p place) (any, error) {
	switch v := v.(type) {
	case string:
		return s.expand(ctx, v, p)
	case []any:
		if !hasTemplate(v) {
			return v, nil
		}
		out := make([]any, len(v))
		for i, x := range v {
			var err error
			if out[i], err = s.value(ctx, x, p); err != nil {
				return nil, err
			}
		}
		return out, nil
	case map[string]any:
		if !hasTemplate(v) {
			return v, nil
		}
		out := make(map[string]any, len(v))
		for k, x := range v {
			y, err := s.value(ctx, x, p)
			if err != nil {
				return nil, err
			}
			out[k] = y
		}
		return out, nil
	}
	return v, nil
}

// Ref evaluates a template expression and keeps the type of its value.
func (s *Scope) Ref(ctx context.Context, expr string) (any, error) { return s.ref(ctx, expr, end) }

func (s *Scope) ref(ctx context.Context, expr string, p place) (v any, err error) {
	c := s.r.parsed.compile("{{" + expr + "}}")
	if c.err != nil {
		return s.orNothing(c.err)
	}
	data, err := s.data(ctx, c, p)
	if err != nil {
		return s.orNothing(err)
	}
	defer func() {
		if r := recover(); r != nil {
			v, err = nil, fmt.Errorf("template: %v", r)
		}
	}()
	v, err = c.t.Resolve(data)
	if err != nil {
		return s.orNothing(tidy(err))
	}
	return v, nil
}

// orNothing is what a reference that fails comes to.
func (s *Scope) orNothing(err error) (any, error) {
	if s.mode == Fast {
		return nil, nil
	}
	return nil, err
}

// Expand expands a template on its own, with nothing but data.
func Expand(text string, data map[string]any) (string, error) {
	if !isTemplate(text) {
		return text, nil
	}
	t, err := template.New("").Funcs(functions()).Parse(text)
	if err != nil {
		return "", err
	}
	return render(t, data)
}

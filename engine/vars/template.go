package vars

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"text/template/parse"

	"github.com/go-task/template"

	"github.com/weftrun/weft/schema/diag"
)

func isTemplate(s string) bool { return strings.Contains(s, "{{") }

// TemplateError is a template that cannot be parsed or executed.
type TemplateError struct {
	Pos diag.Pos // of the text or the variable; not valid when unknown
	Err error    // says what and where inside the template
}

func (e *TemplateError) Error() string { return e.Err.Error() }

// Unwrap returns what the engine or a function said.
func (e *TemplateError) Unwrap() error { return e.Err }

// located gives a template error the place it lacks.
func located(err error, pos diag.Pos) error {
	var t *TemplateError
	if errors.As(err, &t) && !t.Pos.IsValid() {
		t.Pos = pos
	}
	return err
}

// tmpl is a parsed template.
type tmpl struct {
	refs
	pieces []piece // set when it may not need the engine
	text   string
	name   string // in messages: "" for texts, "resolver" for references

	once sync.Once // guards the two below
	exe  *template.Template
	err  error
}

// templates keeps parsed templates by their text: as many as two generations
// hold. What has been used in the current one survives the next.
type templates struct {
	mu       sync.RWMutex // guards both
	cur, old map[string]*tmpl
}

const generation = 2048

// get returns the template of text; a reference's stands between braces.
func (ts *templates) get(text string, reference bool) *tmpl {
	key := text
	if reference {
		key = "\x00" + text
	}
	ts.mu.RLock()
	t, ok := ts.cur[key]
	ts.mu.RUnlock()
	if ok {
		return t
	}
	ts.mu.Lock()
	t, ok = ts.old[key]
	ts.mu.Unlock()
	if !ok {
		t = newTemplate(text, reference)
	}
	ts.mu.Lock()
	defer ts.mu.Unlock()
	if known, ok := ts.cur[key]; ok {
		return known
	}
	if len(ts.cur) >= generation {
		ts.old, ts.cur = ts.cur, nil
	}
	if ts.cur == nil {
		ts.cur = map[string]*tmpl{}
	}
	ts.cur[key] = t
	return t
}

func newTemplate(text string, reference bool) *tmpl {
	t := &tmpl{text: text}
	if reference {
		t.name = "resolver"
	} else if pieces, names, ok := cut(text); ok {
		t.pieces, t.names = pieces, names
		return t
	}
	t.compile()
	return t
}

// compile makes the engine's form of t. It is called at once unless t has
// pieces.
func (t *tmpl) compile() {
	t.once.Do(func() {
		var r refs
		if t.exe, r, t.err = compile(t.name, t.text); t.pieces == nil {
			t.refs = r
		}
	})
}

// base has the functions; templates are made from it, so that their table is
// built once. Nothing is ever defined in it.
var base = sync.OnceValue(func() *template.Template { return template.New("").Funcs(functions()) })

func compile(name, text string) (exe *template.Template, r refs, err error) {
	defer recovered(&err)
	if deep(text) {
		return nil, r, &TemplateError{Err: fmt.Errorf("template: %s:1: max expression depth exceeded", name)}
	}
	trees, err := parse.Parse(name, text, "", "", functions(), builtins())
	if err != nil {
		return nil, r, &TemplateError{Err: err}
	}
	tree := trees[name]
	if len(trees) > 1 || tree == nil {
		// It defines templates of its own, which must not reach others.
		r.all, r.chance, r.mutates = true, true, true
		if exe, err = template.New(name).Funcs(functions()).Parse(text); err != nil {
			return nil, r, &TemplateError{Err: err}
		}
		return exe, r, nil
	}
	r.list(tree.Root, true)
	exe = base().New(name)
	exe.Tree = tree
	return exe, r, nil
}

// deep reports whether text may nest so deeply that the parser, which recurses
// without a limit, would exhaust the stack.
func deep(text string) bool {
	return strings.Count(text, "(") > 10_000 || strings.Count(text, "{{") > 100_000
}

// recovered turns a panic inside the engine or a function into an error.
func recovered(err *error) {
	if p := recover(); p != nil {
		*err = &TemplateError{Err: fmt.Errorf("template: %v", p)}
	}
}

// execute executes t, which is compiled.
func (t *tmpl) execute(data map[string]any, o Outputs) (out string, err error) {
	if t.err != nil {
		return "", clone(t.err)
	}
	defer recovered(&err)
	exe := t.exe
	if t.outputs != nil && o != nil {
		if exe, err = withOutputs(exe, o); err != nil {
			return "", &TemplateError{Err: err}
		}
	}
	var b strings.Builder
	if err := exe.Execute(&b, data); err != nil {
		return "", &TemplateError{Err: err}
	}
	return dropNoValue(b.String()), nil
}

// resolve evaluates t, a reference's, to its value.
func (t *tmpl) resolve(data map[string]any) (v any, err error) {
	if t.err != nil {
		return nil, clone(t.err)
	}
	defer recovered(&err)
	if v, err = t.exe.Resolve(data); err != nil {
		return nil, &TemplateError{Err: err}
	}
	return v, nil
}

// clone copies a kept error: each place that uses the text has its own.
func clone(err error) error {
	var t *TemplateError
	if errors.As(err, &t) {
		return &TemplateError{Err: t.Err}
	}
	return err
}

// Expand expands a template on its own, with nothing but data.
func Expand(text string, data map[string]any) (string, error) {
	if !isTemplate(text) {
		return text, nil
	}
	t := newTemplate(text, false)
	t.compile()
	return t.execute(data, nil)
}

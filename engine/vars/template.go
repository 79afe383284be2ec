package vars

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"text/template/parse"

	"github.com/weftrun/weft/internal/limit"
	"github.com/weftrun/weft/schema"
	"github.com/weftrun/weft/schema/diag"
)

// TemplateError is the error of a template that cannot be parsed or executed.
type TemplateError struct {
	Pos diag.Pos // of the text or the variable; not valid when unknown
	Err error    // says what and where inside the template
}

func (e *TemplateError) Error() string { return e.Err.Error() }

// Unwrap returns the error of the template engine or of a function.
func (e *TemplateError) Unwrap() error { return e.Err }

// located adds a position to a template error that has none.
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
	pieces []piece // set if it may not need the engine
	text   string
	name   string // in messages: "" for texts, "resolver" for references

	once    sync.Once // guards those below
	tree    *parse.Tree
	several map[string]*parse.Tree // with those that it defines, if any
	err     error
}

// templates holds parsed templates by their text, in two generations. A template that was
// used in the current generation survives the next.
type templates struct {
	mu       sync.RWMutex // guards both
	cur, old map[string]*tmpl
}

const generation = 2048

// get returns the template of a text. The expression of a reference is between braces.
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

// compile parses t for the engine. It is called at once unless t has pieces.
func (t *tmpl) compile() {
	t.once.Do(func() {
		var r refs
		if r, t.err = t.parse(); t.pieces == nil {
			t.refs = r
		}
	})
}

// parse parses t, and adds the counters of its executions' work.
func (t *tmpl) parse() (r refs, err error) {
	defer recovered(&err)
	// The parser recurses without a limit, and would overflow the stack.
	if strings.Count(t.text, "(") > 10_000 || strings.Count(t.text, "{{") > 100_000 {
		return r, &TemplateError{Err: fmt.Errorf("template: %s:1: max expression depth exceeded", t.name)}
	}
	trees, err := parse.Parse(t.name, t.text, "", "", functions(), builtins())
	if err != nil {
		return r, &TemplateError{Err: err}
	}
	t.tree = trees[t.name]
	if len(trees) > 1 || t.tree == nil {
		t.several = trees
		for _, tree := range trees {
			r.list(tree.Root, true)
			boundShown(tree.Root)
			countPasses(tree.Root)
			countEntry(tree.Root)
		}
		r.all, r.chance, r.mutates = true, true, true
		r.call(shown)
		return r, nil
	}
	r.list(t.tree.Root, true)
	if r.builds && t.name == "" {
		boundShown(t.tree.Root)
		r.call(shown)
	}
	countPasses(t.tree.Root)
	return r, nil
}

// recovered converts a panic in the engine or in a function to an error.
func recovered(err *error) {
	if p := recover(); p != nil {
		*err = &TemplateError{Err: fmt.Errorf("template: %v", p)}
	}
}

// execute executes t, which is compiled. It returns early when ctx is done.
func (t *tmpl) execute(ctx context.Context, data map[string]any, l *RuntimeValues) (out string, err error) {
	if t.err != nil {
		return "", clone(t.err)
	}
	defer recovered(&err)
	x := begin(ctx, l)
	defer x.end()
	exe, err := x.template(t)
	if err == nil {
		err = exe.Execute(x, data)
	}
	if err != nil {
		return "", failure(ctx, err)
	}
	return dropNoValue(x.out.String()), nil
}

// resolve evaluates t, the template of a reference, to its value.
func (t *tmpl) resolve(ctx context.Context, data map[string]any) (v any, err error) {
	if t.err != nil {
		return nil, clone(t.err)
	}
	defer recovered(&err)
	x := begin(ctx, nil)
	defer x.end()
	exe, err := x.template(t)
	if err == nil {
		v, err = exe.Resolve(data)
	}
	if err == nil && measure(reflect.ValueOf(v)) > limit.Text {
		err = errText
	}
	if err != nil {
		return nil, failure(ctx, err)
	}
	return v, nil
}

// failure returns the error of a template whose execution has failed with err: the cause of
// ctx if that is the reason.
func failure(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return &TemplateError{Err: err}
}

// clone copies a stored error: each place where the text is used sets its own position.
func clone(err error) error {
	var t *TemplateError
	if errors.As(err, &t) {
		return &TemplateError{Err: t.Err}
	}
	return err
}

// Expand expands a template with data alone. It returns early when ctx is done.
func Expand(ctx context.Context, text string, data map[string]any) (string, error) {
	if !schema.IsTemplate(text) {
		return text, nil
	}
	t := newTemplate(text, false)
	t.compile()
	return t.execute(ctx, data, nil)
}

package vars

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/weftrun/weft/schema"
)

// # When a variable is evaluated
//
// This is the one rule, for running, dry runs, checks of what is up to date, and
// listings.
//
//   - A definition is evaluated when something refers to it: a text that is expanded,
//     or a dynamic variable after it, which sees it as $NAME.
//   - When a task starts, before anything of it or of its needs runs, what its texts
//     refer to is evaluated, also where they are expanded later, as those that it
//     defers are: see Scope.Start. Of what the tasks refer to that it calls, the
//     definitions of files are, since all calls share them: see Scope.Ahead. What the
//     task changes while it runs is not seen by them.
//   - A static definition that can fail on purpose, since it calls fail or must…, is
//     evaluated when the task starts, referred to or not. Of a dynamic one the text
//     is, and it is not run.
//   - What is due at the same time is evaluated in the order of the definitions, so the
//     first one in the file is the first to fail.
//   - Where nothing may run, the Resolver has no Shell: a dynamic variable is ErrNotRun,
//     and so is what is computed from it. In fast mode it has no value, and what fails
//     stays as it is written.

// ErrNotRun is the value of a dynamic variable, and of all that is computed from
// it, for a Resolver without a Shell.
var ErrNotRun = errors.New("dynamic variables are not run here")

// Refs are the names that texts refer to. The zero Refs is of no text.
type Refs struct {
	names []string
	all   bool // any name
}

// AddRefs adds what a text refers to; a text that is no template refers to nothing.
func (r *Resolver) AddRefs(to *Refs, text string) {
	if !isTemplate(text) {
		return
	}
	t := r.templates.get(text, false)
	to.all = to.all || t.all
	for _, name := range t.names {
		if !slices.Contains(to.names, name) {
			to.names = append(to.names, name)
		}
	}
}

// CanFail reports whether Start has something to do although nothing is referred
// to: some definition of the scope can fail on purpose. own tells it of those of the
// task.
func (s *Scope) CanFail(own bool) bool {
	if own || s.r.traits.global(s.r).fails || s.r.CanFail(s.call.Vars) {
		return true
	}
	t := s.call.Task
	return t != nil && t.Include != nil && s.r.traits.include(s.r, t.Include).fails
}

// CanFail reports whether one of vs can fail on purpose.
func (r *Resolver) CanFail(vs schema.Vars) bool {
	for i := range vs {
		if r.canFail(&vs[i]) {
			return true
		}
	}
	return false
}

func (r *Resolver) canFail(v *schema.Var) bool {
	switch v.Kind {
	case schema.Ref:
		return namesFailing(v.Text) && r.templates.get("{{"+v.Text+"}}", true).canFail()
	case schema.Dynamic:
		return r.textCanFail(v.Text)
	}
	return r.valueCanFail(v.Value)
}

func (r *Resolver) textCanFail(s string) bool {
	return isTemplate(s) && namesFailing(s) && r.templates.get(s, false).canFail()
}

func (r *Resolver) valueCanFail(v any) (can bool) {
	schema.EachString(v, func(s string) { can = can || r.textCanFail(s) })
	return can
}

// namesFailing is the quick part of the answer: most texts need not be parsed.
func namesFailing(s string) bool { return strings.Contains(s, "fail") || strings.Contains(s, "must") }

func (t *tmpl) canFail() bool {
	return t.err != nil || slices.ContainsFunc(t.calls, func(name string) bool { return name == "fail" || strings.HasPrefix(name, "must") })
}

// Start evaluates what is due when the task of the scope starts: what refs, its
// texts, refer to, and what can fail on purpose. The error is that of the first
// definition that fails.
func (s *Scope) Start(ctx context.Context, refs Refs) error {
	f, w := s.frame, s.work()
	due := due{f: f}
	due.refer(refs.names, refs.all, w.top)
	failing := w.failing(f)
	for _, pos := range failing {
		due.through(pos)
	}
	return due.evaluate(func(pos int, v *schema.Var) error {
		if v.Kind == schema.Dynamic && !due.at[pos] {
			_, err := f.text(ctx, v.Text, view{before: pos})
			return err
		}
		_, err := f.eval(ctx, pos)
		return err
	}, failing...)
}

// Ahead evaluates, for a task that is going to be called as the scope says, the
// dynamic variables of files among what refs, its texts, refer to. Left for when it
// starts are those that the name of the task makes a difference to, and the vars of
// its include, unless from, the include of the task that has started, is the same.
func (s *Scope) Ahead(ctx context.Context, refs Refs, from *schema.Include) error {
	f, w := s.frame, s.work()
	own := w.atInclude // of the include alone, up to here
	if w.include != nil && s.call.Task.Include != from {
		own += w.include.taskDir
	}
	due := due{f: f}
	due.refer(refs.names, refs.all, w.top)
	return due.evaluate(func(pos int, v *schema.Var) error {
		if v.Kind != schema.Dynamic || pos >= w.atInclude && pos < own || pos >= w.atCall || f.ofTask(pos, map[int]bool{}) {
			return nil
		}
		_, err := f.eval(ctx, pos)
		return err
	})
}

// failing are the positions of the definitions that can fail on purpose.
func (w *work) failing(f *frame) (list []int) {
	for _, i := range w.globals.failing(f.r) {
		list = append(list, int(i))
	}
	if w.include != nil {
		for _, i := range w.include.failing(f.r) {
			list = append(list, w.atInclude+int(i))
		}
	}
	for pos := w.atCall; pos < w.top; pos++ {
		if pos == w.atMatch {
			continue
		}
		if v, _, _ := f.at(pos); f.r.canFail(v) {
			list = append(list, pos)
		}
	}
	return list
}

// failing returns the indexes of the definitions that can fail on purpose.
func (b *block) failing(r *Resolver) []int32 {
	b.failOnce.Do(func() {
		for i, v := range b.defs {
			if r.canFail(v) {
				b.fails = append(b.fails, int32(i))
			}
		}
	})
	return b.fails
}

// due are the positions of definitions that are to be evaluated, with all that they
// are computed from.
type due struct {
	f     *frame
	at    map[int]bool
	whole int // all before this position are due
}

// refer adds what names mean before a position.
func (d *due) refer(names []string, all bool, before int) {
	if all {
		d.whole = max(d.whole, before)
		names = d.f.everything(view{before: before}, false)
	}
	for _, name := range names {
		pos := d.f.find(name, before)
		if pos < 0 || d.at[pos] || d.f.known(pos) {
			continue
		}
		if d.at == nil {
			d.at = map[int]bool{}
		}
		d.at[pos] = true
		d.through(pos)
	}
}

// through adds what the definition at pos is computed from.
func (d *due) through(pos int) {
	v, _, _ := d.f.at(pos)
	if v.Kind == schema.Dynamic && d.at[pos] && pos > d.whole {
		d.refer(nil, true, pos)
	}
	d.f.eachTemplate(v, func(t *tmpl) { d.refer(t.names, t.all, pos) })
}

// evaluate calls eval for each that is due, and the others given, in order. It
// returns the first error, with its place.
func (d *due) evaluate(eval func(pos int, v *schema.Var) error, others ...int) error {
	if len(d.at)+len(others) == 0 {
		return nil
	}
	order := others
	for pos := range d.at {
		order = append(order, pos)
	}
	slices.Sort(order)
	for _, pos := range slices.Compact(order) {
		v, _, _ := d.f.at(pos)
		if err := eval(pos, v); err != nil {
			return located(err, v.Pos)
		}
	}
	return nil
}

// known reports whether there is nothing to compute for the value at pos.
func (f *frame) known(pos int) bool {
	if f.isMatch(pos) {
		return true
	}
	v, b, i := f.at(pos)
	if v.Kind == schema.Static {
		if text, ok := v.Value.(string); ok {
			return !isTemplate(text)
		}
	}
	return b != nil && b.load(f.mode, i) != nil
}

// isMatch reports whether pos is that of MATCH, which has no definition.
func (f *frame) isMatch(pos int) bool { return pos == f.w.atMatch && f.call.Task != nil }

// ofTask reports whether the template of the definition at pos refers, directly or
// over others, to what is different from task to task. seen are those looked at.
func (f *frame) ofTask(pos int, seen map[int]bool) (of bool) {
	if seen[pos] {
		return false
	}
	seen[pos] = true
	v, _, _ := f.at(pos)
	f.eachTemplate(v, func(t *tmpl) {
		of = of || t.all
		for _, name := range t.names {
			switch next := f.find(name, pos); {
			case of:
			case next >= 0:
				of = f.isMatch(next) || f.ofTask(next, seen)
			default:
				of = ofTaskName(name)
			}
		}
	})
	return of
}

// ofTaskName reports whether name is a special variable that differs from task to
// task.
func ofTaskName(name string) bool {
	switch name {
	case "TASK", "ALIAS", "TASK_DIR", "TASKFILE", "TASKFILE_DIR":
		return true
	}
	return false
}

// eachTemplate calls do with every template of a definition.
func (f *frame) eachTemplate(v *schema.Var, do func(*tmpl)) {
	text := func(s string) {
		if isTemplate(s) {
			do(f.r.templates.get(s, false))
		}
	}
	switch v.Kind {
	case schema.Ref:
		if v.Text != "" {
			do(f.r.templates.get("{{"+v.Text+"}}", true))
		}
	case schema.Dynamic:
		text(v.Text)
	default:
		schema.EachString(v.Value, text)
	}
}

// traits are what is true of some of a list of definitions.
type traits struct{ dynamic, fails bool }

func (t *traits) add(r *Resolver, vs schema.Vars) {
	for i := range vs {
		t.dynamic = t.dynamic || vs[i].Kind == schema.Dynamic
		t.fails = t.fails || r.canFail(&vs[i])
	}
}

// fileTraits are the traits of the definitions of files. They are found without
// the blocks, which most runs never need. It is safe for concurrent use.
type fileTraits struct {
	globals  atomic.Pointer[traits]
	includes sync.Map // *schema.Include → traits
}

func (ft *fileTraits) forget() {
	ft.globals.Store(nil)
	ft.includes.Clear()
}

// global returns the traits of the global definitions.
func (ft *fileTraits) global(r *Resolver) traits {
	if t := ft.globals.Load(); t != nil {
		return *t
	}
	r.mu.Lock()
	dotenv := r.dotenv
	r.mu.Unlock()
	var t traits
	for _, vs := range [...]schema.Vars{r.o.Workflow.Env, dotenv, r.o.Workflow.Vars, r.o.CLI} {
		t.add(r, vs)
	}
	ft.globals.Store(&t)
	return t
}

// include returns the traits of what an include defines.
func (ft *fileTraits) include(r *Resolver, inc *schema.Include) traits {
	if t, ok := ft.includes.Load(inc); ok {
		return t.(traits)
	}
	var t traits
	t.add(r, inc.Vars)
	t.add(r, inc.FileVars)
	ft.includes.Store(inc, t)
	return t
}

// DynamicFiles reports whether any file of the workflow defines a dynamic variable
// outside of its tasks.
func (r *Resolver) DynamicFiles() bool {
	if r.traits.global(r).dynamic {
		return true
	}
	var last *schema.Include
	for _, t := range r.o.Workflow.Tasks {
		if t.Include != nil && t.Include != last && r.traits.include(r, t.Include).dynamic {
			return true
		}
		last = t.Include
	}
	return false
}

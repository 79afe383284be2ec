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
// These rules hold for running, dry runs, checks whether tasks are up to date, and listings.
//
//   - A definition is evaluated when something refers to it: a text that is expanded,
//     or a dynamic variable after it, which sees it as $NAME.
//   - When a task starts, before anything of it or of its needs runs, the definitions
//     are evaluated that its texts refer to, even texts that are expanded later, such as
//     deferred ones: see Scope.Start. So are the definitions of files that the tasks
//     refer to which it calls, since all calls share them: see Scope.Precompute. They do not
//     see what the task changes while it runs.
//   - A static definition that can fail on purpose, since it calls fail or must…, is
//     evaluated when the task starts, even if nothing refers to it. For a dynamic one the
//     text is expanded, but not run.
//   - Definitions needed at the same time are evaluated in their order, so the first
//     one in the file fails first.
//   - If nothing may be run, the Resolver has no Shell: evaluating a dynamic variable, or
//     what is computed from it, returns ErrNotRun. In fast mode it has no value, and texts
//     that fail stay as they are written.

// ErrNotRun is the error of a dynamic variable, and of all that is computed from it, for a
// Resolver without a Shell.
var ErrNotRun = errors.New("dynamic variables are not evaluated here")

// Refs is the set of names that texts refer to. The zero value is empty.
type Refs struct {
	names []string
	all   bool // any name
}

// AddRefs adds the names that a text refers to. A text that is not a template refers to none.
func (r *Resolver) AddRefs(to *Refs, text string) {
	if !schema.IsTemplate(text) {
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

// CanFail reports whether a definition of the scope can fail on purpose: then Start must be
// called even if nothing is referred to. own is whether one of the task's definitions can.
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

func (r *Resolver) canFail(v *schema.Var) (can bool) {
	eachTemplate(v, func(text string, reference bool) {
		// Most texts need not be parsed.
		can = can || (strings.Contains(text, "fail") || strings.Contains(text, "must")) && r.templates.get(text, reference).canFail()
	})
	return can
}

func (t *tmpl) canFail() bool {
	return t.err != nil || slices.ContainsFunc(t.calls, func(name string) bool { return name == "fail" || strings.HasPrefix(name, "must") })
}

// Start evaluates, when the task of the scope starts, the definitions that its texts refer
// to, which is refs, and those that can fail on purpose. It returns the error of the first
// definition that fails.
func (s *Scope) Start(ctx context.Context, refs Refs) error {
	f, w := s.frame, s.work()
	required := requiredSet{f: f}
	required.addNames(refs.names, refs.all, w.top)
	failing := w.failing(f)
	for _, pos := range failing {
		required.addDependencies(pos)
	}
	return required.evaluate(func(pos int, v *schema.Var) error {
		if v.Kind == schema.Dynamic && !required.at[pos] {
			_, err := f.text(ctx, v.Text, view{before: pos})
			return err
		}
		_, err := f.eval(ctx, pos)
		return err
	}, failing...)
}

// Precompute evaluates, for a task that will be called, the dynamic variables of files that its
// texts refer to, which is refs. It leaves those for the start of the task that depend on the
// task, and the vars of its include, unless the task that has started has the same include,
// which is from.
func (s *Scope) Precompute(ctx context.Context, refs Refs, from *schema.Include) error {
	f, w := s.frame, s.work()
	own := w.atInclude // the end of those of the include alone
	if w.include != nil && s.call.Task.Include != from {
		own += w.include.taskDir
	}
	required := requiredSet{f: f}
	required.addNames(refs.names, refs.all, w.top)
	return required.evaluate(func(pos int, v *schema.Var) error {
		if v.Kind != schema.Dynamic || pos >= w.atInclude && pos < own || pos >= w.atCall || f.ofTask(pos, map[int]bool{}) {
			return nil
		}
		_, err := f.eval(ctx, pos)
		return err
	})
}

// failing returns the positions of the definitions that can fail on purpose.
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

// requiredSet is a set of definitions that must be evaluated, with all that they are computed from.
type requiredSet struct {
	f         *frame
	at        map[int]bool // positions
	allBefore int          // all before this position are required
}

// addNames adds the definitions that names refer to before a position.
func (d *requiredSet) addNames(names []string, all bool, before int) {
	if all {
		d.allBefore = max(d.allBefore, before)
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
		d.addDependencies(pos)
	}
}

// addDependencies adds the definitions that the one at pos is computed from.
func (d *requiredSet) addDependencies(pos int) {
	v, _, _ := d.f.at(pos)
	if v.Kind == schema.Dynamic && d.at[pos] && pos > d.allBefore {
		d.addNames(nil, true, pos)
	}
	d.f.eachTemplate(v, func(t *tmpl) { d.addNames(t.names, t.all, pos) })
}

// evaluate calls eval for each definition of the set, and for others, in order. It returns
// the first error, with its place.
func (d *requiredSet) evaluate(eval func(pos int, v *schema.Var) error, others ...int) error {
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

// known reports whether the value at pos needs no computing.
func (f *frame) known(pos int) bool {
	if f.isMatch(pos) {
		return true
	}
	v, b, i := f.at(pos)
	if v.Kind == schema.Static {
		if text, ok := v.Value.(string); ok {
			return !schema.IsTemplate(text)
		}
	}
	return b != nil && b.load(f.mode, i) != nil
}

// isMatch reports whether pos is the position of MATCH.
func (f *frame) isMatch(pos int) bool { return pos == f.w.atMatch && f.call.Task != nil }

// ofTask reports whether the definition at pos refers, directly or through others, to a value that
// differs from task to task. seen holds the positions that were visited.
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

// ofTaskName reports whether name is a special variable that differs from task to task.
func ofTaskName(name string) bool {
	return slices.Contains(specialNames[:ofTaskNames], name)
}

// eachTemplate calls do with every template of a definition, parsed.
func (f *frame) eachTemplate(v *schema.Var, do func(*tmpl)) {
	eachTemplate(v, func(text string, reference bool) { do(f.r.templates.get(text, reference)) })
}

// eachTemplate calls do with the text of every template of a definition.
func eachTemplate(v *schema.Var, do func(text string, reference bool)) {
	text := func(s string) {
		if schema.IsTemplate(s) {
			do(s, false)
		}
	}
	switch v.Kind {
	case schema.Ref:
		if v.Text != "" {
			do("{{"+v.Text+"}}", true)
		}
	case schema.Dynamic:
		text(v.Text)
	default:
		schema.EachString(v.Value, text)
	}
}

// traits describes a list of definitions: whether one is dynamic, and whether one can fail on
// purpose.
type traits struct{ dynamic, fails bool }

func (t *traits) add(r *Resolver, vs schema.Vars) {
	for i := range vs {
		t.dynamic = t.dynamic || vs[i].Kind == schema.Dynamic
		t.fails = t.fails || r.canFail(&vs[i])
	}
}

// fileTraits holds the traits of the definitions of files. It finds them without the blocks,
// which most runs never need. It is safe for concurrent use.
type fileTraits struct {
	globals  atomic.Pointer[traits]
	includes sync.Map // *schema.Include → traits
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

// include returns the traits of the definitions of an include.
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

package vars

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/weftrun/weft/schema"
)

// The definitions of a scope form one list; a position is an index into it:
//
//	0 … globals │ the include's │ the call's │ MATCH │ the task's │ top
//
// The first two parts are blocks, which scopes share: the value of a definition there is kept
// in the block unless it depends on the task. A name that is not defined in the list is a
// special variable or one of the process.

// block is a part of the list that files define.
type block struct {
	defs []*schema.Var
	// taskDir is the first index at which commands run in the task's directory. Before
	// it they run in the root directory.
	taskDir int
	last    map[string]int32 // index of the last definition of a name
	prev    []int32          // index of the previous definition of the same name, or -1

	failOnce sync.Once
	fails    []int32 // indexes of those that can fail on purpose, see failing

	kept [2]atomic.Pointer[[]atomic.Pointer[cell]]
}

// newBlock returns a block of the lists, one after the other.
func newBlock(lists ...[]schema.Var) *block {
	n := 0
	for _, l := range lists {
		n += len(l)
	}
	b := &block{defs: make([]*schema.Var, 0, n), last: make(map[string]int32, n), prev: make([]int32, 0, n), taskDir: n}
	for _, l := range lists {
		for i := range l {
			at, ok := b.last[l[i].Name]
			if !ok {
				at = -1
			}
			b.prev = append(b.prev, at)
			b.last[l[i].Name] = int32(len(b.defs))
			b.defs = append(b.defs, &l[i])
		}
	}
	return b
}

// find returns the index of the last definition of name before index n, or -1.
func (b *block) find(name string, n int) int {
	i, ok := b.last[name]
	if !ok {
		return -1
	}
	for i >= 0 && int(i) >= n {
		i = b.prev[i]
	}
	return int(i)
}

func (b *block) load(m Mode, i int) *cell {
	cells := b.kept[m].Load()
	if cells == nil {
		return nil
	}
	return (*cells)[i].Load()
}

func (b *block) store(m Mode, i int, c cell) {
	cells := b.kept[m].Load()
	if cells == nil {
		fresh := make([]atomic.Pointer[cell], len(b.defs))
		if b.kept[m].CompareAndSwap(nil, &fresh) {
			cells = &fresh
		} else {
			cells = b.kept[m].Load()
		}
	}
	(*cells)[i].Store(&c)
}

// globalBlock returns the block of global env, root dotenv files and global vars.
func (r *Resolver) globalBlock() *block {
	if b := r.globals.Load(); b != nil {
		return b
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if b := r.globals.Load(); b != nil {
		return b
	}
	b := newBlock(r.o.Workflow.Env, r.dotenv, r.globalVars())
	r.globals.Store(b)
	return b
}

// globalVars returns the variables of the command line and the files. Those about the
// command line come first; NAME=value replaces the file's NAME.
func (r *Resolver) globalVars() schema.Vars {
	if r.findingDotenv {
		return r.o.Workflow.Vars
	}
	vars := append(r.commandLine(), r.o.Workflow.Vars...)
	at := make(map[string]int, len(vars))
	merged := vars[:0]
	put := func(v schema.Var) {
		if i, ok := at[v.Name]; ok {
			merged[i] = v
			return
		}
		at[v.Name] = len(merged)
		merged = append(merged, v)
	}
	for _, v := range vars {
		put(v)
	}
	for _, v := range r.o.CLI {
		if i, ok := at[v.Name]; ok {
			v.Secret = merged[i].Secret
		}
		put(v)
	}
	return merged
}

// includeBlock returns the block of an include.
func (r *Resolver) includeBlock(inc *schema.Include) *block {
	if b, ok := r.includes.Load(inc); ok {
		return b.(*block)
	}
	b := newBlock(inc.Vars, inc.FileVars)
	b.taskDir = len(inc.Vars)
	kept, _ := r.includes.LoadOrStore(inc, b)
	return kept.(*block)
}

// depends is the set of things that a value depends on, apart from the definitions of its own block
// and those before it.
type depends uint8

const (
	ofTask depends = 1 << iota // the task, its call, or chance
	ofHigh                     // a definition after the global ones
)

// cell is a computed value. absent says that the name is defined but has no value: it is a
// dynamic variable in fast mode.
type cell struct {
	v      any
	absent bool
	dep    depends
}

// frame is the part that a scope shares with those that With makes from it.
type frame struct {
	r           *Resolver
	mode        Mode
	secretNames bool // see Scope.WithSecretNames
	call        Call
	w           *work

	runtime *RuntimeValues // what is known only when the step runs; nil before
}

// work holds what a frame has computed. It is made on demand.
type work struct {
	globals, include *block // include is nil for tasks of the root file
	// Positions, see the head of this file.
	atInclude, atCall, atMatch, atTask, top int

	dep          depends      // of the value that is being computed
	unreferenced bool         // nothing refers to that value, see ComputeSecrets
	local        map[int]cell // values of this scope alone
	texts        []*tmpl      // expanded for the task, for Uses
	ofRefs       *Scope       // whose bindings references see, see WithVar; nil for none
	dir          string
	varDir       string
	environ      *environment
	owned        map[int]bool // positions in local that were copied for a template to change
}

func (f *frame) work() *work {
	if f.w != nil {
		return f.w
	}
	w := &work{globals: f.r.globalBlock()}
	w.atInclude = len(w.globals.defs)
	w.atCall = w.atInclude
	if t := f.call.Task; t != nil {
		if t.Include != nil && len(t.Include.Vars)+len(t.Include.FileVars) > 0 {
			w.include = f.r.includeBlock(t.Include)
			w.atCall += len(w.include.defs)
		}
		w.atMatch = w.atCall + len(f.call.Vars)
		w.atTask = w.atMatch + 1
		w.top = w.atTask + len(t.Vars)
	} else {
		w.atMatch, w.atTask, w.top = w.atCall, w.atCall, w.atCall
	}
	f.w = w
	return w
}

// find returns the position of the last definition of name before the position before, or
// -1.
func (f *frame) find(name string, before int) int {
	w := f.work()
	if t := f.call.Task; t != nil && before > w.atCall {
		for i := min(before, w.top) - w.atTask - 1; i >= 0; i-- {
			if t.Vars[i].Name == name {
				return w.atTask + i
			}
		}
		if name == "MATCH" && before > w.atMatch {
			return w.atMatch
		}
		for i := min(before, w.atMatch) - w.atCall - 1; i >= 0; i-- {
			if f.call.Vars[i].Name == name {
				return w.atCall + i
			}
		}
	}
	if w.include != nil && before > w.atInclude {
		if i := w.include.find(name, before-w.atInclude); i >= 0 {
			return w.atInclude + i
		}
	}
	return w.globals.find(name, before)
}

// matchDefinition is a placeholder for the definition of MATCH. Its value is not used.
var matchDefinition = schema.Var{Name: "MATCH"}

// at returns the definition at a position, and if it is in a block also that and its index
// there.
func (f *frame) at(pos int) (v *schema.Var, b *block, i int) {
	w := f.w
	switch {
	case pos < w.atInclude:
		return w.globals.defs[pos], w.globals, pos
	case pos < w.atCall:
		return w.include.defs[pos-w.atInclude], w.include, pos - w.atInclude
	case pos < w.atMatch:
		return &f.call.Vars[pos-w.atCall], nil, 0
	case f.isMatch(pos):
		return &matchDefinition, nil, 0
	}
	return &f.call.Task.Vars[pos-w.atTask], nil, 0
}

// eval returns the value of the definition at pos.
func (f *frame) eval(ctx context.Context, pos int) (value cell, err error) {
	w := f.work()
	if pos >= w.atInclude {
		w.dep |= ofHigh
	}
	if c, ok := w.local[pos]; ok {
		w.dep |= c.dep
		return c, nil
	}
	if f.isMatch(pos) {
		w.dep |= ofTask
		return cell{v: append([]string{}, f.call.Match...)}, nil
	}
	v, b, i := f.at(pos)
	if b == nil {
		w.dep |= ofTask
	}
	if v.Secret {
		defer func() { f.reportSecret(v.Name, value.v) }()
	}
	if v.Kind == schema.Static {
		switch x := v.Value.(type) {
		case string:
			if !schema.IsTemplate(x) {
				return cell{v: x}, nil
			}
		case nil:
			if f.mode == Fast {
				return cell{v: ""}, nil
			}
			return cell{}, nil
		case bool, int, float64:
			return cell{v: x}, nil
		}
	}
	if b != nil {
		if c := b.load(f.mode, i); c != nil {
			w.dep |= c.dep
			return *c, nil
		}
	}
	before := w.dep
	w.dep = 0
	c, err := f.compute(ctx, v, pos)
	c.dep = w.dep
	w.dep |= before
	if err != nil {
		return cell{}, err
	}
	if b != nil && c.dep&ofTask == 0 {
		b.store(f.mode, i, c)
	} else {
		f.keep(pos, c)
	}
	return c, nil
}

func (f *frame) keep(pos int, c cell) {
	if f.w.local == nil {
		f.w.local = map[int]cell{}
	}
	f.w.local[pos] = c
}

// compute evaluates a definition. In fast mode a definition that fails stays as it is
// written, and a dynamic variable has no value.
func (f *frame) compute(ctx context.Context, v *schema.Var, pos int) (cell, error) {
	from := view{before: pos}
	switch v.Kind {
	case schema.Dynamic:
		if f.mode == Fast {
			return cell{absent: true}, nil
		}
		out, err := f.dynamic(ctx, v, pos)
		return cell{v: out}, located(err, v.Pos)
	case schema.Ref:
		x, err := f.ref(ctx, v.Text, from)
		if f.mode == Fast && (err != nil || x == nil) {
			return cell{v: ""}, nil
		}
		return cell{v: x}, located(err, v.Pos)
	}
	x, err := f.value(ctx, v.Value, from)
	if err != nil && f.mode == Fast {
		return cell{v: v.Value}, nil
	}
	return cell{v: x}, located(err, v.Pos)
}

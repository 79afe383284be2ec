package vars

import (
	"context"
	"reflect"
	"strings"
	"sync"
	"text/template/parse"

	"github.com/go-task/template"

	"github.com/weftrun/weft/internal/limit"
)

// execution executes one template at a time and limits its output: the functions of
// its table are bound to it. It counts the iterations of loops by empty texts that
// [countPasses] puts at the start of their bodies. Executions are reused, see [begin].
type execution struct {
	base    *template.Template // has the functions used so far; nothing is ever defined in it
	known   map[string]bool    // those functions
	special template.FuncMap   // see specialFunctions
	ctx     context.Context
	runtime *RuntimeValues // for the functions output and port; nil if there is nothing

	out    strings.Builder
	passes int
	work   int64
}

// idleExecutions holds the executions that are not in use.
var idleExecutions sync.Pool

// begin returns an execution for one template. end must be called for it.
func begin(ctx context.Context, l *RuntimeValues) *execution {
	x, _ := idleExecutions.Get().(*execution)
	if x == nil {
		x = &execution{base: template.New(""), known: map[string]bool{}}
		x.special = x.specialFunctions()
	}
	x.ctx, x.runtime = ctx, l
	return x
}

// end returns x to idleExecutions.
func (x *execution) end() {
	x.out.Reset()
	x.ctx, x.runtime, x.passes, x.work = nil, nil, 0, 0
	idleExecutions.Put(x)
}

// template returns t with the functions of x.
func (x *execution) template(t *tmpl) (*template.Template, error) {
	var more template.FuncMap
	for _, name := range t.calls {
		if !x.known[name] {
			if more == nil {
				more = template.FuncMap{}
			}
			x.known[name] = true
			if f := x.function(name); f != nil {
				more[name] = f
			}
		}
	}
	if more != nil {
		x.base.Funcs(more)
	}
	if t.several == nil {
		exe := x.base.New(t.name)
		exe.Tree = t.tree
		return exe, nil
	}
	// It defines templates of its own, which must not reach others.
	exe, err := x.base.Clone()
	if err != nil {
		return nil, err
	}
	exe = exe.New(t.name)
	for name, tree := range t.several {
		if _, err := exe.AddParseTree(name, tree); err != nil {
			return nil, err
		}
	}
	return exe, nil
}

// Write implements io.Writer, for the template's output.
func (x *execution) Write(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, x.pass()
	}
	size := x.out.Len() + len(p)
	if size > limit.Text {
		return 0, errText
	}
	if x.out.Cap() < size {
		if err := limit.Grow(int64(size)); err != nil {
			return 0, err
		}
	}
	return x.out.Write(p)
}

// pass counts one iteration of a loop, or one use of a template that another defines.
func (x *execution) pass() error {
	if x.passes++; x.passes > limit.Passes {
		return errPasses
	}
	if x.passes%1024 == 0 && x.ctx.Err() != nil {
		return context.Cause(x.ctx)
	}
	return nil
}

// spend counts n bytes that a function will read, or items that it will visit. It panics if
// that is too much, which the engine converts to an error of the function.
func (x *execution) spend(n int) {
	if n < 0 || x.work+int64(n) > limit.Work {
		panic(errWork)
	}
	before := x.work
	x.work += int64(n) + 1
	if before>>20 != x.work>>20 && x.ctx.Err() != nil {
		panic(context.Cause(x.ctx))
	}
}

// make counts n bytes that a function will produce: like spend, and as memory. n may be an
// upper bound, so the limit is higher than that of a text.
func (x *execution) make(n int) {
	if n < 0 || n > 3*limit.Text {
		panic(errText)
	}
	x.spend(n)
	if err := limit.Grow(int64(n)); err != nil {
		panic(err)
	}
}

// text counts and returns the result of a function.
func (x *execution) text(s string) string {
	if len(s) > limit.Text {
		panic(errText)
	}
	return s
}

// items counts the n items of a list that a function will make.
func (x *execution) items(n int) {
	if n < 0 || n > limit.Passes {
		panic(errItems)
	}
	x.make(16 * n)
}

var (
	errText   = limit.Bytes("the output of this template", limit.Text)
	errPasses = limit.Count("the number of passes of the loops in this template", limit.Passes, "passes")
	errItems  = limit.Count("the list that this template creates", limit.Passes, "items")
	errWork   = limit.Count("this template takes too long: the data that its functions process", limit.Work, "bytes")
)

// branches calls f with each node of l and then does so for the lists in it.
func branches(l *parse.ListNode, f func(parse.Node)) {
	if l == nil {
		return
	}
	for _, n := range l.Nodes {
		f(n)
		if b := branchOf(n); b != nil {
			branches(b.List, f)
			branches(b.ElseList, f)
		}
	}
}

// branchOf returns the lists of a node that has some, or nil.
func branchOf(n parse.Node) *parse.BranchNode {
	switch n := n.(type) {
	case *parse.IfNode:
		return &n.BranchNode
	case *parse.WithNode:
		return &n.BranchNode
	case *parse.RangeNode:
		return &n.BranchNode
	}
	return nil
}

// countPasses makes executions count the iterations of the loops below l.
func countPasses(l *parse.ListNode) {
	branches(l, func(n parse.Node) {
		if loop, ok := n.(*parse.RangeNode); ok {
			countEntry(loop.List)
		}
	})
}

// countEntry makes executions count how often l is executed.
func countEntry(l *parse.ListNode) {
	l.Nodes = append([]parse.Node{&parse.TextNode{NodeType: parse.NodeText, Pos: l.Pos}}, l.Nodes...)
}

// shown is the name of a function that limits the values that a template writes, if its functions
// may make a value that is larger as text than in memory.
const shown = "shown"

// boundShown adds shown to each action below l that writes something.
func boundShown(l *parse.ListNode) {
	branches(l, func(n parse.Node) {
		if n, ok := n.(*parse.ActionNode); ok && len(n.Pipe.Decl) == 0 {
			name := parse.NewIdentifier(shown).SetPos(n.Pos)
			n.Pipe.Cmds = append(n.Pipe.Cmds, &parse.CommandNode{NodeType: parse.NodeCommand, Pos: n.Pos, Args: []parse.Node{name}})
		}
	})
}

// measure returns the approximate size of v as text, in bytes, or limit.Text + 1 if it is
// larger. A value that occurs several times counts each time.
func measure(v reflect.Value) int {
	left := limit.Text
	if !fits(v, &left) {
		return limit.Text + 1
	}
	return limit.Text - left
}

func fits(v reflect.Value, left *int) bool {
	const each = 16 // of a list or a map: what it takes in memory, too
	*left--
	switch v.Kind() {
	case reflect.Interface, reflect.Pointer:
		return v.IsNil() || v.Kind() == reflect.Interface && fits(v.Elem(), left)
	case reflect.String:
		*left -= v.Len()
	case reflect.Map:
		*left -= each
		for it := v.MapRange(); *left >= 0 && it.Next(); {
			if !fits(it.Key(), left) || !fits(it.Value(), left) {
				return false
			}
		}
	case reflect.Slice, reflect.Array:
		*left -= each
		switch v.Type().Elem().Kind() {
		case reflect.String, reflect.Interface, reflect.Map, reflect.Slice, reflect.Array:
			for i := 0; i < v.Len() && *left >= 0; i++ {
				if !fits(v.Index(i), left) {
					return false
				}
			}
		default:
			*left -= v.Len()
		}
	}
	return *left >= 0
}

package vars

import (
	"slices"
	"text/template/parse"
)

// refs collects what a template refers to. A superfluous name costs time; a missing one would
// make results wrong.
type refs struct {
	names []string
	all   bool // any name: the map of all variables is used as a value
	// chance: two executions with the same variables may differ. mutates: an execution changes a
	// variable's value in place.
	chance, mutates bool
	builds          bool     // it makes lists or maps, which may hold a value many times
	calls           []string // functions, each once
	runtime         []RuntimeRef
}

func (r *refs) add(name string) {
	if !slices.Contains(r.names, name) {
		r.names = append(r.names, name)
	}
}

// list visits nodes. root is whether the dot is the map of all variables.
func (r *refs) list(l *parse.ListNode, root bool) {
	if l == nil {
		return
	}
	for _, n := range l.Nodes {
		switch n := n.(type) {
		case *parse.ActionNode:
			r.pipe(n.Pipe, root)
		case *parse.IfNode:
			r.branch(&n.BranchNode, root, root)
		case *parse.RangeNode:
			r.branch(&n.BranchNode, root, false)
		case *parse.WithNode:
			r.branch(&n.BranchNode, root, false)
		case *parse.TemplateNode:
			r.all = true
			r.pipe(n.Pipe, root)
		}
	}
}

func (r *refs) branch(b *parse.BranchNode, root, inside bool) {
	r.pipe(b.Pipe, root)
	r.list(b.List, inside)
	r.list(b.ElseList, root)
}

func (r *refs) pipe(p *parse.PipeNode, root bool) {
	if p == nil {
		return
	}
	for i, c := range p.Cmds {
		r.named(c, i > 0)
		if f, ok := c.Args[0].(*parse.IdentifierNode); ok {
			r.call(f.Ident)
		}
		if !r.entry(c, root) {
			for _, a := range c.Args {
				r.arg(a, root)
			}
		}
	}
}

// entry recognises `index . "X"` and the like, which refer only to X.
func (r *refs) entry(c *parse.CommandNode, root bool) bool {
	if len(c.Args) < 3 {
		return false
	}
	f, ok := c.Args[0].(*parse.IdentifierNode)
	if !ok || f.Ident != "index" && f.Ident != "get" && f.Ident != "hasKey" {
		return false
	}
	switch n := c.Args[1].(type) {
	case *parse.DotNode:
		if !root {
			return false
		}
	case *parse.VariableNode:
		if len(n.Ident) != 1 || n.Ident[0] != "$" {
			return false
		}
	default:
		return false
	}
	name, ok := c.Args[2].(*parse.StringNode)
	if !ok {
		return false
	}
	r.add(name.Text)
	for _, a := range c.Args[3:] {
		r.arg(a, root)
	}
	return true
}

func (r *refs) arg(n parse.Node, root bool) {
	switch n := n.(type) {
	case *parse.FieldNode:
		if root {
			r.add(n.Ident[0])
		}
	case *parse.VariableNode:
		if n.Ident[0] != "$" {
			break
		}
		if len(n.Ident) == 1 {
			r.all = true
		} else {
			r.add(n.Ident[1])
		}
	case *parse.DotNode:
		r.all = r.all || root
	case *parse.ChainNode:
		r.arg(n.Node, root)
	case *parse.PipeNode:
		r.pipe(n, root)
	case *parse.IdentifierNode:
		r.call(n.Ident)
		r.function(n.Ident)
	}
}

func (r *refs) call(name string) {
	if !slices.Contains(r.calls, name) {
		r.calls = append(r.calls, name)
	}
}

// named records a call of the function output or port.
func (r *refs) named(c *parse.CommandNode, piped bool) {
	f, ok := c.Args[0].(*parse.IdentifierNode)
	if !ok || f.Ident != "output" && f.Ident != "port" {
		return
	}
	ref := RuntimeRef{Port: f.Ident == "port", Literal: !piped && len(c.Args) >= 2 && len(c.Args) <= 3}
	for i, a := range c.Args[1:] {
		text, ok := a.(*parse.StringNode)
		switch {
		case !ok:
			ref.Literal = false
		case i == 0:
			ref.Task = text.Text
		case i == 1:
			ref.Name = text.Text
		}
	}
	if ref.Port && len(c.Args) == 2 {
		ref.Task, ref.Name = "", ref.Task
	}
	r.runtime = append(r.runtime, ref)
}

// function records a function if its result depends on more than its arguments.
func (r *refs) function(name string) {
	switch name {
	case "set", "unset":
		r.mutates, r.chance, r.builds = true, true, true
	case "now", "ago", "date", "date_in_zone", "dateInZone", "htmlDate", "htmlDateInZone", "uuid", "randInt", "randIntN", "getHostByName":
		r.chance = true
	case "list", "tuple", "dict", "append", "push", "mustAppend", "mustPush", "prepend", "mustPrepend", "concat", "merge":
		r.builds = true
	}
}

package shell

import (
	"fmt"
	"slices"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// alwaysEmpty are variables that bash sets and this shell does not.
var alwaysEmpty = []string{"PIPESTATUS", "BASHPID", "BASH_COMMAND", "BASH_LINENO", "BASH_SUBSHELL", "FUNCNAME", "EPOCHSECONDS", "EPOCHREALTIME", "SECONDS", "OSTYPE", "HOSTTYPE", "MACHTYPE"}

func (c *bashChecker) expansion(p *syntax.ParamExp) {
	if p.Param == nil {
		return
	}
	name := p.Param.Value
	switch {
	case name == "!" && !c.allowed[p]:
		c.add(p, BashOnly{What: "$!", Why: "in weft's shell it is not a process ID: only wait and kill accept it"})
	case c.lastPid[name] && !c.allowed[p]:
		c.add(p, BashOnly{What: "$!", Why: fmt.Sprintf("in weft's shell it is not a process ID, so $%s is not one: only wait and kill accept it", name)})
	case name == "SECONDS" && c.assigned[name]:
		c.add(p, BashOnly{What: "${SECONDS}", Why: "in weft's shell it does not count"})
	case slices.Contains(alwaysEmpty, name) && !c.assigned[name] && (c.declared == nil || !c.declared(name)) && !hasDefault(p):
		c.add(p, BashOnly{What: "${" + name + "}", Why: "in weft's shell it is always empty"})
	case p.Length && p.Index != nil && c.assoc[name]:
		if w, ok := p.Index.(*syntax.Word); ok && (w.Lit() == "@" || w.Lit() == "*") {
			c.add(p, BashOnly{What: "${#" + name + "[" + w.Lit() + "]}", Why: "in weft's shell it is always 1 for an associative array"})
		}
	}
	if p.Repl != nil && p.Repl.Orig != nil {
		if text, _ := wordText(p.Repl.Orig); strings.HasPrefix(text, "#") || strings.HasPrefix(text, "%") {
			c.add(p, BashOnly{What: "${" + name + "/" + text[:1] + "…}", Why: "in weft's shell it replaces nothing"})
		}
	}
}

// hasDefault reports whether p has a default for an empty variable.
func hasDefault(p *syntax.ParamExp) bool {
	ops := []syntax.ParExpOperator{syntax.AlternateUnset, syntax.AlternateUnsetOrNull, syntax.DefaultUnset, syntax.DefaultUnsetOrNull, syntax.AssignUnset, syntax.AssignUnsetOrNull}
	return p.Exp != nil && slices.Contains(ops, p.Exp.Op)
}

func (c *bashChecker) redirect(r *syntax.Redirect) {
	what := r.Op.String()
	if r.N != nil {
		switch r.N.Value {
		case "0", "1", "2":
		default:
			c.add(r, BashOnly{What: r.N.Value + what, Why: "weft's shell has only the file descriptors 0, 1 and 2", status: 1})
			return
		}
		what = r.N.Value + what
	}
	switch r.Op {
	case syntax.RdrClob, syntax.RdrInOut:
		c.add(r, BashOnly{What: what, Why: "weft's shell has no such redirection", status: 1})
	case syntax.DplOut, syntax.DplIn:
		text, known := wordText(r.Word)
		if !known || text == "-" || r.Op == syntax.DplOut && (text == "1" || text == "2") {
			return
		}
		c.add(r, BashOnly{What: what + text, Why: "weft's shell has no such redirection", status: 1})
	}
}

func (c *bashChecker) declaration(d *syntax.DeclClause) {
	name := d.Variant.Value
	for _, a := range d.Args {
		flags, ok := declFlags(a)
		if !ok {
			continue
		}
		for _, f := range flags {
			what := name + " -" + string(f)
			switch {
			case name == "export" && (f == 'f' || f == 'n'):
				c.add(d, BashOnly{What: what, Why: "in weft's shell it has no effect"})
			case !strings.ContainsRune("xraAngfp-", f):
				c.add(d, BashOnly{What: what, Why: "weft's " + name + " has no such option", status: 2})
			}
		}
	}
}

// declFlags returns the letters of an argument of declare that is an option.
func declFlags(a *syntax.Assign) (string, bool) {
	if a.Name != nil || a.Value == nil {
		return "", false
	}
	text, _ := wordText(a.Value)
	return strings.TrimPrefix(text, "-"), strings.HasPrefix(text, "-")
}

// The value of $! is the number of a job in this shell, not a process ID. The functions below
// find the places where that makes no difference.

// isLastPid reports whether w is "$!" and nothing else.
func isLastPid(w *syntax.Word) bool {
	if w == nil || len(w.Parts) != 1 {
		return false
	}
	part := w.Parts[0]
	if q, ok := part.(*syntax.DblQuoted); ok && len(q.Parts) == 1 {
		part = q.Parts[0]
	}
	p, ok := part.(*syntax.ParamExp)
	return ok && p.Param != nil && p.Param.Value == "!"
}

// assigned returns the values that n assigns.
func assigned(n *syntax.Assign) []*syntax.Word {
	words := []*syntax.Word{n.Value}
	if n.Array != nil {
		for _, e := range n.Array.Elems {
			words = append(words, e.Value)
		}
	}
	return words
}

// allow records the places where $! works.
func (c *bashChecker) allow(n syntax.Node) bool {
	allow := func(n syntax.Node) {
		syntax.Walk(n, func(n syntax.Node) bool {
			if p, ok := n.(*syntax.ParamExp); ok {
				c.allowed[p] = true
			}
			return true
		})
	}
	switch n := n.(type) {
	case *syntax.CallExpr:
		if len(n.Args) == 0 {
			break
		}
		switch n.Args[0].Lit() {
		case "wait", "kill", "trap", "[", "test":
			for _, w := range n.Args[1:] {
				allow(w)
			}
		}
	case *syntax.TestClause:
		allow(n)
	case *syntax.ForClause:
		if it, ok := n.Loop.(*syntax.WordIter); ok && it.Name != nil {
			// for pid in "${pids[@]}": the uses of pid are checked instead.
			for _, w := range it.Items {
				if c.namesLastPid(w) {
					c.lastPid[it.Name.Value] = true
					allow(w)
				}
			}
		}
	case *syntax.Assign:
		for _, w := range assigned(n) {
			if isLastPid(w) {
				allow(w)
			}
		}
	}
	return true
}

// namesLastPid reports whether w expands a variable that holds $!.
func (c *bashChecker) namesLastPid(w *syntax.Word) (found bool) {
	syntax.Walk(w, func(n syntax.Node) bool {
		if p, ok := n.(*syntax.ParamExp); ok && p.Param != nil {
			found = found || p.Param.Value == "!" || c.lastPid[p.Param.Value]
		}
		return true
	})
	return found
}

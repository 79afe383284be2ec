package shell

import "mvdan.cc/sh/v3/syntax"

// The number of the job that was started last, $!, is no process ID here. What follows
// finds where it may stand all the same.

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

// allow notes where $! may stand.
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
			// for pid in "${pids[@]}": what becomes of pid is looked at instead.
			for _, w := range it.Items {
				if c.namesLastPid(w) {
					c.lastPid[it.Name.Value] = true
					allow(w)
				}
			}
		}
	case *syntax.Assign:
		if isLastPid(n.Value) {
			allow(n.Value)
		}
		if n.Array != nil {
			for _, e := range n.Array.Elems {
				if isLastPid(e.Value) {
					allow(e.Value)
				}
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

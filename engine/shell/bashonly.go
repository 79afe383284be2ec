package shell

import (
	"slices"
	"strings"

	"mvdan.cc/sh/v3/syntax"

	"github.com/weftrun/weft/internal/limit"
)

// BashOnly is a part of a script that works in bash, but not, or not in the same way, in this
// shell.
type BashOnly struct {
	What   string // as written: "read -d", "${PIPESTATUS}"
	Why    string // what this shell does with it
	Line   int    // of the script, from 1
	inCall bool   // the interpreter fails on it in a command that callHandler sees
	status int    // exit status if the interpreter fails on it elsewhere; 0 if it does not
}

// CheckScript returns the parts of text, the script of a command, that need bash: each once, in
// order. Templates in it count as unknown words. If text is not a script there are none.
// Declared reports whether the script has a variable in its environment; nil means that it has
// none.
func CheckScript(text string, declared func(name string) bool) []BashOnly {
	f := parseTemplate(text)
	if f == nil {
		return nil
	}
	return bashOnly(f, declared)
}

// parseTemplate parses a script, in which templates are unknown words. It returns nil if text is
// not a script.
func parseTemplate(text string) *syntax.File {
	text, ok := withoutTemplates(text)
	if !ok || limit.Shell(text) != nil {
		return nil
	}
	f, err := syntax.NewParser().Parse(strings.NewReader(text), "")
	if err != nil {
		return nil
	}
	return f
}

// unknownWord stands for a template.
const unknownWord = "_WEFT_TEMPLATE_"

// withoutTemplates replaces each template in text by unknownWord. Control actions such as if
// and end are removed, unless they are part of a word. It returns false if a template does not
// end.
func withoutTemplates(text string) (string, bool) {
	if !strings.Contains(text, "{{") {
		return text, true
	}
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(text, "{{")
		b.WriteString(before)
		if !found {
			return b.String(), true
		}
		action, after, found := strings.Cut(rest, "}}")
		if !found {
			return "", false
		}
		action = strings.TrimLeft(action, "- \t\n")
		word := action
		if i := strings.IndexAny(action, " \t\n-("); i >= 0 {
			word = action[:i]
		}
		switch word {
		case "if", "else", "end", "range", "with", "define", "block", "break", "continue":
			if before != "" && after != "" && !strings.ContainsAny(before[len(before)-1:]+after[:1], " \t\n;&|(){}") {
				b.WriteString(unknownWord)
			}
		default:
			if !strings.HasPrefix(action, "/*") {
				b.WriteString(unknownWord)
			}
		}
		text = after
	}
}

// bashOnly is CheckScript for a parsed script.
func bashOnly(f *syntax.File, declared func(string) bool) []BashOnly {
	c := bashChecker{declared: declared, funcs: map[string]bool{}, assigned: map[string]bool{}, assoc: map[string]bool{}, lastPid: map[string]bool{}, allowed: map[*syntax.ParamExp]bool{}}
	syntax.Walk(f, c.names)
	syntax.Walk(f, c.allow)
	syntax.Walk(f, c.node)
	return c.found
}

// bashChecker walks through a script three times: for the names that it defines, for the
// places where $! is allowed, and for what needs bash.
type bashChecker struct {
	declared func(string) bool
	funcs    map[string]bool // defined in the script
	assigned map[string]bool // variables that it sets
	assoc    map[string]bool // those that are associative arrays
	lastPid  map[string]bool // those that are set to $!
	// allowed are the places where $!, or a variable with its value, works: the arguments of
	// wait, kill and trap.
	allowed map[*syntax.ParamExp]bool
	found   []BashOnly
}

func (c *bashChecker) add(n syntax.Node, b BashOnly) {
	if !slices.ContainsFunc(c.found, func(o BashOnly) bool { return o.What == b.What }) {
		b.Line = int(n.Pos().Line())
		c.found = append(c.found, b)
	}
}

// names records the names that the script defines.
func (c *bashChecker) names(n syntax.Node) bool {
	switch n := n.(type) {
	case *syntax.FuncDecl:
		if n.Name != nil {
			c.funcs[n.Name.Value] = true
		}
	case *syntax.DeclClause:
		assoc := false
		for _, a := range n.Args {
			if flags, ok := declFlags(a); ok {
				assoc = assoc || strings.Contains(flags, "A")
			} else if a.Name != nil && assoc {
				c.assoc[a.Name.Value] = true
			}
		}
	case *syntax.Assign:
		if n.Name != nil {
			c.assigned[n.Name.Value] = true
			if slices.ContainsFunc(assigned(n), isLastPid) {
				c.lastPid[n.Name.Value] = true
			}
		}
	}
	return true
}

func (c *bashChecker) node(n syntax.Node) bool {
	switch n := n.(type) {
	case *syntax.ParamExp:
		c.expansion(n)
	case *syntax.CoprocClause:
		c.add(n, BashOnly{What: "coproc", Why: "weft's shell has no coprocesses", status: 1})
	case *syntax.Redirect:
		c.redirect(n)
	case *syntax.DeclClause:
		c.declaration(n)
	case *syntax.CallExpr:
		c.call(n)
	case *syntax.Assign:
		if n.Append && n.Array != nil && n.Name != nil && c.assoc[n.Name.Value] {
			c.add(n, BashOnly{What: n.Name.Value + "+=(…)", Why: "in weft's shell it does not append to an associative array"})
		}
	case *syntax.UnaryTest:
		if w, ok := n.X.(*syntax.Word); ok && n.Op == syntax.TsVarSet {
			if text, _ := wordText(w); strings.Contains(text, "[") {
				c.add(n, BashOnly{What: "-v " + text, Why: "in weft's shell it is never true for an element"})
			}
		}
	}
	return true
}

// wordText returns the text of a word without quotes and expansions. known is false if it has
// expansions.
func wordText(w *syntax.Word) (text string, known bool) {
	var b strings.Builder
	known = true
	var parts func(list []syntax.WordPart)
	parts = func(list []syntax.WordPart) {
		for _, part := range list {
			switch part := part.(type) {
			case *syntax.Lit:
				b.WriteString(part.Value)
			case *syntax.SglQuoted:
				b.WriteString(part.Value)
			case *syntax.DblQuoted:
				parts(part.Parts)
			default:
				known = false
			}
		}
	}
	if w != nil {
		parts(w.Parts)
	}
	return b.String(), known && !strings.Contains(b.String(), unknownWord)
}

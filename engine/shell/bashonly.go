package shell

import (
	"slices"
	"strings"

	"mvdan.cc/sh/v3/syntax"

	"github.com/weftrun/weft/internal/limit"
)

// BashOnly is something in a script that this shell does not have, or does not get
// right, and bash does.
type BashOnly struct {
	What string // as it is written: "read -d", "${PIPESTATUS}"
	Why  string // what becomes of it here
	Line int    // of the script, from 1
	// inCall tells that the interpreter fails on it in a command that callHandler
	// sees.
	inCall bool
	// status is the exit status that the interpreter gives where it fails on it
	// elsewhere; 0 means that it does not.
	status int
}

// CheckScript returns what only bash runs right in text, the script of a command:
// each thing once, in the order of the script. Templates in it count as words that
// are not known. A text that is no shell language has nothing. Declared tells
// which variables the script finds in its environment; nil means none.
func CheckScript(text string, declared func(name string) bool) []BashOnly {
	text, ok := withoutTemplates(text)
	if !ok || limit.Shell(text) != nil {
		return nil
	}
	f, err := syntax.NewParser().Parse(strings.NewReader(text), "")
	if err != nil {
		return nil
	}
	return bashOnly(f, declared)
}

// unknownWord stands for a template.
const unknownWord = "_WEFT_TEMPLATE_"

// withoutTemplates replaces the templates in text by a word, and what only governs
// others (if, range, end) by nothing, unless it stands inside a word. It is false
// for a template that never ends.
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

// bashOnly is CheckScript for a script that is parsed.
func bashOnly(f *syntax.File, declared func(string) bool) []BashOnly {
	c := bashChecker{declared: declared, funcs: map[string]bool{}, assigned: map[string]bool{}, assoc: map[string]bool{}, lastPid: map[string]bool{}, allowed: map[*syntax.ParamExp]bool{}}
	syntax.Walk(f, c.names)
	syntax.Walk(f, c.allow)
	syntax.Walk(f, c.node)
	return c.found
}

// bashChecker goes through a script three times: for what it names, for where the
// number of a job may stand, and for what bash alone knows.
type bashChecker struct {
	declared func(string) bool
	funcs    map[string]bool // defined in the script
	assigned map[string]bool // variables that it sets
	assoc    map[string]bool // of these, those that are associative arrays
	lastPid  map[string]bool // of these, those that are set to $!
	// allowed are the expansions of $!, and of variables that hold it, where it is
	// right: with wait, kill and trap.
	allowed map[*syntax.ParamExp]bool
	found   []BashOnly
}

func (c *bashChecker) add(n syntax.Node, b BashOnly) {
	if !slices.ContainsFunc(c.found, func(o BashOnly) bool { return o.What == b.What }) {
		b.Line = int(n.Pos().Line())
		c.found = append(c.found, b)
	}
}

// names notes what the script defines.
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
		c.add(n, BashOnly{What: "coproc", Why: "there are no coprocesses here", status: 1})
	case *syntax.Redirect:
		c.redirect(n)
	case *syntax.DeclClause:
		c.declaration(n)
	case *syntax.CallExpr:
		c.call(n)
	case *syntax.Assign:
		if n.Append && n.Array != nil && n.Name != nil && c.assoc[n.Name.Value] {
			c.add(n, BashOnly{What: n.Name.Value + "+=(…)", Why: "it adds nothing to an associative array here"})
		}
	case *syntax.UnaryTest:
		if w, ok := n.X.(*syntax.Word); ok && n.Op == syntax.TsVarSet {
			if text, _ := wordText(w); strings.Contains(text, "[") {
				c.add(n, BashOnly{What: "-v " + text, Why: "it is never true of an element here"})
			}
		}
	}
	return true
}

// wordText returns the text of a word without its quotes, and whether that is all
// of it; what is expanded is left out.
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

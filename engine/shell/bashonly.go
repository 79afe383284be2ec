package shell

import (
	"fmt"
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
			if isLastPid(n.Value) || n.Array != nil && slices.ContainsFunc(n.Array.Elems, func(e *syntax.ArrayElem) bool { return isLastPid(e.Value) }) {
				c.lastPid[n.Name.Value] = true
			}
		}
	}
	return true
}

// declFlags returns the letters of an argument of declare that is an option.
func declFlags(a *syntax.Assign) (string, bool) {
	if a.Name != nil || a.Value == nil {
		return "", false
	}
	text, _ := wordText(a.Value)
	return strings.TrimPrefix(text, "-"), strings.HasPrefix(text, "-")
}

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

// alwaysEmpty are variables that bash sets and this shell does not.
var alwaysEmpty = []string{"PIPESTATUS", "BASHPID", "BASH_COMMAND", "BASH_LINENO", "BASH_SUBSHELL", "FUNCNAME", "EPOCHSECONDS", "EPOCHREALTIME", "SECONDS", "OSTYPE", "HOSTTYPE", "MACHTYPE"}

func (c *bashChecker) expansion(p *syntax.ParamExp) {
	if p.Param == nil {
		return
	}
	name := p.Param.Value
	switch {
	case name == "!" && !c.allowed[p]:
		c.add(p, BashOnly{What: "$!", Why: "it is no process ID here: wait and kill alone know it"})
	case c.lastPid[name] && !c.allowed[p]:
		c.add(p, BashOnly{What: "$!", Why: fmt.Sprintf("it is no process ID here, and so $%s is none: wait and kill alone know it", name)})
	case name == "SECONDS" && c.assigned[name]:
		c.add(p, BashOnly{What: "${SECONDS}", Why: "it does not count here"})
	case slices.Contains(alwaysEmpty, name) && !c.assigned[name] && (c.declared == nil || !c.declared(name)) && !hasDefault(p):
		c.add(p, BashOnly{What: "${" + name + "}", Why: "it is always empty here"})
	case p.Length && p.Index != nil && c.assoc[name]:
		if w, ok := p.Index.(*syntax.Word); ok && (w.Lit() == "@" || w.Lit() == "*") {
			c.add(p, BashOnly{What: "${#" + name + "[" + w.Lit() + "]}", Why: "it is always 1 of an associative array here"})
		}
	}
	if p.Repl != nil && p.Repl.Orig != nil {
		if text, _ := wordText(p.Repl.Orig); strings.HasPrefix(text, "#") || strings.HasPrefix(text, "%") {
			c.add(p, BashOnly{What: "${" + name + "/" + text[:1] + "…}", Why: "it replaces nothing here"})
		}
	}
}

// hasDefault reports whether p says what an empty variable means.
func hasDefault(p *syntax.ParamExp) bool {
	if p.Exp == nil {
		return false
	}
	switch p.Exp.Op {
	case syntax.AlternateUnset, syntax.AlternateUnsetOrNull, syntax.DefaultUnset, syntax.DefaultUnsetOrNull, syntax.AssignUnset, syntax.AssignUnsetOrNull:
		return true
	}
	return false
}

func (c *bashChecker) redirect(r *syntax.Redirect) {
	what := r.Op.String()
	if r.N != nil {
		switch r.N.Value {
		case "0", "1", "2":
		default:
			c.add(r, BashOnly{What: r.N.Value + what, Why: "there are no file descriptors but 0, 1 and 2 here", status: 1})
			return
		}
		what = r.N.Value + what
	}
	switch r.Op {
	case syntax.RdrClob, syntax.RdrInOut:
		c.add(r, BashOnly{What: what, Why: "there is no such redirection here", status: 1})
	case syntax.DplOut, syntax.DplIn:
		text, known := wordText(r.Word)
		if !known || text == "-" || r.Op == syntax.DplOut && (text == "1" || text == "2") {
			return
		}
		c.add(r, BashOnly{What: what + text, Why: "there is no such redirection here", status: 1})
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
				c.add(d, BashOnly{What: what, Why: "it does nothing here"})
			case !strings.ContainsRune("xraAngfp-", f):
				c.add(d, BashOnly{What: what, Why: "this shell's " + name + " has no such option", status: 2})
			}
		}
	}
}

func (c *bashChecker) call(n *syntax.CallExpr) {
	args := make([]string, len(n.Args))
	for i, w := range n.Args {
		text, known := wordText(w)
		if !known {
			if i == 0 || text == "" || args[0] != "printf" {
				text = unknownArg
			}
		}
		args[i] = text
	}
	if len(args) == 0 || args[0] == unknownArg || c.funcs[args[0]] {
		return
	}
	for len(args) > 1 && (args[0] == "builtin" || args[0] == "command") && !strings.HasPrefix(args[1], "-") {
		args = args[1:]
	}
	if b := bashOnlyCall(args); b != nil {
		c.add(n, *b)
	}
	if args[0] == "shopt" {
		c.shopt(n, args)
	}
}

// shopt notes options that this shell does not have.
func (c *bashChecker) shopt(n *syntax.CallExpr, args []string) {
	for _, name := range args[1:] {
		if name == "-o" || name == unknownArg {
			return
		}
		if strings.HasPrefix(name, "-") {
			continue
		}
		if len(CheckOptions(nil, []string{name})) > 0 {
			c.add(n, BashOnly{What: "shopt " + name, Why: "this shell has no such option", status: 1})
		}
	}
}

// unknownArg is an argument whose text is not known.
const unknownArg = "\x00"

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

// mayNeedBash reports whether a call of name may be one that the interpreter fails on.
// It is asked of every command.
func mayNeedBash(name string) bool {
	switch name {
	case "read", "mapfile", "readarray", "wait", "command", "exec", "unset", "cd", "trap", "printf",
		"bg", "bind", "caller", "compgen", "complete", "compopt", "disown", "enable", "fc", "fg", "history", "jobs", "logout", "suspend", "ulimit", "umask":
		return true
	}
	return false
}

// bashOnlyCall returns what is wrong with a call of a builtin, or nil. Arguments
// that are not known are unknownArg.
func bashOnlyCall(args []string) *BashOnly {
	name := args[0]
	none := func(option string) *BashOnly {
		return &BashOnly{What: name + " " + option, Why: "this shell's " + name + " has no such option", inCall: true}
	}
	unknown := ""
	switch name {
	case "bg", "bind", "caller", "compgen", "complete", "compopt", "disown", "enable", "fc", "fg", "history", "jobs", "logout", "suspend", "ulimit", "umask":
		return &BashOnly{What: name, Why: "this shell has no " + name, inCall: true}
	case "read":
		unknown = strangeOption(args[1:], "rs", "ap")
	case "mapfile", "readarray":
		unknown = strangeOption(args[1:], "t", "d")
	case "wait":
		unknown = strangeOption(args[1:], "", "")
	case "command":
		unknown = strangeOption(args[1:], "v", "")
	case "exec":
		unknown = strangeOption(args[1:], "", "")
	case "unset":
		unknown = strangeOption(args[1:], "fv", "")
	case "cd":
		if len(args) > 2 && (args[1] == "--" || len(args[1]) == 2 && args[1][0] == '-') {
			unknown = args[1]
		}
	case "trap":
		return strangeTrap(args)
	case "set":
		if _, ignored := knownSet(args); ignored != "" {
			return &BashOnly{What: "set " + ignored, Why: "the option does nothing here"}
		}
	case "printf":
		return strangeFormat(args)
	case "[", "test":
		if slices.ContainsFunc(args[1:], func(a string) bool { return strings.Contains(`\<\>`, a) && len(strings.Trim(a, `\`)) == 1 }) {
			return &BashOnly{What: name + ` \<`, Why: "texts are compared by [[ ]] alone here", status: 2}
		}
	}
	if unknown != "" {
		return none(unknown)
	}
	return nil
}

// strangeOption returns the first option of args that is neither one of the letters
// of plain nor, with a value, of valued; or "".
func strangeOption(args []string, plain, valued string) string {
	for i := 0; i < len(args); i++ {
		a := args[i]
		if len(a) < 2 || a[0] != '-' || a == "--" {
			return ""
		}
		for j := 1; j < len(a); j++ {
			if strings.IndexByte(valued, a[j]) >= 0 {
				if j == len(a)-1 {
					i++ // the value is the next word
				}
				break
			}
			if strings.IndexByte(plain, a[j]) < 0 {
				return "-" + a[j:j+1]
			}
		}
	}
	return ""
}

func strangeTrap(args []string) *BashOnly {
	strange := func(what string) *BashOnly {
		return &BashOnly{What: "trap " + what, Why: "only EXIT and ERR are trapped here", inCall: true}
	}
	args = args[1:]
	if len(args) == 0 {
		return nil
	}
	switch args[0] {
	case "-p", "-l", "--":
		return strange(args[0])
	}
	if len(args) > 1 {
		args = args[1:]
	}
	for _, signal := range args {
		if signal != "EXIT" && signal != "ERR" && signal != unknownArg {
			return strange(signal)
		}
	}
	return nil
}

// Options of set that bash has and that change nothing here, or nothing that a
// script could not do without.
const ignoredLetters = "EThBHbvmP"

var ignoredNames = []string{"errtrace", "functrace", "hashall", "braceexpand", "histexpand", "notify", "verbose", "monitor", "physical",
	"history", "ignoreeof", "nolog", "emacs", "vi"}

// knownSet returns the arguments of set, its name first, without the options that
// are ignored here; only "set" when nothing else is left of them; and nil when
// there are none of those. ignored is the first of them that a script could miss,
// as written: not those that are in force, or that are switched off.
func knownSet(args []string) (known []string, ignored string) {
	known = args[:1:1]
	all := true
	note := func(option string, inForce bool) {
		all = false
		if ignored == "" && !inForce {
			ignored = option
		}
	}
	for i := 1; i < len(args); i++ {
		a := args[i]
		if a == "--" || a == "-" || len(a) < 2 || a[0] != '-' && a[0] != '+' {
			known = append(known, args[i:]...)
			break
		}
		off := a[0] == '+'
		kept := a[:1]
		for j := 1; j < len(a); j++ {
			switch {
			case a[j] == 'o' && i+1 < len(args):
				i++
				if slices.Contains(ignoredNames, args[i]) {
					note("-o "+args[i], off || args[i] == "braceexpand" || args[i] == "hashall")
				} else {
					known = append(known, a[:1]+"o", args[i])
				}
			case strings.IndexByte(ignoredLetters, a[j]) >= 0:
				note("-"+a[j:j+1], off || a[j] == 'B' || a[j] == 'h')
			default:
				kept += a[j : j+1]
			}
		}
		if len(kept) > 1 {
			known = append(known, kept)
		}
	}
	if all {
		return nil, ""
	}
	return known, ignored
}

// strangeFormat notes what this shell's printf does not know.
func strangeFormat(args []string) *BashOnly {
	if len(args) < 2 || args[1] == unknownArg {
		return nil
	}
	if args[1] == "-v" {
		return &BashOnly{What: "printf -v", Why: "it prints instead of setting the variable here"}
	}
	text := args[1]
	if text == "--" && len(args) > 2 {
		text = args[2]
	}
	for {
		_, rest, found := strings.Cut(text, "%")
		if !found || rest == "" {
			return nil
		}
		n := 0
		for n < len(rest) && strings.IndexByte("-+ #'0123456789*.", rest[n]) >= 0 {
			n++
		}
		if n == len(rest) {
			return nil // what follows is not known, or it is no format
		}
		width := strings.TrimLeft(rest[:n], "-+ ")
		plain := n-len(width) <= 1 && strings.Trim(width, "0123456789") == ""
		if rest[n] == '%' && n == 0 || plain && strings.IndexByte("sbdiuoxc", rest[n]) >= 0 {
			text = rest[n+1:]
			continue
		}
		end := n + 1
		if rest[n] == '(' {
			if i := strings.IndexByte(rest[n:], ')'); i >= 0 {
				end = min(n+i+2, len(rest))
			}
		}
		return &BashOnly{What: "printf %" + rest[:end], Why: "this shell's printf has no such format", inCall: true}
	}
}

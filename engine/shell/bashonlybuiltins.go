package shell

import (
	"slices"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

func (c *bashChecker) call(n *syntax.CallExpr) {
	args := make([]string, len(n.Args))
	for i, w := range n.Args {
		text, known := wordText(w)
		if !known && (i == 0 || text == "" || args[0] != "printf") {
			text = unknownArg
		}
		args[i] = text
	}
	if len(args) == 0 || args[0] == unknownArg || c.funcs[args[0]] {
		return
	}
	for len(args) > 1 && (args[0] == "builtin" || args[0] == "command") && !strings.HasPrefix(args[1], "-") {
		args = args[1:]
	}
	if b := checkBuiltin(args); b != nil {
		c.add(n, *b)
	}
	if args[0] == "shopt" {
		c.shopt(n, args)
	}
}

// shopt records options that this shell does not have.
func (c *bashChecker) shopt(n *syntax.CallExpr, args []string) {
	for _, name := range args[1:] {
		if name == "-o" || name == unknownArg {
			return
		}
		if strings.HasPrefix(name, "-") {
			continue
		}
		if len(CheckOptions(nil, []string{name})) > 0 {
			c.add(n, BashOnly{What: "shopt " + name, Why: "weft's shell has no such option", status: 1})
		}
	}
}

// unknownArg is an argument with expansions.
const unknownArg = "\x00"

// mayNeedBash reports whether a call of name may be one that the interpreter fails on. It is
// called for every command.
//
//go:noinline
func mayNeedBash(name string) bool {
	return name == "cd" || name == "trap" || name == "printf" || builtinOptions(name) != nil
}

// optionsOf are the letters of a builtin's options: those without a value, and those with one.
type optionsOf struct{ plain, valued string }

// missing are the options of a builtin that this shell does not have at all.
var missing = &optionsOf{}

// builtinOptions returns the options that a builtin has here, where bash has more; else nil.
//
//go:noinline
func builtinOptions(name string) *optionsOf {
	switch name {
	case "read":
		return &optionsOf{"rs", "ap"}
	case "mapfile", "readarray":
		return &optionsOf{"t", "d"}
	case "wait", "exec":
		return &optionsOf{}
	case "command":
		return &optionsOf{plain: "v"}
	case "unset":
		return &optionsOf{plain: "fv"}
	case "bg", "bind", "caller", "compgen", "complete", "compopt", "disown", "enable", "fc", "fg", "history", "jobs",
		"logout", "suspend", "ulimit", "umask":
		return missing
	}
	return nil
}

// checkBuiltin returns the part of a call of a builtin that needs bash, or nil. Arguments with
// expansions are unknownArg.
func checkBuiltin(args []string) *BashOnly {
	name := args[0]
	unknown := ""
	switch options := builtinOptions(name); options {
	case nil:
	case missing:
		return &BashOnly{What: name, Why: "weft's shell has no " + name, inCall: true}
	default:
		unknown = options.unknown(args[1:])
	}
	switch name {
	case "cd":
		if len(args) > 2 && (args[1] == "--" || len(args[1]) == 2 && args[1][0] == '-') {
			unknown = args[1]
		}
	case "trap":
		return checkTrap(args)
	case "set":
		if _, ignored := knownSet(args); ignored != "" {
			return &BashOnly{What: "set " + ignored, Why: "the option has no effect in weft's shell"}
		}
	case "printf":
		return checkFormat(args)
	case "[", "test":
		if slices.ContainsFunc(args[1:], func(a string) bool { return strings.Contains(`\<\>`, a) && len(strings.Trim(a, `\`)) == 1 }) {
			return &BashOnly{What: name + ` \<`, Why: "in weft's shell only [[ ]] compares strings", status: 2}
		}
	}
	if unknown != "" {
		return &BashOnly{What: name + " " + unknown, Why: "weft's " + name + " has no such option", inCall: true}
	}
	return nil
}

// unknown returns the first option of args that is none of these, or "".
func (o *optionsOf) unknown(args []string) string {
	for i := 0; i < len(args); i++ {
		a := args[i]
		if len(a) < 2 || a[0] != '-' || a == "--" {
			return ""
		}
		for j := 1; j < len(a); j++ {
			if strings.IndexByte(o.valued, a[j]) >= 0 {
				if j == len(a)-1 {
					i++ // the value is the next word
				}
				break
			}
			if strings.IndexByte(o.plain, a[j]) < 0 {
				return "-" + a[j:j+1]
			}
		}
	}
	return ""
}

// checkTrap returns an option or a signal that this shell's trap does not support.
func checkTrap(args []string) *BashOnly {
	bad := func(what string) *BashOnly {
		return &BashOnly{What: "trap " + what, Why: "weft's shell supports only EXIT and ERR", inCall: true}
	}
	args = args[1:]
	if len(args) == 0 {
		return nil
	}
	switch args[0] {
	case "-p", "-l", "--":
		return bad(args[0])
	}
	if len(args) > 1 {
		args = args[1:]
	}
	for _, signal := range args {
		if signal != "EXIT" && signal != "ERR" && signal != unknownArg {
			return bad(signal)
		}
	}
	return nil
}

// checkFormat returns an option or a format that this shell's printf does not support.
func checkFormat(args []string) *BashOnly {
	if len(args) < 2 || args[1] == unknownArg {
		return nil
	}
	if args[1] == "-v" {
		return &BashOnly{What: "printf -v", Why: "in weft's shell it prints instead of setting the variable"}
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
			return nil // what follows is not known, or it is not a format
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
		return &BashOnly{What: "printf %" + rest[:end], Why: "weft's printf has no such format", inCall: true}
	}
}

// Options of bash's set that this shell can ignore: they would change nothing here, or nothing
// that a script depends on.
const ignoredLetters = "EThBHbvmP"

var ignoredNames = []string{"errtrace", "functrace", "hashall", "braceexpand", "histexpand", "notify", "verbose", "monitor", "physical",
	"history", "ignoreeof", "nolog", "emacs", "vi"}

// knownSet returns args, the name "set" first, without the options that are ignored; nil if
// there are none of them. ignored is the first of these options, as written, whose effect the
// script lacks: it is switched on, and not in force anyway.
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

package shell

import (
	"slices"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// Inherited returns the names of the variables that a script takes from its environment, in
// order: those that it refers to and sets nowhere itself. Templates in it count as words that
// are not known. There are none in a text that is no script, nor in one that runs text from
// elsewhere (eval, source), which may set any. Variables that every shell sets or has are omitted,
// too.
func Inherited(text string) []string {
	if !strings.ContainsAny(text, "$([") {
		return nil
	}
	f := parseTemplate(text)
	if f == nil {
		return nil
	}
	v := variables{set: map[string]bool{}}
	syntax.Walk(f, v.node)
	if v.unknown {
		return nil
	}
	used := slices.DeleteFunc(v.used, func(name string) bool { return v.set[name] || ownVariable(name) })
	seen := map[string]bool{}
	return slices.DeleteFunc(used, func(name string) bool {
		again := seen[name]
		seen[name] = true
		return again
	})
}

// ownVariable reports whether a shell sets a variable itself, or every environment has it.
func ownVariable(name string) bool {
	switch name {
	case "HOME", "PATH", "PWD", "USER", "SHELL", "TERM", "TMPDIR", "LANG",
		"OLDPWD", "IFS", "PPID", "UID", "EUID", "GID", "SHLVL", "LINENO", "RANDOM", "SRANDOM", "SECONDS", "REPLY", "_",
		"OPTIND", "OPTARG", "OPTERR", "FUNCNAME", "PIPESTATUS", "DIRSTACK", "EPOCHSECONDS", "EPOCHREALTIME", "HOSTNAME", "PS4":
		return true
	}
	return strings.HasPrefix(name, "BASH") || strings.HasPrefix(name, "WEFT_")
}

// variables are those of a script.
type variables struct {
	used    []string
	set     map[string]bool
	unknown bool // what it runs is not known
}

func (v *variables) use(name string) {
	name, _, cut := strings.Cut(name, unknownWord) // $A{{.X}}
	if syntax.ValidName(name) && !(cut && strings.HasSuffix(name, "_")) {
		v.used = append(v.used, name)
	}
}

func (v *variables) node(n syntax.Node) bool {
	switch n := n.(type) {
	case *syntax.ParamExp:
		if n.Param != nil {
			v.use(n.Param.Value)
		}
	case *syntax.DeclClause:
		local := n.Variant.Value != "export" && n.Variant.Value != "readonly"
		for _, a := range n.Args {
			if a.Name != nil && local {
				v.set[a.Name.Value] = true
			}
		}
	case *syntax.Assign:
		if n.Name != nil && !n.Naked {
			v.set[n.Name.Value] = true
		}
	case *syntax.WordIter:
		v.set[n.Name.Value] = true
	case *syntax.CallExpr:
		v.call(n)
	case *syntax.ArithmExp:
		v.arithmetic(n.X)
	case *syntax.ArithmCmd:
		v.arithmetic(n.X)
	case *syntax.CStyleLoop:
		v.arithmetic(n.Init)
		v.arithmetic(n.Cond)
		v.arithmetic(n.Post)
	case *syntax.LetClause:
		for _, x := range n.Exprs {
			v.arithmetic(x)
		}
	}
	return true
}

// call records the variables that a builtin sets.
func (v *variables) call(c *syntax.CallExpr) {
	if len(c.Args) == 0 {
		return
	}
	words := make([]string, len(c.Args))
	for i, w := range c.Args {
		words[i] = w.Lit()
	}
	name, args := words[0], words[1:]
	for (name == "command" || name == "builtin") && len(args) > 0 {
		name, args = args[0], args[1:]
	}
	switch name {
	case "eval", "source", ".":
		v.unknown = true
	case "read", "mapfile", "readarray", "unset":
		for _, a := range args {
			v.set[a] = true
		}
	case "getopts":
		if len(args) > 1 {
			v.set[args[1]] = true
		}
	case "printf":
		if len(args) > 1 && args[0] == "-v" {
			v.set[args[1]] = true
		}
	}
}

// arithmetic records the variables of an expression, which stand there without a dollar.
func (v *variables) arithmetic(x syntax.ArithmExpr) {
	if x == nil {
		return
	}
	switch x := x.(type) {
	case *syntax.Word:
		v.use(x.Lit())
	case *syntax.BinaryArithm:
		if w, ok := x.X.(*syntax.Word); ok && x.Op == syntax.Assgn {
			v.set[w.Lit()] = true
		}
		v.arithmetic(x.X)
		v.arithmetic(x.Y)
	case *syntax.UnaryArithm:
		v.arithmetic(x.X)
	case *syntax.ParenArithm:
		v.arithmetic(x.X)
	}
}

package shell

import (
	"strings"
	"sync"

	"mvdan.cc/sh/v3/interp"
	"mvdan.cc/sh/v3/syntax"

	"github.com/weftrun/weft/internal/limit"
)

// kind is the way in which a script can be run.
type kind uint8

const (
	script   kind = iota // by an interpreter
	programs             // directly: it is a program or a pipeline
	message              // by one write
	constant             // not at all: its status is known
)

// parsed is a parsed script. It is immutable.
type parsed struct {
	err     error
	file    *syntax.File
	kind    kind
	members []member // programs
	text    string   // of a message
	status  int      // of a constant
	awaited []uint   // positions of the programs of `X &` whose start is waited for
	facts
}

// member is a program of a pipeline.
type member struct {
	argv []string
	text string // as it is written in the script
}

// facts are possible effects of a script.
type facts struct {
	background bool     // a background command may outlive it and its interpreter
	traps      bool     // it may have an EXIT trap
	reads      bool     // the interpreter itself may read standard input
	slurps     bool     // it may read a whole file into a variable
	redefines  bool     // echo and kill may be functions or aliases
	funcs      []string // the functions that it defines
	kills      bool     // it uses kill
	lists      bool     // a subshell or an expansion uses all variables
	// edges holds the commands that are the only user of the end of a pipe, by the offset
	// of their first word.
	edges map[uint]edge
}

// edge is the set of streams of a command that are ends of pipes that no other command uses.
type edge uint8

const (
	readsPipe edge = 1 << iota
	writesPipe
)

// scripts is a cache of parsed scripts.
type scripts struct {
	cache[string, *parsed]
	parsers sync.Pool // of *syntax.Parser
}

const (
	maxScripts = 4096
	maxText    = 64 << 10 // longer scripts are not cached
)

var (
	succeeds = &parsed{kind: constant}
	fails    = &parsed{kind: constant, status: 1}
)

func (c *scripts) parse(text string) *parsed {
	switch text {
	case ":", "true":
		return succeeds
	case "false":
		return fails
	}
	p := c.get(text)
	if p == nil {
		p = c.analyse(text, "", false)
		if len(text) <= maxText {
			c.put(text, p, maxScripts)
		}
	}
	return p
}

// analyse parses text and finds out how it can be run. If it is traced, no commands are
// inserted, since a trace must show what is written.
func (c *scripts) analyse(text, name string, traced bool) *parsed {
	parser, _ := c.parsers.Get().(*syntax.Parser)
	if parser == nil {
		parser = syntax.NewParser()
	}
	p := &parsed{}
	if p.err = limit.Shell(text); p.err != nil {
		return p
	}
	p.file, p.err = parser.Parse(strings.NewReader(text), name)
	c.parsers.Put(parser)
	if p.err != nil {
		return p
	}
	if strings.Contains(text, "..") || len(text) > mostWords {
		if p.err = splitBraces(p.file); p.err != nil {
			return p
		}
	}
	p.simple(text)
	if p.kind == script {
		p.find(p.file)
		if p.background && !traced {
			p.awaited = awaitStarts(p.file)
		}
		if p.kills && p.background {
			numberJobs(p.file)
		}
	}
	return p
}

// simple recognises a script that is a simple command with nothing to expand, or a pipeline of
// such commands that are programs.
func (p *parsed) simple(text string) {
	if len(p.file.Stmts) == 0 {
		p.kind = constant // empty, or comments
		return
	}
	if len(p.file.Stmts) > 1 {
		return
	}
	s := p.file.Stmts[0]
	if p.members = pipeline(s, text); p.members != nil {
		p.kind = programs
		return
	}
	argv := plain(s)
	if argv == nil {
		return
	}
	switch name := argv[0]; {
	case name == ":" || name == "true":
		p.kind = constant
	case name == "false":
		p.kind, p.status = constant, 1
	case name == "echo":
		if len(argv) < 2 || !strings.HasPrefix(argv[1], "-") {
			p.kind, p.text = message, strings.Join(argv[1:], " ")+"\n"
		}
	}
}

// pipeline returns the members of a pipeline, or the one program that s is; nil if
// something else is among them.
func pipeline(s *syntax.Stmt, text string) []member {
	if b, ok := s.Cmd.(*syntax.BinaryCmd); ok && b.Op == syntax.Pipe && bare(s) {
		left, right := pipeline(b.X, text), pipeline(b.Y, text)
		if left == nil || right == nil {
			return nil
		}
		return append(left, right...)
	}
	argv := plain(s)
	if argv == nil || !isProgram(argv[0]) {
		return nil
	}
	return []member{{argv, text[s.Pos().Offset():s.End().Offset()]}}
}

//go:noinline
func isProgram(name string) bool { return name != "" && !interp.IsBuiltin(name) }

// plain returns the words of a simple command with nothing to expand, or nil.
func plain(s *syntax.Stmt) []string {
	call, ok := s.Cmd.(*syntax.CallExpr)
	if !ok || !bare(s) || len(call.Assigns) > 0 || len(call.Args) == 0 {
		return nil
	}
	argv := make([]string, len(call.Args))
	for i, w := range call.Args {
		if argv[i], ok = literal(w); !ok {
			return nil
		}
	}
	return argv
}

// bare reports whether s is its command and nothing else.
func bare(s *syntax.Stmt) bool {
	return !s.Negated && !s.Background && !s.Coprocess && !s.Disown && len(s.Redirs) == 0
}

// literal returns the text of a word that stands for itself.
func literal(w *syntax.Word) (string, bool) {
	if len(w.Parts) == 1 {
		return literalPart(w.Parts[0], true)
	}
	var b strings.Builder
	for i, part := range w.Parts {
		text, ok := literalPart(part, i == 0)
		if !ok {
			return "", false
		}
		b.WriteString(text)
	}
	return b.String(), true
}

func literalPart(part syntax.WordPart, first bool) (string, bool) {
	switch part := part.(type) {
	case *syntax.Lit:
		// A backslash quotes, the others expand; ~ does at the start only.
		return part.Value, !strings.ContainsAny(part.Value, "\\*?[{") && !(first && strings.HasPrefix(part.Value, "~"))
	case *syntax.SglQuoted:
		return part.Value, !part.Dollar
	case *syntax.DblQuoted:
		if part.Dollar || len(part.Parts) > 1 {
			return "", false
		}
		if len(part.Parts) == 0 {
			return "", true
		}
		lit, ok := part.Parts[0].(*syntax.Lit)
		if !ok || strings.Contains(lit.Value, "\\") {
			return "", false
		}
		return lit.Value, true
	}
	return "", false
}

// find collects the facts of what n contains.
func (f *facts) find(n syntax.Node) {
	syntax.Walk(n, func(n syntax.Node) bool {
		switch n := n.(type) {
		case *syntax.Stmt:
			if n.Background || n.Coprocess || n.Disown {
				f.background, f.lists = true, true
			}
			if b, ok := n.Cmd.(*syntax.BinaryCmd); ok && (b.Op == syntax.Pipe || b.Op == syntax.PipeAll) {
				f.lists = true
				f.ends(b)
			}
		case *syntax.CmdSubst:
			f.slurps = true
		case *syntax.ProcSubst:
			f.background, f.lists = true, true
		case *syntax.ParamExp:
			f.lists = f.lists || n.Names != 0
		case *syntax.FuncDecl:
			f.redefines = true
			if n.Name != nil {
				f.funcs = append(f.funcs, n.Name.Value)
			}
		case *syntax.ForClause:
			f.reads = f.reads || n.Select
		case *syntax.CallExpr:
			if len(n.Args) > 0 {
				f.command(n.Args[0].Lit())
			}
		}
		return true
	})
}

// command records the possible effects of a command of that name; "" is any.
func (f *facts) command(name string) {
	switch name {
	case "read", "mapfile", "readarray":
		f.reads = true
	case "trap":
		f.traps, f.lists = true, true
	case "kill":
		f.kills = true
	case "alias":
		f.redefines = true
	case "", "eval", "source", ".", "command", "builtin":
		f.background, f.traps, f.reads, f.redefines, f.lists = true, true, true, true, true
	}
}

// ends records the simple commands that are ends of b's pipes. What is shared
// (|& gives stderr to everyone on the left) is left alone.
func (f *facts) ends(b *syntax.BinaryCmd) {
	if b.Op != syntax.Pipe {
		return
	}
	for x := b.X; ; {
		left, ok := x.Cmd.(*syntax.BinaryCmd)
		if !ok || len(x.Redirs) > 0 {
			break
		}
		if left.Op != syntax.Pipe {
			return
		}
		x = left.X
	}
	f.mark(b.Y, readsPipe)
	writer := b.X
	if left, ok := writer.Cmd.(*syntax.BinaryCmd); ok && len(writer.Redirs) == 0 {
		writer = left.Y
	}
	f.mark(writer, writesPipe)
}

// mark records an end of a pipe, unless the command has redirections.
func (f *facts) mark(s *syntax.Stmt, e edge) {
	call, ok := s.Cmd.(*syntax.CallExpr)
	if !ok || len(s.Redirs) > 0 || len(call.Args) == 0 {
		return
	}
	if f.edges == nil {
		f.edges = make(map[uint]edge)
	}
	f.edges[call.Args[0].Pos().Offset()] |= e
}

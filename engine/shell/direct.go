package shell

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"syscall"

	"mvdan.cc/sh/v3/interp"
	"mvdan.cc/sh/v3/syntax"

	"github.com/weftrun/weft/engine/proc"
)

// parsed is a script after the parser: exactly one of the fields says what to
// do with it, file being always there unless err is set.
type parsed struct {
	err      error
	file     *syntax.File
	argv     []string // the words of an external program's simple command
	constant *int     // the exit status of a command that does nothing else
}

// scripts remembers parsed scripts, as many as it is useful to.
type scripts struct {
	mu      sync.Mutex // guards the fields below
	m       map[string]*parsed
	parsers sync.Pool
}

const maxScripts = 1024

var (
	doesNothing = &parsed{constant: new(int)}
	fails       = &parsed{constant: func() *int { one := 1; return &one }()}
)

func (c *scripts) parse(text string) *parsed {
	switch text {
	case ":", "true":
		return doesNothing
	case "false":
		return fails
	}
	c.mu.Lock()
	p := c.m[text]
	c.mu.Unlock()
	if p != nil {
		return p
	}
	parser := c.parser()
	p = &parsed{}
	p.file, p.err = parser.Parse(strings.NewReader(text), "")
	c.parsers.Put(parser)
	if p.err == nil {
		p.argv = simpleCommand(p.file)
	}
	c.mu.Lock()
	if c.m == nil || len(c.m) >= maxScripts {
		c.m = map[string]*parsed{}
	}
	c.m[text] = p
	c.mu.Unlock()
	return p
}

// parser returns a parser, to be put back into parsers.
func (c *scripts) parser() *syntax.Parser {
	if p, ok := c.parsers.Get().(*syntax.Parser); ok {
		return p
	}
	return syntax.NewParser()
}

// simpleCommand returns the words of a script that is one simple command of an
// external program with nothing to expand, or nil.
func simpleCommand(f *syntax.File) []string {
	if len(f.Stmts) != 1 {
		return nil
	}
	s := f.Stmts[0]
	call, ok := s.Cmd.(*syntax.CallExpr)
	if !ok || s.Negated || s.Background || s.Coprocess || s.Disown || len(s.Redirs) > 0 || len(call.Assigns) > 0 || len(call.Args) == 0 {
		return nil
	}
	argv := make([]string, len(call.Args))
	for i, w := range call.Args {
		if argv[i], ok = literal(w); !ok {
			return nil
		}
	}
	if argv[0] == "" || interp.IsBuiltin(argv[0]) {
		return nil
	}
	return argv
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
		if strings.ContainsAny(part.Value, "\\*?[{") || first && strings.HasPrefix(part.Value, "~") {
			return "", false
		}
		return part.Value, true
	case *syntax.SglQuoted:
		return part.Value, !part.Dollar
	case *syntax.DblQuoted:
		if part.Dollar {
			return "", false
		}
		var b strings.Builder
		for _, p := range part.Parts {
			lit, ok := p.(*syntax.Lit)
			if !ok || strings.Contains(lit.Value, "\\") {
				return "", false
			}
			b.WriteString(lit.Value)
		}
		return b.String(), true
	}
	return "", false
}

// direct runs a simple command without an interpreter. It reports false when
// only an interpreter can do it after all.
func (s *Shell) direct(ctx context.Context, sc *Script, argv []string) (bool, error) {
	env := s.environ(sc.Env)
	path, err := interp.LookPathDir(sc.Dir, env, argv[0])
	if err != nil {
		if _, err := os.Stat(sc.Dir); err != nil {
			return false, nil
		}
		complain(sc.Stderr, err)
		return true, &ExitError{Code: 127}
	}
	p, err := sc.Group.Start(&proc.Spec{Path: path, Argv: argv, Dir: sc.Dir, Env: withDir(sc.Env, sc.Dir), Stdin: sc.Stdin, Stdout: sc.Stdout, Stderr: sc.Stderr})
	if err != nil {
		if stopped := sc.Group.Refused(); stopped != nil {
			return true, stopped
		}
		if errors.Is(err, syscall.ENOEXEC) {
			return false, nil
		}
		err = startError(err, sc.Dir, path)
		if status, ok := asStatus(err); ok {
			complain(sc.Stderr, err)
			return true, &ExitError{Code: status}
		}
		return true, err
	}
	status := p.Wait()
	if stopped := sc.Group.Refused(); stopped != nil {
		return true, stopped
	}
	return true, exitError(status.Code)
}

func complain(stderr *os.File, err error) {
	if stderr != nil {
		fmt.Fprintln(stderr, err)
	}
}

// withDir is env with PWD naming dir, as a shell leaves it.
func withDir(env []string, dir string) []string {
	for i, kv := range env {
		if strings.HasPrefix(kv, "PWD=") {
			if kv[4:] == dir {
				return env
			}
			out := append([]string(nil), env...)
			out[i] = "PWD=" + dir
			return out
		}
	}
	return append(env[:len(env):len(env)], "PWD="+dir)
}

// execError is a program that was found but could not be started.
type execError struct {
	status int
	err    error
}

func (e *execError) Error() string { return e.err.Error() }

func asStatus(err error) (int, bool) {
	var e *execError
	if errors.As(err, &e) {
		return e.status, true
	}
	return 0, false
}

// startError says why a program could not be started: because of its
// directory, which ends the script, or because of itself.
func startError(err error, dir, path string) error {
	if _, statErr := os.Stat(dir); statErr != nil {
		return fmt.Errorf("chdir %s: %w", dir, errors.Unwrap(statErr))
	}
	if errors.Is(err, syscall.ENOENT) {
		return &execError{127, fmt.Errorf("fork/exec %s: %w", path, err)}
	}
	return &execError{126, fmt.Errorf("fork/exec %s: %w", path, err)}
}

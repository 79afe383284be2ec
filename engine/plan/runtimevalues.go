package plan

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/weftrun/weft/engine/vars"
	"github.com/weftrun/weft/schema"
	"github.com/weftrun/weft/schema/diag"
)

// lateName is the argument of {{output "…"}} or {{port "…"}}.
type runtimeName struct {
	vars.RuntimeRef
	pos diag.Pos
}

// mayUseRuntimeValues reports whether texts in f may name outputs or ports: whether it contains the
// words, or escapes of YAML that may hide them. It saves most workflows an inspection of each text.
// nil may be any file.
func mayUseRuntimeValues(f *diag.File) bool {
	if f == nil || f.Source == "" {
		return true
	}
	return hasLateWord(f.Source) || hasEscape(f.Source) || strings.Contains(f.Source, "!!binary")
}

// hasLateWord reports whether source holds "output", or "port" by itself and not as a key. It
// goes from one "p" to the next: to search for words that begin with common letters takes
// several times as long.
func hasLateWord(source string) bool {
	for i := 0; ; i++ {
		next := strings.IndexByte(source[i:], 'p')
		if next < 0 {
			return false
		}
		i += next
		switch rest := source[i:]; {
		case len(rest) > 2 && rest[1] == 'u': // the middle of output
			if rest[2] == 't' && strings.HasSuffix(source[:i], "out") {
				return true
			}
		case strings.HasPrefix(rest, "port"):
			if isWordAt(source, i, len("port")) {
				return true
			}
		}
	}
}

// isWordAt reports whether the n bytes of source at i are a whole word, and not a key.
func isWordAt(source string, i, n int) bool {
	before, after := byte('.'), byte(' ')
	if i > 0 {
		before = source[i-1]
	}
	if i+n < len(source) {
		after = source[i+n]
	}
	return strings.IndexByte(" \t\n({|", before) >= 0 && strings.IndexByte(" \t\r\n)}|", after) >= 0
}

// hasEscape reports whether source holds a character that is written as a number.
func hasEscape(source string) bool {
	for {
		i := strings.IndexByte(source, '\\')
		if i < 0 {
			return false
		}
		if source = source[i+1:]; source != "" && strings.IndexByte("xuU", source[0]) >= 0 {
			return true
		}
	}
}

// findRuntimeFiles returns the files of w whose texts may name outputs or ports.
func findRuntimeFiles(w *schema.Workflow) map[*diag.File]bool {
	files := map[*diag.File]bool{}
	for _, f := range w.Sources {
		if mayUseRuntimeValues(f) {
			files[f] = true
		}
	}
	return files
}

// misplaced returns the problem with {{output}} or {{port}} in the text at p, which names ref; nil
// if there is none.
func misplaced(p *schema.Place, text schema.Text, ref vars.RuntimeRef) *diag.Diagnostic {
	when := phaseOf(p)
	if p.Task != nil && (when >= body || p.Key == schema.KeyEnv) {
		return nil
	}
	call, before, fix := "{{output}}", "any need has run", "use it in cmds, env, stdin.text, status or preconditions"
	if ref.Port {
		call, before, fix = "{{port}}", "any port is taken", "use it in cmds, env, ready, alive, listen, stdin.text, status or preconditions"
	}
	about := ""
	if p.Task != nil {
		about = fmt.Sprintf("task %q: ", p.Task.Name)
	}
	in, _, _ := strings.Cut(p.Key.String(), ".")
	switch {
	case p.Kind() == schema.TextLiteral:
		return &diag.Diagnostic{Pos: text.Pos, Kind: diag.Other, What: about + call + " cannot be used in the list of a for",
			Why: "the items of a list are not templates", Fix: "loop in the command itself, as in: for x in " + strings.Replace(call, "}}", " …}}", 1) + "; do …; done"}
	case p.Key == schema.KeyIncludeVars:
		in = "vars of an include"
	case p.Task == nil && p.Key == schema.KeyEnv:
		in = "global env"
	case when == needed:
		in = "deps"
	}
	return &diag.Diagnostic{Pos: text.Pos, Kind: diag.Other, What: fmt.Sprintf("%s%s cannot be used in %s", about, call, in),
		Why: "that is computed before " + before, Fix: fix}
}

// resolveReads finds, among the needs of s, those whose outputs and ports its texts name.
func (e *expansion) resolveReads(s *Step) error {
	for i := range s.facts.details.runtimeNames {
		name := &s.facts.details.runtimeNames[i]
		switch {
		case !name.Literal:
			return name.problem(s, "refers to a task that is not known before it runs", "", fmt.Sprintf("write the literal name, as in {{%s \"version\"}}", name.function()))
		case name.Port && (name.Task == "" || s.calledSo(name.Task)):
			if err := name.checkPort(s, s); err != nil {
				return err
			}
			continue
		}
		found, err := name.need(s)
		if err != nil {
			return err
		}
		check := name.checkOutput
		if name.Port {
			check = name.checkPort
		}
		if err := check(s, found.step); err != nil {
			return err
		}
		if name.Port && found.terms != nil && (found.terms.when == Started || found.terms.when == Together) {
			return name.problem(s, "that task may not have its ports yet when this one starts", "", "write until: ready in deps")
		}
		s.bound.addRead(name, found.step)
	}
	return nil
}

func (n *runtimeName) function() string {
	if n.Port {
		return "port"
	}
	return "output"
}

// problem returns the error of a text of s that contains n. what begins with a verb, or is about a
// task.
func (n *runtimeName) problem(s *Step, what, why, fix string) error {
	call := "{{" + n.function()
	if n.Literal {
		for _, arg := range [...]string{n.Task, n.Name} {
			if arg != "" {
				call += " " + strconv.Quote(arg)
			}
		}
	}
	call += "}}"
	if strings.HasPrefix(what, "that ") {
		call += ":"
	}
	return &diag.Diagnostic{Pos: n.pos, Kind: diag.Other, What: fmt.Sprintf("task %q: %s %s", s.Name, call, what), Why: why, Fix: fix}
}

// need returns the need of s with that name.
func (n *runtimeName) need(s *Step) (found *need, err error) {
	for i := range s.needs {
		other := &s.needs[i]
		if !other.step.named(n.Task, s.Task.Namespace()) || found != nil && other.step == found.step {
			continue
		}
		if found != nil {
			return nil, &diag.Diagnostic{Pos: n.pos, Kind: diag.Other, What: fmt.Sprintf("task %q: it has two needs with the name %q", s.Name, n.Task),
				Why: fmt.Sprintf("so {{%s}} is ambiguous", n.function()), Fix: "distinguish them by a label, and use that"}
		}
		found = other
	}
	if found != nil {
		return found, nil
	}
	why := "the outputs of a task are known only after it has run, so the task must be a need"
	if n.Port {
		why = "the ports of a task are known only after it has started, so the task must be a need"
	}
	return nil, n.problem(s, "does not name a need of this task", why, fmt.Sprintf("add %q to deps", n.Task))
}

// checkOutput reports an output that need cannot have; s names it.
func (n *runtimeName) checkOutput(s, need *Step) error {
	switch {
	case need.Serves:
		return n.problem(s, "that task is a service", "it still writes while this task runs", "write to a file, or read its output with stdin: {from: …}")
	case need.Task.Interactive:
		return n.problem(s, "that task is interactive", "its output goes to the terminal", "remove interactive from that task")
	case n.Name != "" && len(need.Task.Outputs) == 0:
		return n.problem(s, "that task has no outputs", "", fmt.Sprintf("declare it in that task: outputs: {%s: {from: stdout}}", n.Name))
	}
	return nil
}

// checkPort reports a port that the task of of, which may be s itself, does not declare; s names
// it.
func (n *runtimeName) checkPort(s, of *Step) error {
	if r := of.Task.Running; r != nil && slices.ContainsFunc(r.Ports, func(p schema.Port) bool { return p.Name == n.Name }) {
		return nil
	}
	return n.problem(s, fmt.Sprintf("that task has no port %q", n.Name), "", fmt.Sprintf("declare it in that task: ports: {%s: 0}", n.Name))
}

// bindPlain binds the texts of s once more, for its fingerprint, if they name ports: the number of
// a port makes nothing stale.
func (e *expansion) bindPlain(ctx context.Context, s *Step, l *vars.RuntimeValues) error {
	named := func(n runtimeName) bool { return n.Port }
	if len(s.Task.Sources)+len(s.Task.Generates) == 0 || s.Task.Service() != nil || !slices.ContainsFunc(s.facts.details.runtimeNames, named) {
		return nil
	}
	b := *s.bound
	plain := &Step{Task: s.Task, Name: s.Name, Label: s.Label, Scope: s.Scope.Untracked(), facts: s.facts, bound: &b}
	plain.Scope.SetRuntimeValues(&vars.RuntimeValues{Output: l.Output, Port: func(task, name string) (any, error) { return PortPlaceholder(s.PortOwner(task), name), nil }})
	if err := e.bindTexts(ctx, plain); err != nil {
		return err
	}
	s.bound.running.plain = plain
	return nil
}

// PortPlaceholder returns the text to show for a port of a step whose number is not known or makes
// no difference.
func PortPlaceholder(of *Step, name string) string {
	return fmt.Sprintf("<port %s of %s>", name, of.Label)
}

// ForFingerprint returns s for its fingerprint: with ports by their names. Its commands and its
// environment must not be used otherwise.
func (s *Step) ForFingerprint() *Step { return cmp.Or(s.texts().more().plain, s) }

// CheckRuntimeRefs reports the texts of a workflow that name outputs or ports of tasks where
// there can be none, each once.
func CheckRuntimeRefs(w *schema.Workflow) (list diag.List) {
	seen := map[diag.Pos]bool{} // a file may be included more than once
	check := func(p schema.Place, text schema.Text) {
		refs := runtimeRefs(&p, text.S)
		if len(refs) == 0 {
			return
		}
		if d := misplaced(&p, text, refs[0]); d != nil && !seen[d.Pos] {
			seen[d.Pos] = true
			list.Add(d)
		}
	}
	schema.EachSharedText(w, check)
	for _, t := range w.Tasks {
		schema.EachText(t, check)
	}
	return list
}

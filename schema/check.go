package schema

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"mvdan.cc/sh/v3/syntax"

	"github.com/weftrun/weft/internal/limit"
	"github.com/weftrun/weft/schema/diag"
)

// Check reports the problems of a workflow that can be found without running anything and that
// [Load] has not reported: calls of tasks that do not exist, needs that form a cycle, invalid
// settings, scripts that cannot be parsed, wildcards that are never reached, and sources without a
// file. A problem that may be intended is a warning. Names and texts that are templates are not
// checked.
func Check(w *Workflow) diag.List {
	c := checker{w: w, parser: syntax.NewParser(), parsed: map[Text]bool{}, reported: map[problem]bool{}}
	for _, d := range w.shadowed {
		c.list.Add(d)
	}
	c.settings("", w.Run, w.Method)
	if s := w.Output.Style; s != "" && s != "interleaved" && s != "group" && s != "prefixed" {
		c.add(diag.Error, diag.Other, w.Output.Pos, fmt.Sprintf("output style %q not recognized", s), "", "use interleaved, group or prefixed")
	}
	EachSharedText(w, c.text)
	for _, t := range w.Tasks {
		c.task(t)
	}
	c.cycles()
	c.wildcards()
	c.sharedFiles()
	c.sharedPorts()
	return c.list
}

type checker struct {
	w      *Workflow
	list   diag.List
	parser *syntax.Parser
	// suggested counts the searches for a suggestion.
	suggested int
	// parsed are the scripts that were checked: a file that is included twice has each of
	// its scripts twice.
	parsed   map[Text]bool
	reported map[problem]bool
}

// problem is a problem and its place, without the name of its task: a file that is included
// twice has each of its problems twice.
type problem struct {
	pos  diag.Pos
	kind diag.Kind
	what string
}

// maxSuggested bounds how many missing tasks get a suggestion: each search goes through all
// names.
const maxSuggested = 100

func (c *checker) add(s diag.Severity, k diag.Kind, pos diag.Pos, what, why, fix string) {
	p := problem{pos, k, what}
	if strings.HasPrefix(what, "task ") {
		if _, rest, ok := strings.Cut(what, "\": "); ok {
			p.what = rest
		}
	}
	if k == diag.MissingTask {
		p.what = "" // the name has the namespace of the include
	}
	if c.reported[p] {
		return
	}
	c.reported[p] = true
	c.list.Add(&diag.Diagnostic{Severity: s, Kind: k, Pos: pos, What: what, Why: why, Fix: fix})
}

// IsTemplate reports whether a text of a Taskfile is a template. It has too many callers to be copied to
// each.
//
//go:noinline
func IsTemplate(s string) bool { return strings.Contains(s, "{{") }

func (c *checker) task(t *Task) {
	c.settings(fmt.Sprintf("task %q: ", t.Name), t.Run, t.Method)
	EachText(t, c.text)
	if p := c.w.PoolProblem(t); p != nil {
		c.add(p.Severity, p.Kind, p.Pos, p.What, p.Why, p.Fix)
	}
	if t.Sources != nil && !t.namesSources() {
		c.add(diag.Error, diag.Suspicious, t.Pos, fmt.Sprintf("task %q: sources list no file", t.Name),
			"so no file determines whether it is up to date", "list the files it reads, or remove sources")
	}
	c.depfile(t)
	c.cache(t)
	for _, a := range t.Aliases {
		switch other := c.w.Task(a); {
		case other == t:
		case other != nil:
			c.add(diag.Warning, diag.Suspicious, t.Pos, fmt.Sprintf("task %q: its alias %q is never used", t.Name, a),
				fmt.Sprintf("it is the name of the task at %s", other.Pos), "choose another alias")
		case len(c.w.ByAlias[a]) > 1 && c.w.ByAlias[a][0] != t:
			c.add(diag.Warning, diag.Suspicious, t.Pos, fmt.Sprintf("task %q: its alias %q cannot be called", t.Name, a),
				fmt.Sprintf("task %q has the same alias", c.w.ByAlias[a][0].Name), "choose another alias")
		}
	}
}

// depfile reports a depfile that is never read.
func (c *checker) depfile(t *Task) {
	if t.Depfile.S == "" || t.Service() != nil {
		return
	}
	about, why := fmt.Sprintf("task %q: depfile has no effect", t.Name), "so the files that it lists do not determine whether the task is up to date"
	switch {
	case len(t.Sources) == 0:
		c.add(diag.Error, diag.Suspicious, t.Depfile.Pos, about+" without sources", why, "list the files that are known before it runs in sources")
	case cmp.Or(t.Fingerprint, c.w.Fingerprint) == FingerprintV3:
		c.add(diag.Error, diag.Suspicious, t.Depfile.Pos, about+" with fingerprint: "+FingerprintV3, why, "write fingerprint: full in the task")
	}
}

// cache reports a task with the key cache that is not cached.
func (c *checker) cache(t *Task) {
	if t.Cache == nil || t.Cache.On != True {
		return
	}
	about := fmt.Sprintf("task %q: cache has no effect with ", t.Name)
	switch {
	case cmp.Or(t.Fingerprint, c.w.Fingerprint) == FingerprintV3:
		c.add(diag.Error, diag.Suspicious, t.Cache.Pos, about+"fingerprint: "+FingerprintV3, "which only compares the content of sources", "write fingerprint: full in the task")
	case cmp.Or(t.Method.S, c.w.Method.S) == "none":
		c.add(diag.Error, diag.Suspicious, t.Cache.Pos, about+"method: none", "which runs the task each time", "remove one of them")
	}
}

func (c *checker) text(p Place, text Text) {
	switch p.Kind() {
	case TextTask:
		switch {
		case p.Key == KeyAfter:
			if d := c.w.AfterProblem(p.Task, text); d != nil && !IsTemplate(text.S) {
				c.add(d.Severity, d.Kind, d.Pos, d.What, d.Why, d.Fix)
			}
		case !p.Need || !p.Command.Optional:
			c.called(p.Task, text)
		}
		c.named(p, text)
	case TextScript, TextCondition:
		if p.Key != KeyCmd || p.Interpreter(c.w) == nil {
			c.script(p, text)
		}
	}
	if p.Key == KeyFor && p.Command.For.From != "" && text.S != "sources" && text.S != "generates" {
		c.add(diag.Warning, diag.Suspicious, text.Pos, fmt.Sprintf("task %q: for: %q is not something to loop over", p.Task.Name, text.S),
			"so the command never runs", fmt.Sprintf("write sources, generates, [%s], or {var: NAME}", quoteYAML(text.S)))
	}
}

// word reports a setting that is not one of a few words.
func (c *checker) word(about, key string, t Text, fix string, words ...string) {
	if t.S != "" && !IsTemplate(t.S) && !slices.Contains(words, t.S) {
		c.add(diag.Error, diag.Other, t.Pos, fmt.Sprintf("%sinvalid %s %q", about, key, t.S), "", fix)
	}
}

func (c *checker) settings(about string, run, method Text) {
	c.word(about, "run", run, "use always, once or when_changed", "always", "once", "when_changed")
	c.word(about, "method", method, "use checksum, timestamp or none", "checksum", "timestamp", "none")
}

// called reports a name of a task that does not exist; t needs, calls or reads that task.
func (c *checker) called(t *Task, name Text) {
	if IsTemplate(name.S) {
		return
	}
	found, _, err := c.w.find(name.S)
	why := fmt.Sprintf("called by %q (line %d)", t.Name, t.Pos.Line)
	switch {
	case err != nil:
		c.add(diag.Error, diag.Conflict, name.Pos, err.Error(), why, "call it by its name")
	case found == nil && !c.w.Partial:
		fix := ""
		if c.suggested++; c.suggested <= maxSuggested {
			if s := c.w.Suggest(name.S); s != "" {
				fix = fmt.Sprintf("did you mean %q?", s)
			}
		}
		c.add(diag.Error, diag.MissingTask, name.Pos, fmt.Sprintf("no task %q", name.S), why, fix)
	}
}

// script reports a script that cannot be parsed.
func (c *checker) script(p Place, text Text) {
	if text.S == "" || IsTemplate(text.S) || c.parsed[text] {
		return
	}
	c.parsed[text] = true
	if err := limit.Shell(text.S); err != nil {
		c.add(diag.Error, diag.Other, text.Pos, fmt.Sprintf("%s%s cannot be run by weft's own shell: %v", p.About(), p.What(), err), "", "move it to a separate file, or write shell: bash")
		return
	}
	if _, err := c.parser.Parse(strings.NewReader(text.S), ""); err != nil {
		fix := "the numbers are line and column inside the script"
		if cutByComma(text, err) {
			fix = "in brackets a comma ends a text: put quotes around the whole text"
		}
		c.add(diag.Error, diag.Other, text.Pos, fmt.Sprintf("%s%s is not a valid shell script: %v", p.About(), p.What(), err), "", fix)
	}
}

// cutByComma reports whether a script lacks its closing quote because it is in a list in brackets,
// where a comma inside the quotes ended it.
func cutByComma(text Text, err error) bool {
	var bad syntax.ParseError
	if !text.Pos.IsValid() || !errors.As(err, &bad) || !bad.Incomplete {
		return false
	}
	before, after, found := strings.Cut(text.Pos.File.Line(int(text.Pos.Line)), text.S)
	return found && strings.Contains(before, "[") && strings.HasPrefix(strings.TrimLeft(after, " "), ",")
}

// wildcards reports tasks that no call can reach, because an earlier wildcard matches every
// name that theirs does.
func (c *checker) wildcards() {
	ps := c.w.patterns()
	prefixes := make([]string, len(ps))
	for i, p := range ps {
		prefixes[i], _, _ = strings.Cut(p.name, "*")
	}
	for i, p := range ps {
		if p.name != p.task.Name {
			continue
		}
		for j, earlier := range ps[:i] {
			// Letters match only themselves, so an earlier pattern that matches the stars as
			// characters matches everything that they match.
			if earlier.task != p.task && strings.HasPrefix(p.name, prefixes[j]) && !strings.ContainsAny(earlier.name, `.+?()|[]{}^$\`) && earlier.re.MatchString(strings.ReplaceAll(p.name, "*", "\x01")) {
				c.add(diag.Error, diag.Suspicious, p.task.Pos, fmt.Sprintf("task %q is never reached", p.name),
					fmt.Sprintf("%q (%s) matches every name that it does", earlier.name, earlier.task.Pos), "define it before that one")
				break
			}
		}
	}
}

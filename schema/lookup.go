package schema

import (
	"fmt"
	"regexp"
	"strings"
	"sync"
)

// NotFoundError reports a call of a task that does not exist.
type NotFoundError struct {
	Name       string
	Suggestion string // a task of a similar name, or ""
}

func (e *NotFoundError) Error() string {
	s := fmt.Sprintf("Task %q does not exist", e.Name)
	if e.Suggestion != "" {
		s += fmt.Sprintf(". Did you mean %q?", e.Suggestion)
	}
	return s
}

// AmbiguousError reports a call by an alias that several tasks have.
type AmbiguousError struct {
	Name  string
	Tasks []string // full names, in order of definition
}

func (e *AmbiguousError) Error() string {
	return fmt.Sprintf("Found multiple tasks (%s) that match %q", strings.Join(e.Tasks, ", "), e.Name)
}

// lookup is the index that Lookup and Suggest build on first use.
type lookup struct {
	wildcards sync.Once
	patterns  []pattern // of Workflow.Wildcards

	suggest sync.Once
	words   []string // the names and aliases of tasks that can be called from outside
}

// pattern is a name or an alias with stars.
type pattern struct {
	task *Task
	name string
	re   *regexp.Regexp
}

// Lookup finds the task that a call by name means: the task of that name, else
// the one with that alias, else the first whose wildcard matches. match is the text matched by each
// star, nil unless a wildcard matched. err is a
// *NotFoundError or an *AmbiguousError. It may be called concurrently.
func (w *Workflow) Lookup(name string) (t *Task, match []string, err error) {
	t, match, err = w.find(name)
	if t == nil && err == nil {
		err = &NotFoundError{Name: name, Suggestion: w.Suggest(name)}
	}
	return t, match, err
}

// Has reports whether a call by name finds at least one task.
func (w *Workflow) Has(name string) bool {
	t, _, err := w.find(name)
	return t != nil || err != nil
}

// find is Lookup without an error for a missing task.
func (w *Workflow) find(name string) (t *Task, match []string, err error) {
	if t := w.Task(name); t != nil {
		return t, nil, nil
	}
	switch ts := w.ByAlias[name]; len(ts) {
	case 0:
	case 1:
		return ts[0], nil, nil
	default:
		e := &AmbiguousError{Name: name}
		for _, t := range ts {
			e.Tasks = append(e.Tasks, t.Name)
		}
		return nil, nil, e
	}
	for _, p := range w.patterns() {
		if m := p.re.FindStringSubmatch(name); m != nil {
			return p.task, m[1:], nil
		}
	}
	return nil, nil, nil
}

// patterns returns all names and aliases with stars, in order of definition.
func (w *Workflow) patterns() []pattern {
	if len(w.Wildcards) == 0 {
		return nil
	}
	w.lookup.wildcards.Do(func() {
		for _, t := range w.Wildcards {
			for _, name := range append([]string{t.Name}, t.Aliases...) {
				w.lookup.add(t, name)
			}
		}
	})
	return w.lookup.patterns
}

// add compiles name to a regular expression in which each star matches any text. The rest
// of the name is a regular expression, too, as the format has always had it, unless it is
// not a valid one.
func (l *lookup) add(t *Task, name string) {
	if !strings.Contains(name, "*") {
		return
	}
	re, err := regexp.Compile("^" + strings.ReplaceAll(name, "*", "(.*)") + "$")
	if err != nil || re.NumSubexp() != strings.Count(name, "*") {
		re = regexp.MustCompile("^" + strings.ReplaceAll(regexp.QuoteMeta(name), `\*`, "(.*)") + "$")
	}
	l.patterns = append(l.patterns, pattern{t, name, re})
}

// Suggest returns the name or alias nearest to name among the tasks that can
// be called from outside, or "". It may be called concurrently.
func (w *Workflow) Suggest(name string) string {
	l := &w.lookup
	l.suggest.Do(func() {
		for _, t := range w.Tasks {
			if !t.Internal {
				l.words = append(append(l.words, t.Name), t.Aliases...)
			}
		}
	})
	for _, word := range l.words {
		if strings.EqualFold(word, name) {
			return word
		}
	}
	return closest(name, l.words)
}

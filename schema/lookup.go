package schema

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/sajari/fuzzy"
)

// NotFoundError is a call of a task that is not there.
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

// AmbiguousError is a call by an alias that several tasks have.
type AmbiguousError struct {
	Name  string
	Tasks []string
}

func (e *AmbiguousError) Error() string {
	return fmt.Sprintf("Found multiple tasks (%s) that match %q", strings.Join(e.Tasks, ", "), e.Name)
}

// Lookup finds the task that a call by name means: the task of that name, else
// the one with that alias, else the first whose wildcard matches. match is
// what the stars stand for, nil unless it was a wildcard that matched.
func (w *Workflow) Lookup(name string) (t *Task, match []string, err error) {
	if t := w.ByName[name]; t != nil {
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
	for _, t := range w.Wildcards {
		if match := t.matches(name); match != nil {
			return t, match, nil
		}
	}
	return nil, nil, &NotFoundError{Name: name, Suggestion: w.Suggest(name)}
}

// matches returns what the stars of t's name or of an alias match in name.
func (t *Task) matches(name string) []string {
	if m := matchStars(t.Name, name); m != nil {
		return m
	}
	for _, a := range t.Aliases {
		if m := matchStars(a, name); m != nil {
			return m
		}
	}
	return nil
}

// matchStars reads pattern as a regular expression in which each star stands
// for any text. That the rest is not quoted is how the format has always been.
func matchStars(pattern, name string) []string {
	if !strings.Contains(pattern, "*") {
		return nil
	}
	re, err := regexp.Compile("^" + strings.ReplaceAll(pattern, "*", "(.*)") + "$")
	if err != nil {
		return nil
	}
	m := re.FindStringSubmatch(name)
	if len(m) < 2 {
		return nil
	}
	return m[1:]
}

// Suggest returns the name or alias nearest to name among the tasks that can
// be called, or "".
func (w *Workflow) Suggest(name string) string {
	model := fuzzy.NewModel()
	model.SetThreshold(1)
	var words []string
	for _, t := range w.Tasks {
		if t.Internal {
			continue
		}
		words = append(append(words, t.Name), t.Aliases...)
	}
	if len(words) > maxSuggest {
		return ""
	}
	model.Train(words)
	return model.SpellCheck(name)
}

// maxSuggest bounds the work of a suggestion: the model grows with the square
// of the lengths of all names.
const maxSuggest = 5_000

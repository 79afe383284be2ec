package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/weftrun/weft/cmd/weft/report"
	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/engine/plan"
	"github.com/weftrun/weft/internal/limit"
	"github.com/weftrun/weft/schema/diag"
)

// problem is one reason why the program fails, in words.
type problem struct {
	event.Problem
	title, message string // of an annotation; none without a title
}

// fail shows what went wrong and returns the exit code. The first problem, which decides
// on the code, stands last: nearest to the prompt.
func (a *app) fail(err error) int {
	for _, p := range a.problems(err) {
		if p.title != "" && a.env("GITHUB_ACTIONS") == "true" {
			a.out.Show(githubError(p.title, p.message))
		}
		a.showProblem(p.Problem)
	}
	if ds := diag.FromError(err); len(ds) > 0 {
		return kindCode(ds[0].Kind)
	}
	return a.code(err)
}

func (a *app) showProblem(p event.Problem) {
	a.paint(a.err, report.Red, p.Text+"\n")
	a.err.Show(p.Excerpt)
}

// problems puts what err is made of into words, the first last.
func (a *app) problems(err error) (all []problem) {
	ds := diag.FromError(err)
	for _, d := range ds[:min(len(ds), limit.Problems)] {
		all = append(all, a.fileProblem(d))
	}
	if ds == nil {
		for _, err := range plan.Problems(err) {
			all = append(all, a.taskProblem(err))
		}
		slices.Reverse(all)
		return all
	}
	all = append(all[1:], all[0])
	if n := len(ds) - limit.Problems; n > 0 {
		text := fmt.Sprintf("%s: %d more problems are not shown", a.name, n)
		all = slices.Insert(all, len(all)-1, problem{Problem: event.Problem{Text: text}})
	}
	return all
}

// taskProblem is an error of a run, or of the program.
func (a *app) taskProblem(err error) problem {
	p := problem{Problem: event.Problem{Text: a.errorText(err)}, title: "Task failed"}
	p.message = p.Text
	if e, ok := err.(*plan.TaskError); ok {
		p.title, p.message = fmt.Sprintf("Task '%s' failed", e.Task), a.errorText(e.Err)
	}
	return p
}

// fileProblem is a problem of a file: where it is, what to do, and the lines around it. As
// the drop-in, problems that the reference has a text for are told by that.
func (a *app) fileProblem(d *diag.Diagnostic) problem {
	what := strings.ReplaceAll(d.What, "`task --init`", "`"+a.name+" --init`")
	text := a.name + ": " + d.Show(what)
	ours := d.Kind == diag.Decode || d.Kind == diag.Syntax
	if ours || !a.dropIn() && d.Pos.IsValid() {
		shown := *d
		shown.What = what
		text = shown.Error()
	} else if !a.dropIn() {
		for _, s := range [...]string{d.Why, d.Fix} {
			if s != "" {
				text += "; " + d.Show(s)
			}
		}
	}
	p := problem{Problem: event.Problem{Text: text}, title: "Task failed", message: text}
	if ours || !a.dropIn() {
		p.Excerpt = excerpt(d.Pos)
	}
	return p
}

// githubError is an error as GitHub's runner takes it from a log: one line, whatever is in
// title and text.
func githubError(title, text string) string {
	message := strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	property := strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", "::", "%3A%3A", ",", "%2C") // one colon ends nothing
	return "::error title=" + property.Replace(diag.PrintableText(title)) + "::" + message.Replace(diag.PrintableText(text)) + "\n"
}

package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/weftrun/weft/cmd/weft/report"
	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/engine/plan"
	"github.com/weftrun/weft/engine/sched"
	"github.com/weftrun/weft/internal/limit"
	"github.com/weftrun/weft/schema/diag"
)

// problem describes one reason why the program fails.
type problem struct {
	event.Problem
	title, message string // of an annotation; without title there is none
	pos            diag.Pos
	annotated      bool // the annotation was made at once
}

// annotate reports p to the CI system. As the drop-in it supports only GitHub, with the texts of
// the reference.
func (a *app) annotate(p problem) {
	if a.dropIn() {
		if p.title != "" && a.env("GITHUB_ACTIONS") == "true" {
			a.out.Show(githubError(p.title, p.message))
		}
		return
	}
	var o report.Options
	if a.tellCI(&o) != nil || o.CI == "" || p.title == "" || p.annotated {
		return
	}
	o.CIOut.Write(o.CI.Annotate(nil, report.Annotation{File: o.InCheckout(p.pos), Line: p.pos.Line, Column: p.pos.Column, Title: a.secrets.Mask(p.title), Message: a.secrets.Mask(strings.TrimPrefix(p.message, a.name+": "))}))
}

// fail shows an error and returns the exit code. The first problem, which determines the code,
// comes last: nearest to the prompt.
func (a *app) fail(err error) int {
	for _, p := range a.problems(err) {
		a.annotate(p)
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

// problems describes the parts of err, the first last.
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
		last := all[len(all)-1]
		all[len(all)-1] = problem{Problem: event.Problem{Text: text}}
		all = append(all, last)
	}
	return all
}

// taskProblem describes an error of a run, or of the program.
func (a *app) taskProblem(err error) problem {
	p := problem{Problem: event.Problem{Text: a.errorText(err)}, title: "Task failed"}
	p.message = p.Text
	if e, ok := err.(*plan.TaskError); ok {
		p.title, p.message, p.annotated = fmt.Sprintf("Task '%s' failed", e.Task), a.errorText(e.Err), e.Step != 0 && !a.opts.watch
	} else if !a.dropIn() && sched.IsCancelled(err) { // no step was ended by it
		p.Text = a.name + ": " + p.Text
	}
	return p
}

// fileProblem describes a problem of a file: its position, the remedy, and the surrounding lines.
// As the drop-in it uses the texts of the reference where there are any.
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
	p := problem{Problem: event.Problem{Text: text}, title: "Task failed", message: text, pos: d.Pos}
	if ours || !a.dropIn() {
		p.Excerpt = excerpt(d.Pos)
	}
	return p
}

// githubError formats an error for GitHub's runner: one line, whatever title and text contain.
func githubError(title, text string) string {
	message := strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	property := strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", "::", "%3A%3A", ",", "%2C") // a single colon is harmless
	return "::error title=" + property.Replace(diag.PrintableText(title)) + "::" + message.Replace(diag.PrintableText(text)) + "\n"
}

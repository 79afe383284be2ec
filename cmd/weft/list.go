package main

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/weftrun/weft/cmd/weft/report"
	"github.com/weftrun/weft/engine"
)

// list answers --list and --list-all.
func (r *runner) list(ctx context.Context) error {
	o := &r.opts
	infos, err := r.tasks(ctx, engine.ListOptions{All: o.listAll, Status: o.json && !o.noStatus})
	if err != nil {
		return err
	}
	switch {
	case o.json:
		return r.listJSON(infos)
	case o.silent:
		r.listNames(infos)
		return nil
	case len(infos) == 0 && o.listAll:
		r.say(r.out, report.Yellow, "No tasks available")
		return errCode(exitOther)
	case len(infos) == 0:
		r.say(r.out, report.Yellow, "No tasks with description available. Try --list-all to list all tasks")
		return errCode(exitOther)
	}
	r.table(infos)
	return nil
}

// listKnown shows the tasks there are, after one was named that is not.
func (r *runner) listKnown(ctx context.Context) {
	infos, err := r.tasks(ctx, engine.ListOptions{})
	switch {
	case err != nil:
	case len(infos) == 0:
		r.say(r.out, report.Yellow, "No tasks with description available. Try --list-all to list all tasks")
	default:
		r.table(infos)
	}
}

// tasks returns the tasks to list, sorted.
func (r *runner) tasks(ctx context.Context, o engine.ListOptions) ([]engine.TaskInfo, error) {
	infos, err := r.engine.Tasks(ctx, o)
	if err != nil || r.opts.sort == "none" {
		return infos, err
	}
	grouped := r.opts.sort != "alphanumeric"
	slices.SortStableFunc(infos, func(a, b engine.TaskInfo) int {
		x, y := a.Task.Name, b.Task.Name
		if in, out := strings.Contains(x, ":"), strings.Contains(y, ":"); grouped && in != out {
			if in {
				return 1
			}
			return -1
		}
		return strings.Compare(x, y)
	})
	return infos, nil
}

// listNames shows bare names and aliases, for scripts.
func (r *runner) listNames(infos []engine.TaskInfo) {
	var b strings.Builder
	for _, t := range infos {
		b.WriteString(strings.TrimRight(t.Task.Name, ":") + "\n")
		for _, a := range t.Task.Aliases {
			b.WriteString(strings.TrimRight(a, ":") + "\n")
		}
	}
	r.out.WriteString(b.String())
}

// table shows names, descriptions and aliases in columns.
func (r *runner) table(infos []engine.TaskInfo) {
	p := &r.palette
	var b bytes.Buffer
	b.WriteString(p.Text(report.Default, r.name+": Available tasks for this project:\n"))
	w := tabwriter.NewWriter(&b, 0, 8, 6, ' ', 0)
	var line []byte
	for _, t := range infos {
		line = p.Append(line[:0], report.Yellow, "* ")
		line = p.Append(line, report.Green, t.Task.Name)
		line = p.Append(line, report.Default, ": \t"+strings.ReplaceAll(t.Desc, "\n", " "))
		if len(t.Task.Aliases) > 0 {
			line = p.Append(line, report.Cyan, "\t(aliases: "+strings.Join(t.Task.Aliases, ", ")+")")
		}
		w.Write(append(line, '\n'))
	}
	w.Flush()
	r.out.Write(b.Bytes())
}

package main

import (
	"context"
	"slices"
	"strings"

	"github.com/weftrun/weft/cmd/weft/report"
	"github.com/weftrun/weft/engine"
	"github.com/weftrun/weft/schema/diag"
)

// list handles --list and --list-all.
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

// listKnown lists the tasks, after an unknown one was named.
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
	keys := make([]sortKey, len(infos))
	for i, t := range infos {
		keys[i] = sortKey{name: t.Task.Name, later: grouped && strings.Contains(t.Task.Name, ":"), index: i}
	}
	slices.SortFunc(keys, sortKey.compare) // names are unique
	sorted := make([]engine.TaskInfo, len(infos))
	for i, k := range keys {
		sorted[i] = infos[k.index]
	}
	return sorted, nil
}

// sortKey determines the place of a task in the list.
type sortKey struct {
	name  string
	later bool // after all that are not
	index int
}

func (a sortKey) compare(b sortKey) int {
	if a.later != b.later {
		if a.later {
			return 1
		}
		return -1
	}
	return strings.Compare(a.name, b.name)
}

// listNames shows only names and aliases, for scripts.
func (r *runner) listNames(infos []engine.TaskInfo) {
	var b strings.Builder
	for _, t := range infos {
		for _, name := range append([]string{t.Task.Name}, t.Task.Aliases...) {
			b.WriteString(diag.Printable(strings.TrimRight(name, ":")) + "\n")
		}
	}
	r.out.Show(b.String())
}

// table shows names, descriptions and aliases in columns.
func (r *runner) table(infos []engine.TaskInfo) {
	r.paint(r.out, report.Default, r.name+": Available tasks for this project:\n")
	table := appendTable(nil, &r.palette, infos)
	if r.secrets.Any() {
		table = []byte(r.secrets.Mask(string(table)))
	}
	r.out.Write(table)
}

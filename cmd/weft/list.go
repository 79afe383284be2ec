package main

import (
	"bytes"
	"context"
	"slices"
	"sort"
	"strings"
	"text/tabwriter"
	"unicode/utf8"

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
	}
	r.table(infos, o.listAll)
	if len(infos) == 0 {
		return errCode(exitOther)
	}
	return nil
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
	sort.Slice(keys, func(i, j int) bool { return keys[i].less(keys[j]) }) // names are unique
	sorted := make([]engine.TaskInfo, len(infos))
	for i, k := range keys {
		sorted[i] = infos[k.index]
	}
	return sorted, nil
}

// sortKey determines the place of a task in the list.
type sortKey struct {
	name  string
	later bool // sorted after the others
	index int
}

func (a sortKey) less(b sortKey) bool {
	if a.later != b.later {
		return b.later
	}
	return a.name < b.name
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

// table shows names, descriptions and aliases in columns. all means that tasks without a
// description are included.
func (r *runner) table(infos []engine.TaskInfo, all bool) {
	if len(infos) == 0 {
		text := "No tasks with description available. Try --list-all to list all tasks"
		if all {
			text = "No tasks available"
		}
		r.say(r.out, report.Yellow, text)
		return
	}
	r.paint(r.out, report.Default, r.name+": Available tasks for this project:\n")
	table := appendTable(nil, &r.palette, infos)
	if r.secrets.Any() {
		table = []byte(r.secrets.Mask(string(table)))
	}
	r.out.Write(table)
}

// gap is the space between two columns.
const gap = 6

// row is a task in the list. Its texts are safe to show.
type row struct {
	name, desc string
	aliases    []string
	// width of the description's column, as wide as required by the adjacent lines that also have
	// aliases.
	width int
}

// appendTable appends the tasks in three columns: name, description, aliases.
func appendTable(b []byte, p *report.Palette, infos []engine.TaskInfo) []byte {
	rows := make([]row, len(infos))
	names, size, simple := 0, 0, true
	for i, t := range infos {
		rows[i] = row{name: diag.Printable(t.Task.Name), desc: diag.Printable(strings.ReplaceAll(t.Desc, "\n", " ")), aliases: t.Task.Aliases}
		names = max(names, utf8.RuneCountInString(rows[i].name))
		size += len(rows[i].desc)
		simple = simple && !strings.ContainsAny(rows[i].name+rows[i].desc, "\t")
	}
	if !simple {
		return appendTabbed(b, p, rows)
	}
	alignAliases(rows)
	b = slices.Grow(b, size+len(rows)*(names+gap+8))
	for _, r := range rows {
		b = p.AppendSafe(b, report.Yellow, "* ")
		b = p.AppendSafe(b, report.Green, r.name)
		b = p.AppendSafe(b, report.Default, ": "+spaces(names-utf8.RuneCountInString(r.name)+gap)+r.desc)
		if len(r.aliases) > 0 {
			b = p.AppendSafe(b, report.Cyan, spaces(r.width-utf8.RuneCountInString(r.desc))+shownAliases(r.aliases))
		}
		b = append(b, '\n')
	}
	return b
}

// alignAliases computes the widths of the descriptions before aliases.
func alignAliases(rows []row) {
	for i := 0; i < len(rows); {
		block, width := i, 0
		for ; i < len(rows) && len(rows[i].aliases) > 0; i++ {
			width = max(width, utf8.RuneCountInString(rows[i].desc)+gap)
		}
		for j := block; j < i; j++ {
			rows[j].width = width
		}
		if i == block {
			i++
		}
	}
}

// appendTabbed appends a table whose texts contain tabs: the reference treats these as column
// separators, too.
func appendTabbed(b []byte, p *report.Palette, rows []row) []byte {
	var out bytes.Buffer
	w := tabwriter.NewWriter(&out, 0, 8, gap, ' ', 0)
	for _, r := range rows {
		line := p.AppendSafe(nil, report.Yellow, "* ")
		line = p.AppendSafe(line, report.Green, r.name)
		line = p.AppendSafe(line, report.Default, ": \t"+r.desc)
		if len(r.aliases) > 0 {
			line = p.AppendSafe(line, report.Cyan, "\t"+shownAliases(r.aliases))
		}
		w.Write(append(line, '\n'))
	}
	w.Flush()
	return append(b, out.Bytes()...)
}

func shownAliases(aliases []string) string {
	return "(aliases: " + diag.Printable(strings.Join(aliases, ", ")) + ")"
}

func spaces(n int) string { return strings.Repeat(" ", max(n, 0)) }

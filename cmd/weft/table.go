package main

import (
	"bytes"
	"slices"
	"strings"
	"text/tabwriter"
	"unicode/utf8"

	"github.com/weftrun/weft/cmd/weft/report"
	"github.com/weftrun/weft/engine"
	"github.com/weftrun/weft/schema/diag"
)

// gap is what separates two columns.
const gap = 6

// row is a task in the list. Its texts are safe to show.
type row struct {
	name, desc string
	aliases    []string
	// width of the description's column, which is as wide as the lines above
	// and below need it that also have aliases.
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

// appendTabbed appends a table whose texts contain tabs: the reference makes columns of
// these, too.
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

func spaces(n int) string {
	const some = "                                                                "
	if n <= len(some) {
		return some[:max(n, 0)]
	}
	return strings.Repeat(" ", n)
}

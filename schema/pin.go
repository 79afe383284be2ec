package schema

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/weftrun/weft/internal/taskurl"
	"github.com/weftrun/weft/schema/diag"
)

// RemoteInclude is an include of a remote file, as it is written in a file of this machine.
type RemoteInclude struct {
	Name     string
	URL      *taskurl.URL
	Checksum string // as it is pinned; "" if it is not
	Short    bool   // written as a text, not as a map
	Pos      diag.Pos

	entry *includeEntry
}

// RemoteIncludes finds the root file and reads it and what it includes of this
// machine, and returns all remote includes of these files, in the order in which
// they were read, and the root directory. Nothing remote is opened.
func RemoteIncludes(ctx context.Context, o LoadOptions) (found []RemoteInclude, root string, list diag.List) {
	if taskurl.IsRemote(o.Entrypoint) {
		list.Add(&diag.Diagnostic{Kind: diag.Other, What: "the Taskfile itself is remote, and cannot be changed"})
		return nil, "", list
	}
	l := &loader{ctx: ctx, o: o, docs: map[string]*document{}}
	l.readRoot()
	for _, in := range l.remote {
		found = append(found, RemoteInclude{Name: in.e.name, URL: in.url, Checksum: in.e.checksum.S, Short: !in.e.advanced, Pos: in.e.pos, entry: in.e})
	}
	return found, l.dir, l.list
}

// Pin returns the source of the file that the include is in, with its checksum set to sum;
// source is the current content of the file. Pin changes only that checksum: if it cannot leave
// everything else unchanged, it returns an error.
func (in *RemoteInclude) Pin(source, sum string) (string, error) {
	before, list := decodeFile(&diag.File{Path: in.Pos.File.Path, Source: source})
	if list.Err() != nil {
		return "", list.Err()
	}
	want := describeIncludes(before, in.Name, sum)
	for _, edited := range in.edits(source, sum) {
		after, list := decodeFile(&diag.File{Path: in.Pos.File.Path, Source: edited})
		if list.Err() == nil && slices.Equal(describeIncludes(after, in.Name, sum), want) && len(after.Tasks) == len(before.Tasks) {
			return edited, nil
		}
	}
	return "", fmt.Errorf("%s: include %q cannot be edited automatically; add the line  checksum: %s  yourself", in.Pos, in.Name, sum)
}

// describeIncludes returns the includes of a file as text, with sum as the checksum of the one
// called name.
func describeIncludes(doc *document, name, sum string) []string {
	var all []string
	for _, e := range doc.includes {
		checksum := e.checksum.S
		if e.name == name {
			checksum = sum
		}
		text := fmt.Sprint(e.name, "\x00", e.taskfile.S, "\x00", e.dir.S, "\x00", e.optional, e.internal, e.flatten, e.aliases, e.excludes, "\x00", checksum)
		for _, v := range e.vars {
			text += fmt.Sprint("\x00", v.Name, v.Kind, v.Value, v.Text)
		}
		all = append(all, text)
	}
	return all
}

// edits returns the results of the possible ways to set the checksum in source to sum.
func (in *RemoteInclude) edits(source, sum string) (all []string) {
	if from, to, ok := scalarAt(source, in.entry.checksum.Pos); ok && in.Checksum != "" {
		all = append(all, source[:from]+sum+source[to:])
	}
	from, to, ok := scalarAt(source, in.entry.taskfile.Pos)
	switch {
	case !ok:
	case in.Short: // it becomes a map
		all = append(all, source[:from]+"{taskfile: "+singleQuoted(in.entry.taskfile.S)+", checksum: "+sum+"}"+source[to:])
	default: // a line below that of the key taskfile, or another key in a map with braces
		if line := strings.LastIndexByte(source[:from], '\n') + 1; strings.HasPrefix(strings.TrimLeft(source[line:from], " "), "taskfile") {
			text, _, _ := strings.Cut(source[line:], "\n")
			indent, end := text[:strings.Index(text, "t")], line+len(text)
			newline := "\n"
			if strings.HasSuffix(text, "\r") {
				newline, end = "\r\n", end-1
			}
			all = append(all, source[:end]+newline+indent+"checksum: "+sum+source[end:])
		}
		all = append(all, source[:to]+", checksum: "+sum+source[to:])
	}
	return all
}

// scalarAt returns where a scalar of one line begins and ends.
func scalarAt(source string, p diag.Pos) (from, to int, ok bool) {
	if !p.IsValid() || p.Line == 0 {
		return 0, 0, false
	}
	file := diag.File{Source: source}
	line := file.Line(int(p.Line))
	if int(p.Column) > len(line) {
		return 0, 0, false
	}
	from, rest := file.Offset(int(p.Line))+int(p.Column)-1, line[p.Column-1:]
	switch rest[0] {
	case '\'', '"':
		end := closingQuote(rest)
		return from, from + end + 1, end > 0
	case '*', '&', '!', '|', '>':
		return 0, 0, false
	}
	end := strings.IndexAny(rest, " \t\r,}]")
	if end < 0 {
		end = len(rest)
	}
	return from, from + end, end > 0
}

package main

import (
	"cmp"
	"encoding/json"
	"strings"

	"github.com/weftrun/weft/engine"
	"github.com/weftrun/weft/schema/diag"
)

// namespace is the output of --list --json: the whole list, or with --nested one level of it.
type namespace struct {
	Tasks      []jsonTask            `json:"tasks"`
	Namespaces map[string]*namespace `json:"namespaces,omitempty"`
	Location   string                `json:"location,omitempty"` // of the root file
}

// jsonTask is one task of the list.
type jsonTask struct {
	Name     string       `json:"name"`
	Task     string       `json:"task"`
	Desc     string       `json:"desc"`
	Summary  string       `json:"summary"`
	Aliases  []string     `json:"aliases"`
	UpToDate *bool        `json:"up_to_date,omitempty"`
	Location jsonLocation `json:"location"`
}

type jsonLocation struct {
	Line     int32  `json:"line"`
	Column   int32  `json:"column"`
	Taskfile string `json:"taskfile"`
}

// listJSON shows the list as JSON.
func (r *runner) listJSON(infos []engine.TaskInfo) error {
	root := &namespace{Tasks: make([]jsonTask, 0, len(infos)), Location: r.workflow.File.Path}
	for _, t := range infos {
		to := root
		if r.opts.nested {
			to = root.of(t.Task.Name)
		}
		to.Tasks = append(to.Tasks, jsonTask{
			Name: t.Name, Task: t.Task.Name, Desc: t.Desc, Summary: t.Summary, Aliases: append([]string{}, t.Task.Aliases...), UpToDate: t.UpToDate,
			Location: jsonLocation{t.Task.Pos.Line, t.Task.Pos.Column, t.Task.Pos.Path()},
		})
	}
	if r.writeJSON(root); len(infos) == 0 {
		return errCode(exitOther)
	}
	return nil
}

// of returns the level of a task name.
func (n *namespace) of(name string) *namespace {
	for {
		first, rest, nested := strings.Cut(name, ":")
		if !nested {
			return n
		}
		if n.Namespaces == nil {
			n.Namespaces = map[string]*namespace{}
		}
		n.Namespaces[first] = cmp.Or(n.Namespaces[first], new(namespace))
		n, name = n.Namespaces[first], rest
	}
}

// writeJSON shows v as JSON, with secrets masked in its texts. It also escapes control
// characters that JSON does not require to be escaped.
func (a *app) writeJSON(v any) {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetIndent("", "  ")
	enc.Encode(v)
	text := b.String()
	if a.secrets.Any() {
		text = maskedJSON(text, a.secrets.Mask)
	}
	a.out.Write([]byte(diag.PrintableText(text)))
}

// maskedJSON applies mask to the strings in JSON that are not keys.
func maskedJSON(text string, mask func(string) string) string {
	var b strings.Builder
	for {
		i := strings.IndexByte(text, '"')
		if i < 0 {
			return b.String() + text
		}
		b.WriteString(text[:i])
		end := i + 1
		for text[end] != '"' {
			if text[end] == '\\' {
				end++
			}
			end++
		}
		quoted, value := text[i:end+1], ""
		text = text[end+1:]
		if !strings.HasPrefix(text, ":") && json.Unmarshal([]byte(quoted), &value) == nil {
			if masked := mask(value); masked != value {
				again, _ := json.Marshal(masked) // a string can be marshalled
				quoted = string(again)
			}
		}
		b.WriteString(quoted)
	}
}

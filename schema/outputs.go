package schema

import (
	"slices"
	"strings"

	"github.com/weftrun/weft/schema/diag"
	"github.com/weftrun/weft/schema/yaml"
)

// NamedOutput is one of a task's `outputs`.
type NamedOutput struct {
	Name string
	Pos  diag.Pos
	// From is "stdout", "stderr", "message", "file:PATH" (a template), or "" for
	// a line of the file that WEFT_OUTPUT names.
	From Text
	As   string // "text", "json" or "lines"
	Path string // into a JSON value: ".a.b"; "" is the whole
}

var outputsKeys = []key[*NamedOutput]{
	{"from", len(textForm), len("stdout, stderr, message or file:PATH; by default the file that WEFT_OUTPUT names."), func(d *decoder, n *yaml.Node, o *NamedOutput) {
		switch t := d.text(n); {
		case t.S == "stdout", t.S == "stderr", t.S == "message", strings.HasPrefix(t.S, "file:") && t.S != "file:":
			o.From = t
		default:
			d.fail(n, "use stdout, stderr, message or file:PATH", "an output cannot come from %q", t.S)
		}
	}},
	{"as", len(`{"enum":["text","json","lines",null]}`), len("Its format: text, json or lines."), func(d *decoder, n *yaml.Node, o *NamedOutput) {
		words := []string{"", "text", "json", "lines"}
		o.As = words[d.word(n, "use text, json or lines", words...)]
	}},
	{"path", len(textForm), len("Part of a JSON value, as in .a.b or .list[0]."), func(d *decoder, n *yaml.Node, o *NamedOutput) {
		o.Path = d.text(n).S
		if !strings.HasPrefix(o.Path, ".") {
			d.fail(n, "write .name", "the path %q does not begin with a dot", o.Path)
		}
	}},
}

// checkOutputs reports outputs from messages of a task that has none.
func (d *decoder) checkOutputs(t *Task) {
	i := slices.IndexFunc(t.Outputs, func(o NamedOutput) bool { return o.From.S == "message" })
	if i >= 0 && !t.hasChannel() {
		d.failAt(t.Outputs[i].From.Pos, "add ipc: true to the task", "output %s: none of its commands has a channel for messages", t.Outputs[i].Name)
	}
}

// outputs reads a task's `outputs`.
func (d *decoder) outputs(n *yaml.Node) []NamedOutput {
	var all []NamedOutput
	d.eachPair(n, "a map of outputs", func(k, v *yaml.Node) {
		o := NamedOutput{Name: k.Value, Pos: d.pos(k)}
		readMap(d, v, "output "+k.Value, outputsKeys, &o)
		if o.As == "" {
			o.As = "text"
			if o.Path != "" {
				o.As = "json"
			}
		}
		if o.Path != "" && o.As != "json" {
			d.fail(v, "add as: json", "output %s: path needs JSON", k.Value)
		}
		if i := slices.IndexFunc(all, func(a NamedOutput) bool { return a.Name == o.Name }); i >= 0 {
			d.repeats(k, "outputs", all[i].Pos)
			all[i] = o
			return
		}
		all = append(all, o)
	})
	return all
}

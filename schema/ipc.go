package schema

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/weftrun/weft/schema/diag"
	"github.com/weftrun/weft/schema/yaml"
)

// IPC is the channel for messages that a command has.
type IPC struct {
	Pos    diag.Pos
	Off    bool // ipc: false, where the task gives one to all its commands
	Send   []Message
	Expect int      // the command is done when it has sent so many; 0: when it has ended
	Schema Text     // template: the file with the JSON Schema of what it sends
	To     *TaskRef // also receives its messages; nil: none
}

// HasChannel reports whether p gives commands a channel for messages; p may be nil.
func (p *Processes) HasChannel() bool { return p != nil && p.IPC != nil && !p.IPC.Off }

// givesChannel reports whether c, a command of t, or a member of it, has a channel for messages.
func (t *Task) givesChannel(c *Command) bool {
	found := false
	EachCommand([]Command{*c}, func(c *Command) {
		p := t.ProcessesOf(c)
		found = found || p.HasChannel()
	})
	return found
}

// Message is a value that is sent to a command: like that of a static variable; strings in it are
// templates.
type Message struct {
	Pos   diag.Pos
	Value any
}

// TaskRef names a task and the variables that are given to it.
type TaskRef struct {
	Pos  diag.Pos
	Text Text // template
	Vars Vars
}

const (
	ipcForm   = `{"anyOf":[` + boolForm + `,{"$ref":"#/$defs/ipc"}]}`
	taskRef   = `{"anyOf":[{"type":"string"},{"$ref":"#/$defs/taskRef"}]}`
	ipcFix    = "write true, or a map with send, expect, schema or to"
	swallowed = "it is a JavaScript program and uses the channel itself, so the script does not get it"
)

var ipcKeys = []key[*IPC]{
	{"send", len(`{"type":["array","null"],"items":` + anyForm + `}`), len("Values sent to it when it starts."), func(d *decoder, n *yaml.Node, c *IPC) {
		if n.Kind != yaml.SequenceNode && !isNull(n) {
			d.fail(n, "write a list, as in send: [{task: sum}]", "send: expected a list of values, found %s", describe(n))
			return
		}
		for _, it := range n.Content {
			it = d.deref(it)
			m := Message{Pos: d.pos(it), Value: d.value(it)}
			if _, err := json.Marshal(m.Value); err != nil {
				d.fail(it, "", "send: the value is not valid JSON: %v", err)
			}
			c.Send = append(c.Send, m)
		}
	}},
	{"expect", len(`{"type":"integer","minimum":1}`), len("It is done when it has sent this number of messages."), func(d *decoder, n *yaml.Node, c *IPC) { c.Expect = d.positive(n) }},
	{"schema", len(textForm), len("File with a JSON Schema of the messages it sends."), func(d *decoder, n *yaml.Node, c *IPC) { c.Schema = d.text(n) }},
	{"to", len(taskRef), len("Task that also gets its messages."), func(d *decoder, n *yaml.Node, c *IPC) {
		to := d.taskRef(n, "name the task that gets the messages")
		c.To = &to
	}},
}

var taskRefKeys = []key[*TaskRef]{
	{"task", len(textForm), len("Name of the task."), func(d *decoder, n *yaml.Node, t *TaskRef) { t.Text = d.text(n) }},
	{"vars", len(`{"$ref":"#/$defs/vars"}`), len("Variables given to it."), func(d *decoder, n *yaml.Node, t *TaskRef) { t.Vars = d.vars(n) }},
}

// taskRef reads a task that is referred to: its name, or a map. fix is the advice if it names none.
func (d *decoder) taskRef(n *yaml.Node, fix string) TaskRef {
	t, key := TaskRef{Pos: d.pos(n)}, d.key
	if n.Kind == yaml.MappingNode {
		readMap(d, n, key, taskRefKeys, &t)
	} else {
		t.Text = d.text(n)
	}
	if t.Text.S == "" {
		d.fail(n, fix, "%s has no task", key)
	}
	return t
}

// readIPC reads `ipc`: true, false, or a map.
func (d *decoder) readIPC(n *yaml.Node, to **Processes) {
	if isNull(n) {
		return
	}
	c := &IPC{Pos: d.pos(n)}
	switch {
	case n.Kind == yaml.MappingNode:
		readMap(d, n, "ipc", ipcKeys, c)
	case n.Kind == yaml.SequenceNode:
		d.fail(n, ipcFix, "ipc: expected true or a map, found a list")
	default:
		c.Off = !d.flag(n)
	}
	made(to).IPC = c
}

// checkIPC warns of a command that would never see its channel.
func (d *decoder) checkIPC(c *Command, p *IPC) {
	if p == nil || p.Off {
		return
	}
	words := textsOf(c.Argv, written)
	if c.Kind == Shell {
		words = strings.Fields(c.Text.S)
		for len(words) > 0 && strings.Contains(words[0], "=") {
			words = words[1:]
		}
	}
	if len(words) > 0 && slices.Contains([]string{"npm", "npx", "yarn", "pnpm"}, words[0]) {
		d.list.Add(&diag.Diagnostic{Pos: c.Pos, Severity: diag.Warning, Kind: diag.Suspicious, What: d.about() + words[0] + " takes the channel of ipc for itself",
			Why: swallowed, Fix: "run the script itself, as in exec: [node, worker.js]"})
	}
}

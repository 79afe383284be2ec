package schema

import (
	"fmt"
	"net"
	"strings"
	"sync"

	"github.com/weftrun/weft/schema/diag"
)

// Problems of tasks with the services that they name. Check finds them where names are
// written out; the plan of a run finds them all.

// EndOfService is the problem of d, an entry of deps of the task from: it waits for the end of
// a service.
func EndOfService(from string, d *Command, service string) *diag.Diagnostic {
	return &diag.Diagnostic{Pos: d.Pos, Kind: diag.Other, What: fmt.Sprintf("task %q waits until the service %q has %s", from, service, d.Until),
		Why: "a service ends when nothing needs it any more", Fix: "write until: ready, or remove it"}
}

// OutputOfService is the problem of the task from, which reads the output of a service.
func OutputOfService(from string, pos diag.Pos, service string) *diag.Diagnostic {
	return &diag.Diagnostic{Pos: pos, Kind: diag.Other, What: fmt.Sprintf("task %q reads the finished output of task %q, which is a service", from, service),
		Why: "it still writes while this task runs", Fix: "read it while it runs: stdin: {from: …}"}
}

// NoChannel is the problem of the task from, which sends messages to a task without a channel.
func NoChannel(from string, pos diag.Pos, to string) *diag.Diagnostic {
	return &diag.Diagnostic{Pos: pos, Kind: diag.Other, What: fmt.Sprintf("task %q sends messages to task %q, which has no channel for them", from, to),
		Fix: "add ipc: true to that task"}
}

// PortTwice is the problem of two services that run at the same time and must have one port.
// why is the explanation that they do.
func PortTwice(pos diag.Pos, port, first, second, why string) *diag.Diagnostic {
	what := "port " + port
	if strings.HasPrefix(port, "/") {
		what = port
	}
	return &diag.Diagnostic{Pos: pos, Kind: diag.Conflict, What: fmt.Sprintf("services %q and %q both need %s", first, second, what),
		Why: why, Fix: "use another one for one of them"}
}

// ListenPort returns the number of the port of an address to listen at, with the host if that
// is another one than this machine as a whole or its loopback; of a Unix socket the path. It is ""
// if it cannot be known: the text is a template, or the path is relative.
func ListenPort(address string) string {
	path, isUnix := strings.CutPrefix(address, "unix:")
	switch {
	case IsTemplate(address) || isUnix && !strings.HasPrefix(path, "/"):
		return ""
	case strings.HasPrefix(path, "/"):
		return path
	}
	host, port, _ := net.SplitHostPort(address)
	switch host {
	case "", "localhost", "127.0.0.1", "::1", "0.0.0.0", "::":
		return port
	}
	return address
}

// named reports problems with a task that the text at p names.
func (c *checker) named(p Place, name Text) {
	to, _, err := c.w.find(name.S)
	if err != nil || to == nil || IsTemplate(name.S) {
		return
	}
	var d *diag.Diagnostic
	switch {
	case p.Need && p.Command.Until >= UntilSucceeded && to.Service() != nil:
		d = EndOfService(p.Task.Name, p.Command, to.Name)
	case p.Key == KeyStdinTask && p.Processes().Stdin.Kind == StdinOutput && to.Service() != nil:
		d = OutputOfService(p.Task.Name, p.Processes().Stdin.Pos, to.Name)
	case p.Key == KeyIPCTo && !to.hasChannel():
		d = NoChannel(p.Task.Name, p.Processes().IPC.To.Pos, to.Name)
	default:
		return
	}
	c.add(d.Severity, d.Kind, d.Pos, d.What, d.Why, d.Fix)
}

// hasChannel reports whether some command of t has a channel for messages.
func (t *Task) hasChannel() bool {
	found := t.Processes.HasChannel()
	EachCommand(t.Cmds, func(c *Command) { found = found || c.HasOptions() && c.Processes.HasChannel() })
	return found
}

// sharedPorts reports services that must have one port and that some task runs both.
func (c *checker) sharedPorts() {
	all := map[string][]writer{} // by port
	var order []string
	for _, t := range c.w.Tasks {
		s := t.Service()
		if s == nil {
			continue
		}
		note := func(port string, at Text) {
			if port == "" || IsTemplate(at.S) {
				return
			}
			if len(all[port]) == 0 {
				order = append(order, port)
			}
			all[port] = append(all[port], writer{t, at, [2][]Platform{t.Platforms}})
		}
		for _, l := range s.Listen {
			note(ListenPort(l.Address.S), l.Address)
		}
		for _, p := range t.Running.Ports {
			if p.Strict {
				note(p.Requested.S, p.Requested)
			}
		}
	}
	callers := sync.OnceValue(c.callers)
	for _, port := range order {
		if len(all[port]) > 1 {
			c.sharedPort(port, all[port], callers())
		}
	}
}

// sharedPort reports the first two of ws, which must have the port, that run at the same time.
func (c *checker) sharedPort(port string, ws []writer, callers callGraph) {
	ws = ws[:min(len(ws), maxWriters)]
	above := make([]map[*Task]bool, len(ws))
	for i := range ws {
		above[i] = callers.above(ws[i].task)
		above[i][ws[i].task] = true
	}
	for i := range ws {
		for j := range ws[:i] {
			a, b := &ws[j], &ws[i]
			if both := common(c.w.Tasks, above[i], above[j]); both != nil && a.task.Pos != b.task.Pos && meet(a, b) {
				d := PortTwice(b.name.Pos, port, a.task.Name, b.task.Name, fmt.Sprintf("the other place is %s, and task %q runs both (%s)", a.name.Pos, both.Name, both.Pos))
				c.add(d.Severity, d.Kind, d.Pos, d.What, d.Why, d.Fix)
				return
			}
		}
	}
}

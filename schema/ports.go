package schema

import (
	"strings"

	"github.com/weftrun/weft/schema/diag"
	"github.com/weftrun/weft/schema/yaml"
)

// Port is a port that a task is given.
type Port struct {
	Name      string
	Pos       diag.Pos
	Requested Text // template: its number; 0 is any
	Strict    bool // no other number will do
}

// EnvName returns the name of the environment variable that holds the number of a port.
func EnvName(port string) string {
	return "PORT_" + strings.ToUpper(strings.ReplaceAll(port, "-", "_"))
}

const (
	portsForm = `{"type":["object","null"],"additionalProperties":{"anyOf":[` + portForm + `,{"$ref":"#/$defs/port"}]}}`
	portForm  = `{"anyOf":[{"type":"integer","minimum":0,"maximum":65535},{"type":["string","null"]}]}`
)

var portKeys = []key[*Port]{
	{"port", len(portForm), len("Its number; 0 means any."), func(d *decoder, n *yaml.Node, p *Port) { p.Requested = d.port(n) }},
	{"strict", len(boolForm), len("It is an error if the port is in use."), func(d *decoder, n *yaml.Node, p *Port) { p.Strict = d.flag(n) }},
}

// readPorts reads `ports`: numbers by name, or maps.
func (d *decoder) readPorts(n *yaml.Node, t *Task) {
	r := made(&t.Running)
	d.eachPair(n, "a map of names to ports", func(k, v *yaml.Node) {
		d.key = "ports"
		p := Port{Name: k.Value, Pos: d.pos(k), Requested: Text{S: "0", Pos: d.pos(v)}}
		if k.Kind != yaml.ScalarNode || !isPortName(p.Name) {
			d.fail(k, "begin with a letter, and use letters, digits, - and _", "ports: %q is not a valid name of a port", k.Value)
		}
		switch {
		case isNull(v):
		case v.Kind == yaml.MappingNode:
			readMap(d, v, "port "+p.Name, portKeys, &p)
		default:
			p.Requested = d.port(v)
		}
		if p.Strict && p.Requested.S == "0" {
			d.fail(v, "give its number, or remove strict", "port %s: strict has no effect if any port is allowed", p.Name)
		}
		for i := range r.Ports {
			switch {
			case r.Ports[i].Name == p.Name:
				d.repeats(k, "ports", r.Ports[i].Pos)
				r.Ports[i] = p
				return
			case EnvName(r.Ports[i].Name) == EnvName(p.Name):
				d.fail(k, "rename one of them", "ports: %q and %q are both $%s", r.Ports[i].Name, p.Name, EnvName(p.Name))
			}
		}
		if d.fewer(k, len(r.Ports)) {
			r.Ports = append(r.Ports, p)
		}
	})
}

// maxNamed bounds how many ports, sockets and pools a map may name.
const maxNamed = 1000

// fewer reports whether k, after n others, is still kept. It reports
// the first that is one too many as a problem.
func (d *decoder) fewer(k *yaml.Node, n int) bool {
	if n == maxNamed {
		d.fail(k, "remove some", "%s: there are more than %d", d.key, maxNamed)
	}
	return n <= maxNamed
}

// port reads the number of a port, or a template.
func (d *decoder) port(n *yaml.Node) Text {
	t := d.text(n)
	if _, ok := PortNumber(t.S); !ok && !IsTemplate(t.S) {
		d.fail(n, "write its number, or 0 for any", "%q is not a port from 0 to 65535", t.S)
	}
	return t
}

func isPortName(name string) bool {
	for i, r := range name {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
		if !letter && (i == 0 || r != '-' && r != '_' && (r < '0' || r > '9')) {
			return false
		}
	}
	return name != ""
}

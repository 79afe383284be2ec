package schema

import (
	"strconv"
	"time"

	"github.com/weftrun/weft/schema/yaml"
)

// Limits bound what each process of a command may use. A zero value is no limit.
type Limits struct {
	Memory    int64 // bytes of address space
	Files     int64 // descriptors
	Processes int64
	CPUTime   time.Duration
	Core      *int64 // bytes of a core dump
	Nice      *int   // priority, from -20 to 19
}

const limitsForm = `{"anyOf":[{"type":"null"},{"$ref":"#/$defs/limits"}]}`

var limitsKeys = []key[*Limits]{
	{"memory", len(textForm), len("Memory, as in 512MiB."), func(d *decoder, n *yaml.Node, l *Limits) { l.Memory = d.size(n) }},
	{"files", len(`{"type":"integer","minimum":1}`), len("Open files."), func(d *decoder, n *yaml.Node, l *Limits) { l.Files = int64(d.positive(n)) }},
	{"processes", len(`{"type":"integer","minimum":1}`), len("Processes."), func(d *decoder, n *yaml.Node, l *Limits) { l.Processes = int64(d.positive(n)) }},
	{"cpu_time", len(durationForm), len("Processor time."), func(d *decoder, n *yaml.Node, l *Limits) {
		if l.CPUTime = d.duration(n); l.CPUTime <= 0 {
			d.fail(n, "write 5m", "cpu_time: %v is not a time", l.CPUTime)
		}
	}},
	{"core", len(textForm), len("Size of a core dump, as in 100MiB; 0 for none."), func(d *decoder, n *yaml.Node, l *Limits) {
		var size int64
		if d.text(n).S != "0" {
			size = d.size(n)
		}
		l.Core = &size
	}},
	{"nice", len(`{"type":"integer","minimum":-20,"maximum":19}`), len("Priority: 19 is the lowest."), func(d *decoder, n *yaml.Node, l *Limits) {
		v, err := strconv.Atoi(d.text(n).S)
		if err != nil || v < -20 || v > 19 {
			d.fail(n, "write 10 for a low priority", "nice: %q is not a number from -20 to 19", d.text(n).S)
		}
		l.Nice = &v
	}},
}

// readUser reads `user`.
func (d *decoder) readUser(n *yaml.Node, to **Processes) {
	made(to).User, d.users = d.text(n), true
}

func (d *decoder) readLimits(n *yaml.Node, to **Processes) {
	if !isNull(n) {
		l := &Limits{}
		readMap(d, n, "limits", limitsKeys, l)
		made(to).Limits = l
	}
}

package schema

import (
	"syscall"

	"github.com/weftrun/weft/schema/yaml"
)

// ChangeMode is the effect of a change on a running watched task.
type ChangeMode uint8

const (
	ChangeRestarts ChangeMode = iota // it is stopped, and run again
	ChangeQueued                     // it is run again when it has ended
	ChangeIgnored                    // nothing
)

// OnChange is the effect of a change on a running watched task.
type OnChange struct {
	Mode   ChangeMode
	Signal syscall.Signal // sent to its programs instead; 0: none
}

const onChangeForm = `{"anyOf":[{"enum":["restart","queue","ignore",null]},{"$ref":"#/$defs/onChange"}]}`

var onChangeKeys = []key[*OnChange]{
	{"signal", len(textForm), len("Signal that its programs get: HUP, USR1, USR2, INT, TERM, QUIT or WINCH."), func(d *decoder, n *yaml.Node, o *OnChange) { o.Signal = d.receivableSignal(n) }},
}

// onChange reads `on_change`: a word, or a map.
func (d *decoder) onChange(n *yaml.Node) (o OnChange) {
	if n.Kind == yaml.MappingNode {
		readMap(d, n, "on_change", onChangeKeys, &o)
		return o
	}
	o.Mode = ChangeMode(d.word(n, "use restart, queue, ignore or {signal: HUP}", "restart", "queue", "ignore"))
	return o
}

package event

import (
	"github.com/weftrun/weft/schema/diag"
)

// Wants specifies the details that reporters need in the events. The zero value includes only what
// every display needs; details that no reporter needs are not computed.
type Wants struct {
	Graph   bool // [Planned].Graph, and the report details of [RunStarted] and [StepSettled]
	Reasons bool // why each step runs: [StepStarted].Reasons
	Detail  bool // [Waiting] for slots and pools
	Output  bool // output of every command, also of those that would inherit weft's own streams
}

// Union returns everything that w or more include.
func (w Wants) Union(more Wants) Wants {
	return Wants{
		Graph:   w.Graph || more.Graph,
		Reasons: w.Reasons || more.Reasons,
		Detail:  w.Detail || more.Detail,
		Output:  w.Output || more.Output,
	}
}

// PlannedStep is a step of a plan. A shared step is in each of its plans.
type PlannedStep struct {
	Step  StepID `event:"step"`
	Name  string `event:"task"`            // full, callable task name
	Label string `event:"label,same=Name"` // display name: label or name
	// Key identifies the step across runs: 16 hexadecimal digits, followed by "#2" or more if several
	// steps of a run would have the same key.
	Key     string   `event:"key"`
	Pos     diag.Pos `event:"position,omitzero"`
	Alone   bool     `event:"alone,omitzero"`   // nothing can run concurrently
	Service bool     `event:"service,omitzero"` // it runs as long as it is needed
	Needs   []Need   `event:"needs,omitzero"`   // in source order
}

// ParseKey returns the number in a key of a [PlannedStep], which all steps of a run have that are
// the same; ok is false for what is not a key.
func ParseKey(key string) (number uint64, ok bool) {
	if len(key) < 16 || len(key) > 16 && key[16] != '#' {
		return 0, false
	}
	for _, c := range []byte(key[:16]) {
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c && c <= 'f':
			c -= 'a' - 10
		default:
			return 0, false
		}
		number = number<<4 | uint64(c)
	}
	return number, true
}

// plannedStepSize is the approximate size of a step in event files.
const plannedStepSize = 112

func (p *PlannedStep) encode(e *Encoder, b []byte) []byte {
	b = number(b, `{"step":`, int64(p.Step))
	b = text(b, `,"task":`, p.Name)
	if p.Label != p.Name {
		b = text(b, `,"label":`, p.Label)
	}
	b = text(b, `,"key":`, p.Key)
	b = e.places.append(b, `,"position":`, p.Pos)
	b = flagIf(b, `,"alone":true`, p.Alone)
	b = flagIf(b, `,"service":true`, p.Service)
	if p.Needs != nil {
		b = append(b, `,"needs":[`...)
		for i := range p.Needs {
			if i > 0 {
				b = append(b, ',')
			}
			b = p.Needs[i].encode(b)
		}
		b = append(b, ']')
	}
	return append(b, '}')
}

// Need is a step that another one needs. In event files it is a list: [step, until].
type Need struct {
	Step  StepID
	Until Until
}

func (n *Need) encode(b []byte) []byte {
	return append(text(number(b, "[", int64(n.Step)), ",", string(n.Until)), ']')
}

// Until is the condition that a need must meet before the dependent step starts.
type Until string

const (
	UntilSucceeded Until = "succeeded" // it has succeeded
	UntilReady     Until = "ready"     // it is ready, or has succeeded
	UntilStarted   Until = "started"   // it has started
	UntilEnded     Until = "ended"     // it has ended, successfully or not
	UntilTogether  Until = "together"  // both start at the same time
)

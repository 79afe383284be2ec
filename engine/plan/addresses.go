package plan

import (
	"fmt"
	"strconv"

	"github.com/weftrun/weft/schema"
	"github.com/weftrun/weft/schema/diag"
)

// addresses are the ports that services must have, as [schema.ListenPort] has them. The values are
// the services, with the positions of the addresses.
type addresses map[string]struct {
	step *Step
	pos  diag.Pos
}

// checkAddresses reports two services of p that must have one port: they run at the same
// time. A port that is only wished is not a problem.
func (p *Plan) checkAddresses() error {
	taken := addresses{}
	for _, s := range p.Steps {
		if s.Skip != NotSkipped || s.Task.Service() == nil {
			continue
		}
		for _, l := range s.Service().Listen {
			if err := taken.claim(s, schema.ListenPort(l.Address), l.Pos); err != nil {
				return err
			}
		}
		for _, port := range s.Ports() {
			if port.Strict {
				if err := taken.claim(s, strconv.Itoa(port.Requested), port.Pos); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// claim records that s must have a port.
func (a addresses) claim(s *Step, port string, pos diag.Pos) error {
	first, known := a[port]
	switch {
	case port == "" || first.step == s:
		return nil
	case !known:
		first.step, first.pos = s, pos
		a[port] = first
		return nil
	}
	return schema.PortTwice(pos, port, first.step.Label, s.Label, fmt.Sprintf("the other place is %s, and they run at the same time", first.pos))
}

package executor

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/weftrun/weft/engine/plan"
	"github.com/weftrun/weft/engine/socket"
	"github.com/weftrun/weft/schema/diag"
)

// ports assigns the ports of a step before its texts are bound, and releases them when it has
// ended. In a dry run they are the preferred ones.
type ports struct {
	next  Body
	ports *socket.Ports
	dry   bool
}

// Run implements Body.
func (l *ports) Run(ctx context.Context, b *Bound) Result {
	if l.dry || len(b.Step.Ports()) == 0 {
		return l.next.Run(ctx, b)
	}
	return l.runWithPorts(ctx, b)
}

func (l *ports) runWithPorts(ctx context.Context, b *Bound) Result {
	requested := b.Step.Ports()
	requests := make([]socket.PortRequest, len(requested))
	for i, p := range requested {
		requests[i] = socket.PortRequest{Name: p.Name, Port: p.Requested, Strict: p.Strict}
	}
	owner := socket.Owner{Task: b.Step.Name, Arguments: b.Step.Arguments(), Service: b.Step.Service() != nil}
	lease, err := l.ports.Take(owner, requests)
	if err != nil {
		return failed(notTaken(b.Step, err))
	}
	defer lease.Release()
	b.Ports = lease
	b.steps.ports.Store(b.Step, lease)
	return l.next.Run(ctx, b)
}

// notTaken returns the error of a step whose ports cannot be assigned.
func notTaken(s *plan.Step, err error) error {
	var failed *socket.PortError
	if !errors.As(err, &failed) {
		return err
	}
	d := &diag.Diagnostic{Kind: diag.Other, What: fmt.Sprintf("task %q cannot get its port %s", s.Label, failed.Request.Name), Why: failed.Err.Error()}
	for _, p := range s.Ports() {
		if p.Name == failed.Request.Name {
			d.Pos = p.Pos
		}
	}
	if failed.Request.Strict {
		d.Fix = "free it, or remove strict to use the next free port"
	}
	return d
}

// port returns a port of the step: the preferred number if none has been assigned.
func (b *Bound) port(p *plan.Port) int {
	if b.Ports == nil {
		return p.Requested
	}
	return b.Ports.Number(p.Name)
}

// portVariables returns the environment variables for the ports of the step.
func (b *Bound) portVariables() (env []string) {
	requested := b.Step.Ports()
	for i := range requested {
		env = append(env, requested[i].EnvName()+"="+strconv.Itoa(b.port(&requested[i])))
	}
	return env
}

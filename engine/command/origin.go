package command

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
	"slices"

	"github.com/weftrun/weft/engine/plan"
)

// origin is the state from which a service was started. Equal origins start equal services.
type origin struct {
	says  [sha256.Size]byte // digest of its commands, keys, directory and environment
	files [sha256.Size]byte // digest of its sources
	runs  uint64            // number of runs of the steps it needs
	// called is the number of steps that had run when the last step called by its commands had.
	called uint64
}

// origin returns the state from which the step would start a service. It is computed only if
// services outlive runs.
func (s *step) origin(ctx context.Context) (m origin, err error) {
	set := s.o.Services
	if set.kept == nil {
		return m, nil
	}
	set.mu.Lock()
	m.runs = set.runs
	set.mu.Unlock()
	if m.files, err = s.SourcesDigest(ctx); err != nil {
		return m, err
	}
	h := sha256.New()
	var buf []byte
	for _, c := range s.Step.Commands() {
		buf = c.Encode(buf[:0], false)
		field(h, buf)
		p := c.Process
		fmt.Fprint(h, c.Timeout, p.IdleTimeout, p.Stop, p.Leftover, p.Signals)
	}
	field(h, []byte(s.Dir))
	for _, kv := range s.Environ {
		field(h, []byte(kv))
	}
	service := s.Step.Service()
	fmt.Fprint(h, service.Restart) // the environment contains the ports
	for _, probe := range []*plan.Probe{service.Ready, service.Alive} {
		if probe != nil {
			fmt.Fprintf(h, "%d %q %d %v %v %d ", probe.Kind, probe.Target, probe.FD, probe.Interval, probe.Timeout, probe.Failures)
		}
	}
	for _, l := range service.Listen {
		fmt.Fprintf(h, "%q %q ", l.Name, l.Address)
	}
	h.Sum(m.says[:0])
	return m, nil
}

// field writes b to h so that different lists of fields have different encodings.
func field(h hash.Hash, b []byte) {
	var n [8]byte
	binary.LittleEndian.PutUint64(n[:], uint64(len(b)))
	h.Write(n[:])
	h.Write(b)
}

// matches reports whether a running service can be used instead of starting a new one from m: it is
// equal or its policy (on_change) accepts the difference, and it can still receive messages.
func (v *Services) matches(in *instance, m *origin, s *plan.Step) bool {
	if v.kept == nil {
		return true
	}
	needs, last := v.needsOf(s)
	if in.made.says != m.says || in.disconnected() {
		return false
	}
	replaced := slices.ContainsFunc(needs, func(need *instance) bool { return !slices.Contains(in.needs, need) })
	m.called = in.made.called
	return in.made.files == m.files && last <= in.made.runs && !replaced || v.tolerates(in, m, s)
}

// disconnected reports whether the channel to the service is closed, because all senders have
// ended: messages of a later run would not arrive.
func (in *instance) disconnected() bool {
	select {
	case <-in.step.Env.Unsent():
		return true
	default:
		return false
	}
}

// tolerates reports whether the step's policy keeps a service despite changes, and then sets its
// origin to m. If the policy is a signal, it is sent.
func (v *Services) tolerates(in *instance, m *origin, s *plan.Step) bool {
	switch policy := s.Task.OnChange(); {
	case policy.Mode == plan.ChangeIgnored:
	case policy.Signal != 0:
		in.step.o.Running.signal(in.step, policy.Signal)
	default:
		return false
	}
	in.made = *m
	needs, _ := v.needsOf(s)
	v.mu.Lock()
	in.needs = needs
	v.mu.Unlock()
	return true
}

// RecordRun records that the commands of a step other than a service have run, for itself and for
// the services that have called it.
func (v *Services) RecordRun(s *plan.Step) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.lastOf == nil {
		v.lastOf = map[string]uint64{}
	}
	v.runs++
	v.lastOf[keyOf(s)] = v.runs
	for by := s.From; by != nil; s, by = by, by.From {
		needed := false
		by.Needs(func(n *plan.Step) { needed = needed || n == s })
		switch {
		case needed && len(by.Task.Cmds) > 0:
			return
		case !needed && by.Task.Service() != nil:
			v.lastOf[keyOf(by)] = v.runs
		}
	}
}

// calledBy returns the run number of the last step that a service has called.
func (v *Services) calledBy(s *plan.Step) uint64 {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.lastOf[keyOf(s)]
}

// needsOf returns the services that a step needs, directly or through tasks without commands, and
// the run number of the last of its other needs.
func (v *Services) needsOf(s *plan.Step) (services []*instance, last uint64) {
	v.mu.Lock()
	defer v.mu.Unlock()
	s.Needs(func(n *plan.Step) { v.addNeed(n, &services, &last) })
	return services, last
}

// addNeed adds one need of a step. v.mu is held.
func (v *Services) addNeed(n *plan.Step, services *[]*instance, last *uint64) {
	switch {
	case n.Service() != nil:
		if p := v.places[keyOf(n)]; p != nil && p.in != nil && !slices.Contains(*services, p.in) {
			*services = append(*services, p.in)
		}
	case len(n.Task.Cmds) == 0:
		n.Needs(func(n *plan.Step) { v.addNeed(n, services, last) })
	default:
		*last = max(*last, v.lastOf[keyOf(n)])
	}
}

package plan

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"time"

	"github.com/weftrun/weft/schema"
	"github.com/weftrun/weft/schema/diag"
)

// Service configures a service. The last command of its step is the service; those before it run
// once.
type Service struct {
	Ready, Alive *Probe // nil: none
	Restart      Restart
	Listen       []Listener // in the order of the descriptors that it gets, from 3 on
}

// Probe checks whether a service is ready, or alive.
type Probe struct {
	Kind     ProbeKind
	Target   string         // URL, address, command, path relative to the step's directory, or source of Pattern
	Pattern  *regexp.Regexp // of ProbeLog
	FD       int            // of ProbeFD
	Interval time.Duration  // between two checks
	Timeout  time.Duration  // until the service must be ready, or for one check whether it works
	Failures int            // of alive: number of consecutive failures until it counts as dead
	Pos      diag.Pos
}

// Listener is a socket that is opened for a service and passed to it.
type Listener struct {
	Name, Address string // HOST:PORT, :PORT, /PATH, or unix:PATH, relative to the step's directory
	Pos           diag.Pos
}

// Port is a port that a step is given.
type Port struct {
	Name      string
	Requested int  // 0: any
	Strict    bool // no other number will do
	Pos       diag.Pos
}

// IPC is the channel for messages that a command has.
type IPC struct {
	Send   []string // messages for it, each as JSON without line breaks
	Expect int      // it is done when it has sent so many; 0: when it has ended
	Schema string   // file with the JSON Schema of what it sends, relative to the step's directory; "": any JSON
	To     *TaskRef // also receives its messages; see [Step.Receiver]; may be nil
}

// TaskRef names a task and the variables passed to it.
type TaskRef struct {
	Text string
	Vars schema.Vars
}

// Types and words of the file that are used beside a plan, as in schema.
const (
	ProbeLog  = schema.ProbeLog
	ProbeHTTP = schema.ProbeHTTP
	ProbeTCP  = schema.ProbeTCP
	ProbeExec = schema.ProbeExec
	ProbeIPC  = schema.ProbeIPC
	ProbeFD   = schema.ProbeFD
	ProbeFile = schema.ProbeFile

	RestartNo        = schema.RestartNo
	RestartOnFailure = schema.RestartOnFailure
	RestartAlways    = schema.RestartAlways
)

type (
	ProbeKind = schema.ProbeKind
	Restart   = schema.Restart // Max is -1 where no limit is given
	Limits    = schema.Limits
	Rotate    = schema.Rotate
	Pool      = schema.Pool
)

// EnvName returns the name of the environment variable that holds the number of p.
func (p *Port) EnvName() string { return schema.EnvName(p.Name) }

// Service returns how the step is run as a service; nil: it is none. Ready and Alive are set, and
// the addresses of Listen expanded, when the texts of the step are bound: see
// [Expander.BindRuntimeValues].
func (s *Step) Service() *Service {
	if s.Task.Running == nil {
		return nil
	}
	return s.texts().more().service
}

// Ports returns the ports that the step is given when it starts.
func (s *Step) Ports() []Port {
	if s.Task.Running == nil {
		return nil
	}
	return s.texts().more().ports
}

// Pool returns the step's share of a pool while it runs or serves; see [Expander.Pools].
// The zero Pool is none.
func (s *Step) Pool() Pool {
	if s.Task.Running == nil {
		return Pool{}
	}
	return s.Task.Running.Pool
}

// Jobserver reports whether the programs of the step get make's jobserver.
func (s *Step) Jobserver() bool {
	all := s.facts != nil && s.facts.workflow.Jobserver
	if s.Task.Running == nil {
		return all
	}
	return s.Task.Running.Jobserver.Or(all)
}

// service binds the parts of a service that are known before its needs run.
func (b *binder) service(s *schema.Service) *Service {
	if s == nil {
		return nil
	}
	return &Service{Restart: s.Restart, Listen: each(s.Listen, func(l *schema.Listener) Listener {
		return Listener{Name: l.Name, Address: l.Address.S, Pos: l.Address.Pos}
	})}
}

// connections binds the parts of a service that may name ports.
func (b *binder) connections(s *schema.Service, out *Service) {
	out.Ready, out.Alive = b.probe("ready", s.Ready), b.probe("alive", s.Alive)
	for i := range out.Listen {
		l := &out.Listen[i]
		if l.Address = b.text(s.Listen[i].Address); b.err == nil {
			what, fix := schema.CheckListen(l.Address)
			b.check(l.Pos, "listen", what, fix)
		}
	}
}

// probe binds p, the value of a key.
func (b *binder) probe(key string, p *schema.Probe) *Probe {
	if p == nil {
		return nil
	}
	out := &Probe{Kind: p.Kind, Target: b.text(p.Target), FD: p.FD, Interval: p.Interval, Timeout: p.Timeout, Failures: p.Failures, Pos: p.Pos}
	if b.err != nil {
		return out
	}
	what, fix := p.Kind.Check(out.Target)
	if b.check(p.Target.Pos, key+": "+p.Kind.String(), what, fix); b.err == nil && p.Kind == ProbeLog {
		out.Pattern, b.err = regexp.Compile(out.Target)
	}
	return out
}

func (b *binder) ports(ports []schema.Port) []Port {
	return each(ports, func(p *schema.Port) Port {
		text := b.text(p.Requested)
		wished, ok := schema.PortNumber(text)
		if !ok {
			b.check(p.Requested.Pos, "port "+p.Name, fmt.Sprintf("%q is not a port from 0 to 65535", text), "write its number, or 0 for any")
		}
		return Port{Name: p.Name, Requested: wished, Strict: p.Strict, Pos: p.Pos}
	})
}

// ipc binds the channel of a command; nil if it has none.
func (b *binder) ipc(c *schema.IPC) *IPC {
	if c == nil || c.Off {
		return nil
	}
	out := &IPC{Expect: c.Expect, Schema: b.text(c.Schema), Send: each(c.Send, b.message)}
	if c.To != nil {
		out.To = &TaskRef{Text: b.text(c.To.Text), Vars: b.variables(c.To.Vars)}
	}
	return out
}

// message returns a value that is sent, as JSON.
func (b *binder) message(m *schema.Message) string {
	value := m.Value
	if bound := b.variables(schema.Vars{{Name: "send", Pos: m.Pos, Value: value}}); b.err == nil {
		value = bound[0].Value
	}
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	if err := e.Encode(value); err != nil {
		b.check(m.Pos, "send", fmt.Sprintf("the value is not valid JSON: %v", err), "")
	}
	return string(bytes.TrimSuffix(text.Bytes(), []byte("\n")))
}

// check records the problem with the value of a key; "" means none.
func (b *binder) check(pos diag.Pos, key, what, fix string) {
	if what != "" && b.err == nil {
		b.err = &diag.Diagnostic{Pos: pos, Kind: diag.Other, What: key + ": " + what, Fix: fix}
	}
}

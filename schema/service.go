package schema

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/weftrun/weft/schema/diag"
	"github.com/weftrun/weft/schema/yaml"
)

// Service configures a task that is a service: those that need it wait until it is
// ready, and it is stopped when nothing needs it any more. Its last command is the service.
type Service struct {
	Ready  *Probe // says when it is ready; nil: when it has started
	Alive  *Probe // says whether it still works; nil: as long as it runs
	Listen []Listener
	Restart

	stated     bool     // service: true is given
	restartPos diag.Pos // of the key, if it is given
}

// RestartPolicy selects the ends after which a service is started again.
type RestartPolicy uint8

const (
	RestartNo RestartPolicy = iota
	RestartOnFailure
	RestartAlways
)

// Restart configures the restart of a service that ends by itself.
type Restart struct {
	Policy RestartPolicy
	Max    int // how often in a row it is started again at the most; -1: it is not given
}

// Listener is a socket that is opened for a service and passed to it.
type Listener struct {
	Name    string
	Address Text // template: HOST:PORT, :PORT, /PATH or unix:PATH
}

// ProbeKind is the kind of thing that a probe checks.
type ProbeKind uint8

const (
	ProbeLog  ProbeKind = iota // a line of the output matches a regular expression
	ProbeHTTP                  // the response to a request is 2xx or 3xx
	ProbeTCP                   // a connection is accepted
	ProbeExec                  // a command exits with 0
	ProbeIPC                   // a message reports it
	ProbeFD                    // a line is written to a descriptor
	ProbeFile                  // a file is there
)

var probeNames = [...]string{ProbeLog: "log", ProbeHTTP: "http", ProbeTCP: "tcp", ProbeExec: "exec", ProbeIPC: "ipc", ProbeFD: "fd", ProbeFile: "file"}

// String returns the key of a probe of kind k.
func (k ProbeKind) String() string { return probeNames[k] }

// Probe checks whether a service is ready, or still works.
type Probe struct {
	Pos      diag.Pos
	Kind     ProbeKind
	Target   Text          // template: the regular expression, URL, address, command or file
	FD       int           // of ProbeFD
	Interval time.Duration // between two checks
	Timeout  time.Duration // how long it may take to be ready, or one check whether it works
	Failures int           // the service counts as dead after so many in a row
}

const (
	listenForm  = `{"type":["object","null"],"additionalProperties":{"type":"string"}}`
	restartForm = `{"anyOf":[{"enum":["no","on-failure","always",false,null]},{"type":"string","pattern":"^(on-failure|always):[0-9]+$"}]}`
)

// probeForm is a probe while it is being read.
type probeForm struct {
	Probe
	kinds []string // that were given
}

func (p *probeForm) is(k ProbeKind) { p.Kind, p.kinds = k, append(p.kinds, k.String()) }

var probeKeys = []key[*probeForm]{
	{"log", len(textForm), len("A line of its output matches this regular expression."), func(d *decoder, n *yaml.Node, p *probeForm) { d.target(n, p, ProbeLog) }},
	{"http", len(textForm), len("This URL answers with 2xx or 3xx: http://HOST[:PORT]/PATH or unix:/SOCKET:/PATH."), func(d *decoder, n *yaml.Node, p *probeForm) { d.target(n, p, ProbeHTTP) }},
	{"tcp", len(textForm), len("HOST:PORT or unix:/SOCKET accepts a connection."), func(d *decoder, n *yaml.Node, p *probeForm) { d.target(n, p, ProbeTCP) }},
	{"exec", len(textForm), len("This command succeeds."), func(d *decoder, n *yaml.Node, p *probeForm) { d.target(n, p, ProbeExec) }},
	{"file", len(textForm), len("This file exists."), func(d *decoder, n *yaml.Node, p *probeForm) { d.target(n, p, ProbeFile) }},
	{"ipc", len(`{"const":true}`), len("It reports that in a message."), func(d *decoder, n *yaml.Node, p *probeForm) {
		if p.is(ProbeIPC); !d.flag(n) {
			d.fail(n, "write ipc: true, or another probe", "ipc: false is not a probe")
		}
	}},
	{"fd", len(`{"type":"integer","minimum":3,"maximum":1023}`), len("It writes a line to this descriptor."), func(d *decoder, n *yaml.Node, p *probeForm) {
		p.is(ProbeFD)
		if p.FD, _ = d.number(n, 1023, "fd: %q is not a number of a descriptor"); p.FD < 3 {
			d.fail(n, "use 3 or a later one", "fd: %d is one of stdin, stdout and stderr", p.FD)
		}
	}},
	{"interval", len(durationForm), len("Time between two checks: by default 200ms until it is ready, then 10s."), func(d *decoder, n *yaml.Node, p *probeForm) {
		if p.Interval = d.duration(n); p.Interval < time.Millisecond {
			d.fail(n, "write 200ms", "interval: %v is too short", p.Interval)
		}
	}},
	{"timeout", len(durationForm), len("Time limit for becoming ready, by default 60s; or for one check of alive, by default 5s."), func(d *decoder, n *yaml.Node, p *probeForm) { p.Timeout = d.timeout(n) }},
	{"failures", len(`{"type":"integer","minimum":1}`), len("Number of consecutive failures; by default 3."), func(d *decoder, n *yaml.Node, p *probeForm) {
		if p.Failures = d.count(n); p.Failures < 1 {
			d.fail(n, "write 1 for the first failure", "failures: must be at least 1")
		}
	}},
}

// target reads the target of a probe of kind k.
func (d *decoder) target(n *yaml.Node, p *probeForm, k ProbeKind) {
	p.is(k)
	p.Target = d.text(n)
	if IsTemplate(p.Target.S) {
		return
	}
	if what, fix := k.Check(p.Target.S); what != "" {
		d.fail(n, fix, "%s: %s", d.key, what)
	}
}

// probe reads `ready` or `alive`, whose defaults are given; nil if there is none.
func (d *decoder) probe(n *yaml.Node, defaults Probe) *Probe {
	if isNull(n) {
		return nil
	}
	name := d.key
	p := probeForm{Probe: defaults}
	p.Pos = d.pos(n)
	readMap(d, n, name, probeKeys, &p)
	switch {
	case n.Kind != yaml.MappingNode:
	case len(p.kinds) == 0:
		d.fail(n, "give one of log, http, tcp, exec, ipc, fd and file", "%s has no condition", name)
	case len(p.kinds) > 1:
		d.fail(n, "keep one of them; exec can check several conditions", "%s has more than one condition: %s", name, strings.Join(p.kinds, " and "))
	case name == "ready" && p.Failures > 0:
		d.fail(n, "remove it, and use timeout", "failures: has no effect for ready")
	case name == "alive" && (p.Kind == ProbeLog || p.Kind == ProbeFD):
		d.fail(n, "use http, tcp, exec, ipc or file", "%s only reports once that a service works", p.Kind)
	}
	return &p.Probe
}

// readRestart reads `restart`: a word, which may have a number.
func (d *decoder) readRestart(n *yaml.Node, t *Task) {
	s := service(t)
	s.restartPos = d.pos(n)
	word, number, limited := strings.Cut(d.text(n).S, ":")
	switch word {
	case "", "no", "false":
		s.Policy = RestartNo
	case "on-failure":
		s.Policy = RestartOnFailure
	case "always":
		s.Policy = RestartAlways
	default:
		limited, number = true, "" // an error
	}
	if !limited {
		return
	}
	most, err := strconv.Atoi(number)
	if err != nil || most < 0 || most > 1_000_000 || s.Policy == RestartNo {
		d.fail(n, "use no, on-failure, always, or a limit as in on-failure:5", "invalid restart %q", d.text(n).S)
	}
	s.Max = most
}

// readListen reads `listen`: addresses by name.
func (d *decoder) readListen(n *yaml.Node, t *Task) {
	s := service(t)
	d.eachPair(n, "a map of names to addresses", func(k, v *yaml.Node) {
		l := Listener{Name: k.Value, Address: d.text(v)}
		switch {
		case k.Kind != yaml.ScalarNode || l.Name == "" || len(l.Name) > 255 || strings.ContainsFunc(l.Name, func(r rune) bool { return r <= ' ' || r == ':' || r > '~' }):
			d.fail(k, "use letters, digits, - and _", "listen: %q is not a valid name of a socket", k.Value)
		case !IsTemplate(l.Address.S):
			if what, fix := CheckListen(l.Address.S); what != "" {
				d.fail(v, fix, "listen: %s", what)
			}
		}
		for i := range s.Listen {
			if s.Listen[i].Name == l.Name {
				d.repeats(k, "listen", s.Listen[i].Address.Pos)
				s.Listen[i] = l
				return
			}
		}
		if d.fewer(k, len(s.Listen)) {
			s.Listen = append(s.Listen, l)
		}
	})
}

// listensAt reports whether one of the sockets of s is at an address.
func (s *Service) listensAt(address string) bool {
	port := ListenPort(address)
	return port != "" && slices.ContainsFunc(s.Listen, func(l Listener) bool { return ListenPort(l.Address.S) == port })
}

//go:noinline
func service(t *Task) *Service {
	r := made(&t.Running)
	if r.Service == nil {
		r.Service = &Service{Restart: Restart{Max: -1}}
	}
	return r.Service
}

// checkService reports keys of a service that cannot work, and drops those of a task that
// is none.
func (d *decoder) checkService(n *yaml.Node, t *Task) {
	s := t.Service()
	if s == nil {
		return
	}
	if !s.stated {
		without := func(pos diag.Pos, name string) {
			if pos.IsValid() {
				d.failAt(pos, "add service: true", "%s: the task is not a service", name)
			}
		}
		if s.Ready != nil {
			without(s.Ready.Pos, "ready")
		}
		if s.Alive != nil {
			without(s.Alive.Pos, "alive")
		}
		without(s.restartPos, "restart")
		if len(s.Listen) > 0 {
			without(s.Listen[0].Address.Pos, "listen")
		}
		t.Running.Service = nil
		return
	}
	if r := s.Ready; r != nil && r.Kind == ProbeFD && r.FD >= 3 && r.FD < 3+len(s.Listen) {
		d.failAt(r.Pos, "use fd: "+strconv.Itoa(3+len(s.Listen)), "ready: descriptor %d is one of the sockets of listen, which begin with 3", r.FD)
	}
	for _, probe := range [...]*Probe{s.Ready, s.Alive} {
		if probe != nil && probe.Kind == ProbeTCP && s.listensAt(probe.Target.S) {
			d.suspectAt(probe.Target.Pos, "tcp: a connection to "+probe.Target.S+" is accepted whether the service works or not", "weft itself listens there", "use http, log, exec, ipc or fd")
		}
	}
	if len(t.Cmds) == 0 {
		d.fail(n, "add the command that is the service; a task that only needs services is up when they are", "a service without a command")
		return
	}
	last := &t.Cmds[len(t.Cmds)-1]
	for _, p := range [...]*Probe{s.Ready, s.Alive} {
		if p != nil && p.Kind == ProbeIPC && !t.givesChannel(last) {
			d.failAt(p.Pos, "add ipc: true to the task", "ipc needs a channel for messages")
		}
	}
	switch {
	case last.Defer:
		d.failAt(last.Pos, "write it before the others", "the last command of a service is the service itself; it cannot be deferred")
	case last.Kind == Call:
		d.failAt(last.Pos, "make that task a service, and need it", "the last command of a service is the service itself; it cannot call a task")
	case last.For != nil:
		d.failAt(last.Pos, "move the loop to deps of another task, which then needs the service once for every item", "the last command of a service is the service itself; it cannot be a loop")
	case last.Background:
		d.failAt(last.Pos, "remove background", "the last command of a service is the service itself, which always runs in the background")
	}
	noMeaning := func(key string, given bool) {
		if given {
			d.suspectAt(t.Pos, key+" has no effect on a service", "a service is never up to date", "remove it, or make the files in a separate task")
		}
	}
	noMeaning("status", len(t.Status) > 0)
	noMeaning("generates", len(t.Generates) > 0)
	noMeaning("depfile", !t.Depfile.IsZero())
}

package schema

import (
	"fmt"
	"strings"
	"syscall"
	"time"

	"gopkg.in/yaml.v3"
)

// Stop is how the programs of a command are told to end. The zero value leaves
// it to the reason for stopping them.
type Stop struct {
	Signal syscall.Signal // first; 0: that of the reason, SIGTERM mostly
	Grace  time.Duration  // until they are killed; 0: that of the reason
	Main   bool           // the signal is for the programs that were started alone, not for their process groups
}

// Leftover is what becomes of processes that a command leaves behind.
type Leftover uint8

const (
	// LeftoverAuto stops them at the end of the run, but for those that
	// detached in a run that succeeded.
	LeftoverAuto Leftover = iota
	LeftoverKill          // they are stopped when the command has ended
	LeftoverWait          // the command lasts as long as they do
	LeftoverKeep          // they go on after the run
)

var leftoverNames = [...]string{LeftoverAuto: "auto", LeftoverKill: "kill", LeftoverWait: "wait", LeftoverKeep: "keep"}

func (l Leftover) String() string { return leftoverNames[l] }

// Processes are a command's keys about its processes; nil says nothing.
type Processes struct {
	Stop     Stop
	Leftover Leftover
	// The keys were given, so they beat those of the task.
	HasStop, HasLeftover bool
}

// ProcessesOf returns what holds for a command of t.
func (t *Task) ProcessesOf(c *Command) Processes {
	var p Processes
	for _, level := range [...]*Processes{t.Processes, c.Processes} {
		if level == nil {
			continue
		}
		if level.HasStop {
			p.Stop, p.HasStop = level.Stop, true
		}
		if level.HasLeftover {
			p.Leftover, p.HasLeftover = level.Leftover, true
		}
	}
	return p
}

const (
	stopForm     = `{"$ref":"#/$defs/stop"}`
	leftoverForm = `{"enum":["auto","kill","wait","keep",null]}`
)

var stopKeys = []key[Stop]{
	{"signal", textForm, "Signal that tells them to end; SIGTERM if nothing else is said.", func(d *decoder, n *yaml.Node, s *Stop) { s.Signal = d.signal(n) }},
	{"grace", durationForm, "How long they may take before they are killed.", func(d *decoder, n *yaml.Node, s *Stop) {
		if s.Grace = d.duration(n); s.Grace < 0 {
			d.fail(n, "write the time they may take, as in 10s", "grace: %v is in the past", s.Grace)
		}
	}},
	{"scope", `{"enum":["group","main",null]}`, "Whether the signal is for all processes of the command (group) or the main one alone.", func(d *decoder, n *yaml.Node, s *Stop) {
		switch t := d.text(n); t.S {
		case "", "group":
		case "main":
			s.Main = true
		default:
			d.fail(n, "use group or main", "invalid scope %q", t.S)
		}
	}},
}

// readStop reads `stop`: a signal, or a map.
func (d *decoder) readStop(n *yaml.Node, to **Processes) {
	if isNull(n) {
		return
	}
	p := processes(to)
	p.HasStop = true
	if n.Kind == yaml.ScalarNode {
		p.Stop.Signal = d.signal(n)
		return
	}
	readMap(d, n, "stop", stopKeys, &p.Stop)
}

func (d *decoder) leftover(n *yaml.Node, to **Processes) {
	if isNull(n) {
		return
	}
	p := processes(to)
	t := d.text(n)
	for l, name := range leftoverNames {
		if t.S == name {
			p.Leftover, p.HasLeftover = Leftover(l), true
			return
		}
	}
	d.fail(n, "use auto, kill, wait or keep", "invalid leftover %q", t.S)
}

func processes(to **Processes) *Processes {
	if *to == nil {
		*to = &Processes{}
	}
	return *to
}

// signals are the ones that a program can be told to end by.
var signals = map[string]syscall.Signal{
	"HUP": syscall.SIGHUP, "INT": syscall.SIGINT, "QUIT": syscall.SIGQUIT, "TERM": syscall.SIGTERM, "KILL": syscall.SIGKILL,
}

// signal reads a signal by its name, with or without SIG.
func (d *decoder) signal(n *yaml.Node) syscall.Signal {
	t := d.text(n)
	if t.IsZero() {
		return 0
	}
	sig, ok := signals[strings.TrimPrefix(strings.ToUpper(t.S), "SIG")]
	if !ok {
		d.fail(n, "use SIGTERM, SIGINT, SIGHUP, SIGQUIT or SIGKILL", "%s", fmt.Sprintf("no signal %q", t.S))
	}
	return sig
}

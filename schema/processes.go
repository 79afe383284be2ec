package schema

import (
	"cmp"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/weftrun/weft/schema/yaml"
)

// Stop describes how the programs of a command are stopped. The zero value leaves that to the
// reason for stopping them.
type Stop struct {
	Signal syscall.Signal // first; 0: that of the reason, SIGTERM mostly
	Grace  time.Duration  // until they are killed; 0: that of the reason
	// Command is run instead of sending the signal.
	Command Text
	Main    bool // the signal is for the programs that were started alone, not for their process groups
}

// Leftover is the treatment of processes that a command leaves behind.
type Leftover uint8

const (
	// LeftoverAuto stops them at the end of the run, but for those that
	// detached in a run that succeeded.
	LeftoverAuto Leftover = iota
	LeftoverKill          // they are stopped when the command has ended
	LeftoverWait          // the command lasts as long as they do
	LeftoverKeep          // they continue after the run
)

var leftoverNames = [...]string{LeftoverAuto: "auto", LeftoverKill: "kill", LeftoverWait: "wait", LeftoverKeep: "keep"}

func (l Leftover) String() string { return leftoverNames[l] }

// Processes are the keys about its processes that a command may have, or the task
// for all its commands; nil means none of them.
type Processes struct {
	Stop     Stop
	Leftover Leftover
	// Signals are forwarded: from the signal that weft gets to the one that the programs
	// get.
	Signals map[syscall.Signal]syscall.Signal
	// The keys were given, so they override those of the task.
	HasStop, HasLeftover, HasSignals bool

	Shell          *Interpreter // nil: that of the file
	Stdin          *Stdin       // nil: as the plan has it
	Stdout, Stderr []Sink       // nil: as the output style says
	IdleTimeout    time.Duration
	Retry          *Retry
	TTY            Tristate
	Accept         []int   // exit codes that count as success; nil is 0 alone
	User           Text    // template: user, and group, that they run as; zero: weft's own
	Limits         *Limits // nil: none
	IPC            *IPC    // nil: no channel for messages
}

// ProcessesOf returns the effective keys for a command of t.
func (t *Task) ProcessesOf(c *Command) Processes { return merged(t.Processes, c.Processes) }

// ProcessesOfMember returns the effective keys for the processes of c, a member of a group. Keys of
// the task and the group for streams, accepted statuses and retries apply to the group as a whole,
// not to each member.
func (t *Task) ProcessesOfMember(group, c *Command) Processes {
	p, own := merged(t.Processes, group.Processes, c.Processes), merged(c.Processes)
	p.Stdin, p.Stdout, p.Stderr, p.Accept, p.IdleTimeout, p.Retry = own.Stdin, own.Stdout, own.Stderr, own.Accept, own.IdleTimeout, nil
	return p
}

// merged merges the keys of several levels, the outermost first.
func merged(levels ...*Processes) (p Processes) {
	for _, level := range levels {
		if level == nil {
			continue
		}
		if level.HasStop {
			p.Stop, p.HasStop = level.Stop, true
		}
		if level.HasLeftover {
			p.Leftover, p.HasLeftover = level.Leftover, true
		}
		if level.HasSignals {
			p.Signals, p.HasSignals = level.Signals, true
		}
		p.Shell = cmp.Or(level.Shell, p.Shell)
		p.Stdin = cmp.Or(level.Stdin, p.Stdin)
		p.IdleTimeout = cmp.Or(level.IdleTimeout, p.IdleTimeout)
		p.Retry = cmp.Or(level.Retry, p.Retry)
		p.TTY = cmp.Or(level.TTY, p.TTY)
		p.User = cmp.Or(level.User, p.User)
		p.Limits = cmp.Or(level.Limits, p.Limits)
		p.IPC = cmp.Or(level.IPC, p.IPC)
		if level.Stdout != nil {
			p.Stdout = level.Stdout
		}
		if level.Stderr != nil {
			p.Stderr = level.Stderr
		}
		if level.Accept != nil {
			p.Accept = level.Accept
		}
	}
	return p
}

const (
	stopForm     = `{"$ref":"#/$defs/stop"}`
	leftoverForm = `{"enum":["auto","kill","wait","keep",null]}`
	signalsForm  = `{"anyOf":[{"type":["string","null"]},{"type":"array","items":{"type":"string"}},{"type":"object","additionalProperties":{"type":"string"}}]}`
)

var stopKeys = []key[*Stop]{
	{"signal", len(textForm), len("Signal that stops them; SIGTERM by default."), func(d *decoder, n *yaml.Node, s *Stop) { s.Signal = d.stopSignal(n) }},
	{"cmd", len(textForm), len("Command that stops them, instead of a signal."), func(d *decoder, n *yaml.Node, s *Stop) { s.Command = d.text(n) }},
	{"grace", len(durationForm), len("Time after which they are killed."), func(d *decoder, n *yaml.Node, s *Stop) {
		if s.Grace = d.duration(n); s.Grace < 0 {
			d.fail(n, "write the time they may take, as in 10s", "grace: %v is in the past", s.Grace)
		}
	}},
	{"scope", len(`{"enum":["group","main",null]}`), len("Whether the signal goes to all processes of the command (group) or only to the main one."), func(d *decoder, n *yaml.Node, s *Stop) {
		s.Main = d.word(n, "use group or main", "group", "main") == 1
	}},
}

// readStop reads `stop`: a signal, or a map.
func (d *decoder) readStop(n *yaml.Node, to **Processes) {
	if isNull(n) {
		return
	}
	p := made(to)
	p.HasStop = true
	if n.Kind == yaml.ScalarNode {
		p.Stop.Signal = d.stopSignal(n)
		return
	}
	readMap(d, n, "stop", stopKeys, &p.Stop)
}

func (d *decoder) leftover(n *yaml.Node, to **Processes) {
	if isNull(n) {
		return
	}
	p := made(to)
	t := d.text(n)
	l := slices.Index(leftoverNames[:], t.S)
	if l < 0 {
		d.fail(n, "use auto, kill, wait or keep", "invalid leftover %q", t.S)
		return
	}
	p.Leftover, p.HasLeftover = Leftover(l), true
}

// readSignals reads `signals`: a name, a list of names, or a map.
func (d *decoder) readSignals(n *yaml.Node, to **Processes) {
	if isNull(n) {
		return
	}
	p := made(to)
	p.Signals, p.HasSignals = map[syscall.Signal]syscall.Signal{}, true
	if n.Kind == yaml.MappingNode {
		d.eachPair(n, "signals", func(k, v *yaml.Node) {
			if from, to := d.forwardedSignal(k), d.receivableSignal(v); from != 0 && to != 0 {
				p.Signals[from] = to
			}
		})
		return
	}
	names := []*yaml.Node{n}
	if n.Kind == yaml.SequenceNode {
		names = n.Content
	}
	for _, name := range names {
		if s := d.forwardedSignal(name); s != 0 {
			p.Signals[s] = s
		}
	}
}

// forwardedSignal reads the name of a signal that weft forwards.
func (d *decoder) forwardedSignal(n *yaml.Node) syscall.Signal {
	return d.signal(n, d.text(n), "signal %q is not forwarded", "use HUP, USR1 or USR2; other signals stop the run", "HUP", "USR1", "USR2")
}

// receivableSignal reads the name of a signal that programs can get and keep running.
func (d *decoder) receivableSignal(n *yaml.Node) syscall.Signal {
	return d.signal(n, d.text(n), "no signal %q", "use HUP, INT, QUIT, TERM, USR1, USR2 or WINCH", "HUP", "INT", "QUIT", "TERM", "USR1", "USR2", "WINCH")
}

// stopSignal reads the name of a signal that stops programs; 0 if there is none.
func (d *decoder) stopSignal(n *yaml.Node) syscall.Signal {
	t := d.text(n)
	if t.IsZero() {
		return 0
	}
	return d.signal(n, t, "no signal %q", "use SIGTERM, SIGINT, SIGHUP, SIGQUIT or SIGKILL", "TERM", "INT", "HUP", "QUIT", "KILL")
}

// signal returns the signal that t, the text of n, names with or without SIG, if it is one of
// names; wrong is the message for any other text.
func (d *decoder) signal(n *yaml.Node, t Text, wrong, fix string, names ...string) syscall.Signal {
	name := strings.TrimPrefix(strings.ToUpper(t.S), "SIG")
	if !slices.Contains(names, name) {
		d.fail(n, fix, wrong, t.S)
		return 0
	}
	return map[string]syscall.Signal{
		"HUP": syscall.SIGHUP, "INT": syscall.SIGINT, "QUIT": syscall.SIGQUIT, "TERM": syscall.SIGTERM, "KILL": syscall.SIGKILL,
		"USR1": sigUSR1, "USR2": sigUSR2, "WINCH": sigWINCH,
	}[name]
}

// made returns *to, which it allocates if it is nil.
func made[T any](to **T) *T {
	if *to == nil {
		*to = new(T)
	}
	return *to
}

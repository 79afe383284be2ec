package schema

import (
	"slices"
	"strconv"
	"strings"

	"github.com/weftrun/weft/schema/diag"
	"github.com/weftrun/weft/schema/yaml"
)

// StdinKind is the kind of a command's input.
type StdinKind uint8

const (
	StdinInherit StdinKind = iota // weft's own
	StdinNull
	StdinText
	StdinFile
	StdinFrom   // output of a task, while it is written
	StdinOutput // output of a task, from the start
	StdinRoute  // lines that others send to it while it runs
)

// Stdin is the input of a command.
type Stdin struct {
	Pos  diag.Pos
	Kind StdinKind
	Text Text // template: the text, the file's name, or the task's name
	Vars Vars // of the task
}

// ReadsTask reports whether the output of a task is read.
func (s *Stdin) ReadsTask() bool { return s.Kind == StdinFrom || s.Kind == StdinOutput }

// SinkKind is the kind of destination of a stream.
type SinkKind uint8

const (
	SinkLog     SinkKind = iota // through the report
	SinkInherit                 // to weft's own descriptor
	SinkNull
	SinkCapture // kept as the task's output
	SinkFile
	SinkStdout // of stderr: the same as stdout
)

// Overflow is the treatment of captured output beyond its limit.
type Overflow uint8

const (
	OverflowFail     Overflow = iota // the command fails
	OverflowTruncate                 // the first bytes are kept
	OverflowTail                     // the last bytes are kept
)

// DefaultMaxCapture is the limit of captured output if max is not given, in bytes.
const DefaultMaxCapture = 16 << 20

// Sink is one destination of a stream.
type Sink struct {
	Pos      diag.Pos
	Kind     SinkKind
	File     Text // template; relative to the command's directory
	Append   bool
	InPlace  bool // not atomic: the file is written where it is
	Max      int64
	Overflow Overflow
	Rotate   *Rotate // nil: the file grows
}

// Rotate configures when a file that is written is replaced by a new one.
type Rotate struct {
	Size int64 // bytes
	Keep int   // older files that are kept beside it
}

const (
	stdinForm = `{"$ref":"#/$defs/stdin"}`
	sinksForm = `{"anyOf":[{"$ref":"#/$defs/sink"},{"type":"array","items":{"$ref":"#/$defs/sink"}}]}`
)

var stdinKeys = []key[*Stdin]{
	{"text", len(textForm), len("This text."), func(d *decoder, n *yaml.Node, s *Stdin) { s.Kind, s.Text = StdinText, d.text(n) }},
	{"file", len(textForm), len("The content of a file."), func(d *decoder, n *yaml.Node, s *Stdin) { s.Kind, s.Text = StdinFile, d.text(n) }},
	{"from", len(taskRef), len("Standard output of a task while it runs: both are started together."), func(d *decoder, n *yaml.Node, s *Stdin) {
		s.Kind = StdinFrom
		d.streamTask(n, s)
	}},
	{"output", len(taskRef), len("Complete standard output of a task, when it has ended."), func(d *decoder, n *yaml.Node, s *Stdin) {
		s.Kind = StdinOutput
		d.streamTask(n, s)
	}},
}

// streamTask reads a task that is read: its name, or a map.
func (d *decoder) streamTask(n *yaml.Node, s *Stdin) {
	t := d.taskRef(n, "name the task whose output is read")
	s.Text, s.Vars = t.Text, t.Vars
}

// stdin reads `stdin`.
func (d *decoder) stdin(n *yaml.Node) *Stdin {
	s := &Stdin{Pos: d.pos(n)}
	switch {
	case isNull(n):
		s.Kind = StdinNull
	case n.Kind == yaml.MappingNode:
		if len(n.Content) != 2 {
			d.fail(n, "give one of text, file, from and output", "stdin has one source, found %d", len(n.Content)/2)
		}
		readMap(d, n, "stdin", stdinKeys, s)
	default:
		switch d.word(n, "use inherit, null, route, {text: …}, {file: …}, {from: TASK} or {output: TASK}", "inherit", "null", "route") {
		case 1:
			s.Kind = StdinNull
		case 2:
			s.Kind = StdinRoute
		}
	}
	return s
}

// sinkForm is a sink while it is being read.
type sinkForm struct {
	Sink
	file, append, atomic, rotate bool // were given
}

var sinkKeys = []key[*sinkForm]{
	{"capture", len(`{"anyOf":[{"type":"null"},{"$ref":"#/$defs/capture"}]}`), len("Keep it as the task's output."), func(d *decoder, n *yaml.Node, s *sinkForm) {
		s.Kind = SinkCapture
		readMap(d, n, "capture", captureKeys, &s.Sink)
	}},
	{"file", len(textForm), len("Write it to a file."), func(d *decoder, n *yaml.Node, s *sinkForm) {
		s.Kind, s.file = SinkFile, true
		if s.File = d.text(n); s.File.S == "" {
			d.fail(n, "write the name of the file", "the name of the file is empty")
		}
	}},
	{"append", len(boolForm), len("Add to the file."), func(d *decoder, n *yaml.Node, s *sinkForm) { s.Append, s.append = d.flag(n), true }},
	{"atomic", len(boolForm), len("The file appears, complete, only when the command has succeeded; true unless append."), func(d *decoder, n *yaml.Node, s *sinkForm) { s.InPlace, s.atomic = !d.flag(n), true }},
	{"rotate", len(`{"$ref":"#/$defs/rotate"}`), len("Begin a new file when it has this size, as for the log of a service."), func(d *decoder, n *yaml.Node, s *sinkForm) {
		s.Rotate, s.rotate = &Rotate{Keep: 5}, true
		if readMap(d, n, "rotate", rotateKeys, s.Rotate); s.Rotate.Size == 0 {
			d.fail(n, "add size: 10MiB", "rotate needs a size")
		}
	}},
}

var rotateKeys = []key[*Rotate]{
	{"size", len(textForm), len("Size at which a new file is begun, as in 10MiB."), func(d *decoder, n *yaml.Node, r *Rotate) { r.Size = d.size(n) }},
	{"keep", len(`{"type":"integer","minimum":0}`), len("Number of older files to keep; by default 5."), func(d *decoder, n *yaml.Node, r *Rotate) {
		r.Keep, _ = d.number(n, 1000, "keep: %q is not a number from 0 to 1000")
	}},
}

var captureKeys = []key[*Sink]{
	{"max", len(textForm), len("Maximum size, as in 16MiB."), func(d *decoder, n *yaml.Node, s *Sink) { s.Max = d.size(n) }},
	{"overflow", len(`{"enum":["fail","truncate","tail",null]}`), len("What happens to more: fail, truncate (keep the head) or tail."), func(d *decoder, n *yaml.Node, s *Sink) {
		s.Overflow = Overflow(d.word(n, "use fail, truncate or tail", "fail", "truncate", "tail"))
	}},
}

// sinks reads `stdout` or `stderr`: one place or several.
func (d *decoder) sinks(n *yaml.Node, stderr bool) []Sink {
	nodes := []*yaml.Node{n}
	if n.Kind == yaml.SequenceNode {
		if nodes = n.Content; len(nodes) == 0 {
			d.fail(n, "write null to discard it", "%s is an empty list", d.key)
		}
	}
	var sinks []Sink
	var seen [SinkStdout + 1]bool
	for _, n := range nodes {
		n = d.deref(n)
		s := d.sink(n, stderr)
		if alone := s.Kind == SinkNull || s.Kind == SinkStdout; alone && len(nodes) > 1 || s.Kind != SinkFile && seen[s.Kind] {
			d.fail(n, "remove it", "%s: it cannot be combined with others", describe(n))
		}
		seen[s.Kind] = true
		sinks = append(sinks, s)
	}
	return sinks
}

func (d *decoder) sink(n *yaml.Node, stderr bool) Sink {
	f := sinkForm{Sink: Sink{Pos: d.pos(n), Max: DefaultMaxCapture}}
	switch {
	case isNull(n):
		f.Kind = SinkNull
	case n.Kind == yaml.MappingNode:
		readMap(d, n, d.key, sinkKeys, &f)
		switch {
		case f.Kind == SinkCapture && (f.file || f.append || f.atomic || f.rotate) || f.Kind == SinkLog:
			d.fail(n, "use {capture: …} or {file: …}; write a list for several", "this is not exactly one place")
		case f.Append && f.atomic && !f.InPlace:
			d.fail(n, "remove one of them", "append and atomic exclude each other")
		case f.rotate && (f.append || f.atomic):
			d.fail(n, "remove append and atomic", "a rotated file is always appended to in place")
		}
		f.InPlace = f.InPlace || f.Append || f.rotate
	default:
		t := d.text(n)
		kind := slices.Index([]string{SinkLog: "log", SinkInherit: "inherit", SinkNull: "null", SinkCapture: "capture", SinkStdout: "stdout"}, t.S)
		if kind < 0 || t.S == "" || kind == int(SinkStdout) && !stderr {
			also := ""
			if stderr {
				also = "stdout, "
			}
			d.fail(n, "use log, inherit, null, capture, "+also+"{capture: …} or {file: …}", "invalid place %q", t.S)
		}
		f.Kind = SinkKind(max(kind, 0))
	}
	return f.Sink
}

var sizeUnits = []struct {
	name  string
	bytes int64
}{
	{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"kB", 1e3}, {"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"B", 1}, {"", 1},
}

// size reads a number of bytes: 16MiB, 16MB, 1000.
func (d *decoder) size(n *yaml.Node) int64 {
	t := d.text(n)
	for _, u := range sizeUnits {
		number, ok := strings.CutSuffix(t.S, u.name)
		if !ok {
			continue
		}
		if v, err := strconv.ParseInt(strings.TrimSpace(number), 10, 64); err == nil && v > 0 && v < 1<<62/u.bytes {
			return v * u.bytes
		}
		break
	}
	d.fail(n, "write a number and a unit, as in 16MiB", "%q is not a size", t.S)
	return DefaultMaxCapture
}

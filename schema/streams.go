package schema

import (
	"strconv"
	"strings"

	"github.com/weftrun/weft/schema/diag"
	"github.com/weftrun/weft/schema/yaml"
)

// StdinKind tells what a command reads.
type StdinKind uint8

const (
	StdinInherit StdinKind = iota // weft's own
	StdinNull
	StdinText
	StdinFile
	StdinFrom   // what a task writes, while it writes it
	StdinOutput // what a task has written, from the start
)

// Stdin is what a command reads.
type Stdin struct {
	Pos  diag.Pos
	Kind StdinKind
	Text Text // template: the text, the file's name, or the task's name
	Vars Vars // of the task
}

// ReadsTask reports whether what a task writes is read.
func (s *Stdin) ReadsTask() bool { return s.Kind == StdinFrom || s.Kind == StdinOutput }

// SinkKind tells where a stream leads.
type SinkKind uint8

const (
	SinkLog     SinkKind = iota // through the report
	SinkInherit                 // to weft's own descriptor
	SinkNull
	SinkCapture // kept as the task's output
	SinkFile
	SinkStdout // of stderr: the same as stdout
)

// Overflow tells what becomes of captured output beyond its limit.
type Overflow uint8

const (
	OverflowFail     Overflow = iota // the command fails
	OverflowTruncate                 // the first bytes are kept
	OverflowTail                     // the last bytes are kept
)

// DefaultMaxCapture is how much output is captured if max is not given, in bytes.
const DefaultMaxCapture = 16 << 20

// Sink is one place a stream leads to.
type Sink struct {
	Pos      diag.Pos
	Kind     SinkKind
	File     Text // template; relative to the command's directory
	Append   bool
	InPlace  bool // not atomic: the file is written where it is
	Max      int64
	Overflow Overflow
}

const (
	stdinForm = `{"$ref":"#/$defs/stdin"}`
	sinksForm = `{"anyOf":[{"$ref":"#/$defs/sink"},{"type":"array","items":{"$ref":"#/$defs/sink"}}]}`
	streamRef = `{"anyOf":[{"type":"string"},{"$ref":"#/$defs/streamTask"}]}`
)

var stdinKeys = []key[Stdin]{
	{"text", textForm, "This text.", func(d *decoder, n *yaml.Node, s *Stdin) { s.Kind, s.Text = StdinText, d.text(n) }},
	{"file", textForm, "The content of a file.", func(d *decoder, n *yaml.Node, s *Stdin) { s.Kind, s.Text = StdinFile, d.text(n) }},
	{"from", streamRef, "What a task writes to stdout while it runs: both are started together.", func(d *decoder, n *yaml.Node, s *Stdin) {
		s.Kind = StdinFrom
		d.streamTask(n, s)
	}},
	{"output", streamRef, "What a task has written to stdout, when it has ended.", func(d *decoder, n *yaml.Node, s *Stdin) {
		s.Kind = StdinOutput
		d.streamTask(n, s)
	}},
}

var streamTaskKeys = []key[Stdin]{
	{"task", textForm, "Name of the task.", func(d *decoder, n *yaml.Node, s *Stdin) { s.Text = d.text(n) }},
	{"vars", `{"$ref":"#/$defs/vars"}`, "Variables given to it.", func(d *decoder, n *yaml.Node, s *Stdin) { s.Vars = d.vars(n) }},
}

// streamTask reads a task that is read: its name, or a map.
func (d *decoder) streamTask(n *yaml.Node, s *Stdin) {
	if n.Kind == yaml.MappingNode {
		readMap(d, n, d.key, streamTaskKeys, s)
	} else {
		s.Text = d.text(n)
	}
	if s.Text.S == "" {
		d.fail(n, "name the task whose output is read", "%s names no task", d.key)
	}
}

// stdin reads `stdin`.
func (d *decoder) stdin(n *yaml.Node) *Stdin {
	s := &Stdin{Pos: d.pos(n)}
	switch {
	case isNull(n):
		s.Kind = StdinNull
	case n.Kind == yaml.MappingNode:
		if len(n.Content) != 2 {
			d.fail(n, "give one of text, file, from and output", "stdin is one thing, found %d", len(n.Content)/2)
		}
		readMap(d, n, "stdin", stdinKeys, s)
	default:
		if d.word(n, "use inherit, null, {text: …}, {file: …}, {from: TASK} or {output: TASK}", "inherit", "null") == 1 {
			s.Kind = StdinNull
		}
	}
	return s
}

var sinkNames = map[string]SinkKind{"log": SinkLog, "inherit": SinkInherit, "null": SinkNull, "capture": SinkCapture, "stdout": SinkStdout}

// sinkForm is a sink while it is being read.
type sinkForm struct {
	Sink
	file, append, atomic bool // were given
}

var sinkKeys = []key[sinkForm]{
	{"capture", `{"anyOf":[{"type":"null"},{"$ref":"#/$defs/capture"}]}`, "Keep it as the task's output.", func(d *decoder, n *yaml.Node, s *sinkForm) {
		s.Kind = SinkCapture
		readMap(d, n, "capture", captureKeys, &s.Sink)
	}},
	{"file", textForm, "Write it to a file.", func(d *decoder, n *yaml.Node, s *sinkForm) {
		s.Kind, s.file = SinkFile, true
		if s.File = d.text(n); s.File.S == "" {
			d.fail(n, "name the file to write", "the file has no name")
		}
	}},
	{"append", boolForm, "Add to the file.", func(d *decoder, n *yaml.Node, s *sinkForm) { s.Append, s.append = d.flag(n), true }},
	{"atomic", boolForm, "The file appears whole when the command has succeeded, or not at all; true unless append.", func(d *decoder, n *yaml.Node, s *sinkForm) {
		s.InPlace, s.atomic = !d.flag(n), true
	}},
}

var captureKeys = []key[Sink]{
	{"max", textForm, "How much is kept at the most, as in 16MiB.", func(d *decoder, n *yaml.Node, s *Sink) { s.Max = d.size(n) }},
	{"overflow", `{"enum":["fail","truncate","tail",null]}`, "What becomes of more: fail, truncate (keep the head) or tail.", func(d *decoder, n *yaml.Node, s *Sink) {
		s.Overflow = Overflow(d.word(n, "use fail, truncate or tail", "fail", "truncate", "tail"))
	}},
}

// sinks reads `stdout` or `stderr`: one place or several.
func (d *decoder) sinks(n *yaml.Node, stderr bool) []Sink {
	nodes := []*yaml.Node{n}
	if n.Kind == yaml.SequenceNode {
		if nodes = n.Content; len(nodes) == 0 {
			d.fail(n, "write null to throw it away", "%s leads nowhere", d.key)
		}
	}
	var sinks []Sink
	var seen [SinkStdout + 1]bool
	for _, n := range nodes {
		n = d.deref(n)
		s := d.sink(n, stderr)
		if alone := s.Kind == SinkNull || s.Kind == SinkStdout; alone && len(nodes) > 1 || s.Kind != SinkFile && seen[s.Kind] {
			d.fail(n, "remove it", "%s: it cannot stand beside the others", describe(n))
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
		case f.Kind == SinkCapture && (f.file || f.append || f.atomic) || f.Kind == SinkLog:
			d.fail(n, "use {capture: …} or {file: …}; write a list for several", "this leads nowhere, or to two places")
		case f.Append && f.atomic && !f.InPlace:
			d.fail(n, "remove one of them", "append and atomic exclude each other")
		}
		f.InPlace = f.InPlace || f.Append
	default:
		t := d.text(n)
		kind, ok := sinkNames[t.S]
		if !ok || kind == SinkStdout && !stderr {
			also := ""
			if stderr {
				also = "stdout, "
			}
			d.fail(n, "use log, inherit, null, capture, "+also+"{capture: …} or {file: …}", "invalid place %q", t.S)
		}
		f.Kind = kind
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

package cache

import (
	"time"

	"github.com/weftrun/weft/internal/wire"
)

// actVersion is the version of the encoding of an [Act], which is part of it.
const actVersion = 1

// Act is weft's description of an Action's work: a blob among the inputs, which its Command names.
// It contains no absolute paths and no task names.
type Act struct {
	Dir       string    // where the commands run, from the root, with slashes; "" is the root
	Commands  [][]byte  // as plan.Command.Encode has them, in order; of a run elsewhere with supervision
	Generates []Pattern // of its outputs, from the root, in order
	Outputs   []Value   // that it gives to others, in order
	Captured  bool      // its standard output is kept for others
	Inputs    [][]byte  // digests of outputs of others that its commands read, in order
	Keys      []string  // other texts that its result depends on, in order
	Inherited []Inherited

	// Elsewhere are the inputs that the tree of files cannot hold: files outside of the root, and
	// targets of links. Sorted by path; NewKey fills it in.
	Elsewhere []File

	// Limit is the time limit of the commands together, in the act of a run elsewhere: nobody there
	// knows it otherwise, and no successful run differs by it. 0: none.
	Limit time.Duration
}

// Pattern is a pattern of files.
type Pattern struct {
	Glob    string
	Exclude bool // excludes matches of the patterns before it
}

// Value is an output that a step gives to others by its name.
type Value struct {
	Name string
	Made string // the source of its value, as a text that differs when the value may

	// From, As and Path are that source in the act of a run elsewhere, whose runner computes the value.
	// There Made is "".
	From, As, Path string
}

// Inherited is a variable of the environment that weft was started with.
type Inherited struct {
	Name, Value string
	Set         bool // false: there is no such variable
}

// Append appends the message to b.
func (a *Act) Append(b []byte) []byte {
	b = wire.AppendUint(b, 1, actVersion)
	b = wire.AppendText(b, 2, a.Dir)
	for _, c := range a.Commands {
		b = wire.AppendElement(b, 3, c)
	}
	for i := range a.Generates {
		b = wire.AppendMessage(b, 4, a.Generates[i].Append)
	}
	for i := range a.Outputs {
		b = wire.AppendMessage(b, 5, a.Outputs[i].Append)
	}
	b = wire.AppendBool(b, 6, a.Captured)
	for _, in := range a.Inputs {
		b = wire.AppendElement(b, 7, in)
	}
	b = appendTexts(b, 8, a.Keys)
	for i := range a.Inherited {
		b = wire.AppendMessage(b, 9, a.Inherited[i].Append)
	}
	for i := range a.Elsewhere {
		b = wire.AppendMessage(b, 10, a.Elsewhere[i].Append)
	}
	return wire.AppendInt(b, 11, int64(a.Limit))
}

// Append appends the message to b.
func (p *Pattern) Append(b []byte) []byte {
	b = wire.AppendText(b, 1, p.Glob)
	return wire.AppendBool(b, 2, p.Exclude)
}

// Append appends the message to b.
func (v *Value) Append(b []byte) []byte {
	b = wire.AppendText(b, 1, v.Name)
	b = wire.AppendText(b, 2, v.Made)
	b = wire.AppendText(b, 3, v.From)
	b = wire.AppendText(b, 4, v.As)
	return wire.AppendText(b, 5, v.Path)
}

// Append appends the message to b.
func (i *Inherited) Append(b []byte) []byte {
	b = wire.AppendText(b, 1, i.Name)
	b = wire.AppendText(b, 2, i.Value)
	return wire.AppendBool(b, 3, i.Set)
}

// Append appends the message to b.
func (f *File) Append(b []byte) []byte {
	b = wire.AppendText(b, 1, f.Path)
	b = appendDigest(b, 2, f.Digest)
	b = wire.AppendBool(b, 3, f.Executable)
	return wire.AppendText(b, 4, f.Target)
}

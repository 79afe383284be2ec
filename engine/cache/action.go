package cache

import (
	"time"

	"github.com/weftrun/weft/internal/wire"
)

// Action is everything that a result depends on. Its digest is the key of the
// [ActionResult].
type Action struct {
	Command   Digest
	InputRoot Digest   // of a [Directory]
	Timeout   Duration // after which a worker stops it; zero: never
	Volatile  bool     // do_not_cache: its result is not kept
	Salt      []byte   // distinguishes otherwise equal Actions
	Platform  Platform
}

// Append appends the message to b.
func (a *Action) Append(b []byte) []byte {
	b = appendDigest(b, 1, a.Command)
	b = appendDigest(b, 2, a.InputRoot)
	if a.Timeout != (Duration{}) {
		b = wire.AppendMessage(b, 6, a.Timeout.Append)
	}
	b = wire.AppendBool(b, 7, a.Volatile)
	b = wire.AppendText(b, 9, a.Salt)
	return a.Platform.appendField(b, 10)
}

// DecodeAction reads the message in b, parts of which it keeps.
func DecodeAction(b []byte) (*Action, error) { return decode[Action](b) }

func (a *Action) field(d *wire.Decoder) (err error) {
	switch d.Field() {
	case 1:
		err = readDigest(d, &a.Command)
	case 2:
		err = readDigest(d, &a.InputRoot)
	case 6:
		err = read(d.Bytes(), a.Timeout.field)
	case 7:
		a.Volatile = d.Bool()
	case 9:
		a.Salt = d.Bytes()
	case 10:
		err = a.Platform.read(d)
	}
	return err
}

// Duration is a length of time.
type Duration struct {
	Seconds int64
	Nanos   int32
}

// DurationOf returns t as a Duration.
func DurationOf(t time.Duration) Duration {
	return Duration{int64(t / time.Second), int32(t % time.Second)}
}

// Append appends the message to b.
func (t *Duration) Append(b []byte) []byte {
	b = wire.AppendInt(b, 1, t.Seconds)
	return wire.AppendInt(b, 2, int64(t.Nanos))
}

func (t *Duration) field(d *wire.Decoder) error {
	switch d.Field() {
	case 1:
		t.Seconds = d.Int()
	case 2:
		t.Nanos = int32(d.Int())
	}
	return nil
}

// Command is the command of an [Action].
type Command struct {
	Arguments         []string
	Env               []EnvironmentVariable // sorted by name, names are unique
	OutputFiles       []string              // sorted, as are the next two; the older form of OutputPaths
	OutputDirectories []string
	Platform          Platform // that of the Action
	WorkingDirectory  string   // from the root of the inputs; "" is the root
	OutputPaths       []string // where it leaves outputs, from the working directory
}

// Append appends the message to b.
func (c *Command) Append(b []byte) []byte {
	b = appendTexts(b, 1, c.Arguments)
	for i := range c.Env {
		b = wire.AppendMessage(b, 2, c.Env[i].Append)
	}
	b = appendTexts(b, 3, c.OutputFiles)
	b = appendTexts(b, 4, c.OutputDirectories)
	b = c.Platform.appendField(b, 5)
	b = wire.AppendText(b, 6, c.WorkingDirectory)
	return appendTexts(b, 7, c.OutputPaths)
}

// DecodeCommand reads the message in b.
func DecodeCommand(b []byte) (*Command, error) { return decode[Command](b) }

func (c *Command) field(d *wire.Decoder) (err error) {
	switch d.Field() {
	case 1:
		c.Arguments = append(c.Arguments, d.String())
	case 2:
		c.Env = append(c.Env, EnvironmentVariable{})
		err = readElement(d, len(c.Env), &c.Env[len(c.Env)-1])
	case 3:
		c.OutputFiles = append(c.OutputFiles, d.String())
	case 4:
		c.OutputDirectories = append(c.OutputDirectories, d.String())
	case 5:
		err = c.Platform.read(d)
	case 6:
		c.WorkingDirectory = d.String()
	case 7:
		c.OutputPaths = append(c.OutputPaths, d.String())
	}
	return err
}

// Property is a name with its value.
type Property struct{ Name, Value string }

// EnvironmentVariable is one variable of a [Command]'s environment.
type EnvironmentVariable = Property

// Append appends the message to b.
func (p *Property) Append(b []byte) []byte {
	b = wire.AppendText(b, 1, p.Name)
	return wire.AppendText(b, 2, p.Value)
}

func (p *Property) field(d *wire.Decoder) error {
	switch d.Field() {
	case 1:
		p.Name = d.String()
	case 2:
		p.Value = d.String()
	}
	return nil
}

// Platform is the machine required by an [Action], sorted by name and then by value. nil means any
// machine.
type Platform []Property

// Append appends the message to b.
func (p Platform) Append(b []byte) []byte {
	for i := range p {
		b = wire.AppendMessage(b, 1, p[i].Append)
	}
	return b
}

// appendField appends p as a field, unless it is nil.
func (p Platform) appendField(b []byte, field int) []byte {
	if p == nil {
		return b
	}
	return wire.AppendMessage(b, field, p.Append)
}

// read reads the platform in the field that d has moved to.
func (p *Platform) read(d *wire.Decoder) error {
	*p = Platform{} // a platform without properties is not nil
	return read(d.Bytes(), func(d *wire.Decoder) (err error) {
		if d.Field() == 1 {
			*p = append(*p, Property{})
			err = readElement(d, len(*p), &(*p)[len(*p)-1])
		}
		return err
	})
}

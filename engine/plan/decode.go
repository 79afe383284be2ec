package plan

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/weftrun/weft/internal/wire"
	"github.com/weftrun/weft/schema"
)

// DecodeCommand returns the command whose encoding, with supervision, is b. It is an error if b
// holds anything else: a field that this version does not know, or one that refers to other tasks
// (calls, messages), which are not part of an encoding.
func DecodeCommand(b []byte) (*Command, error) {
	c := &Command{}
	err := c.decode(b, 0)
	if err == nil && !bytes.Equal(c.Encode(nil, true), b) {
		err = fmt.Errorf("%w: a command with fields that this version does not know, or cannot perform alone", wire.ErrMalformed)
	}
	if err != nil {
		return nil, err
	}
	return c, nil
}

// maxNesting is the maximum number of groups of commands inside each other.
const maxNesting = 100

// decode reads the command in b, which is inside depth groups.
func (c *Command) decode(b []byte, depth int) (err error) {
	if depth > maxNesting {
		return fmt.Errorf("%w: commands are nested more than %d deep", wire.ErrMalformed, maxNesting)
	}
	c.CommandOptions, c.Process = &CommandOptions{}, &Process{}
	err = decode(b, func(d *wire.Decoder) error {
		switch d.Field() {
		case fieldKind:
			c.Kind = schema.CommandKind(d.Uint())
		case fieldText:
			c.Text = d.String()
		case fieldArgv:
			c.Argv = append(c.Argv, d.String())
		case fieldMember:
			c.Members = append(c.Members, Command{})
			return c.Members[len(c.Members)-1].decode(d.Bytes(), depth+1)
		case fieldDefer:
			c.Defer = d.Bool()
		case fieldIf:
			c.If = d.String()
		case fieldPlatform:
			var p schema.Platform
			p.OS, p.Arch, _ = strings.Cut(d.String(), "/")
			c.Platforms = append(c.Platforms, p)
		case fieldIgnoreError:
			c.IgnoreError = d.Bool()
		case fieldEarlyClose:
			c.EarlyClose = d.Bool()
		case fieldMode:
			c.Mode = schema.MergeMode(d.Uint())
		case fieldTimeout:
			c.Timeout = time.Duration(d.Int())
		case fieldBackground:
			c.Background = d.Bool()
		default:
			return c.Process.decode(d)
		}
		return nil
	})
	if c.Kind > schema.Merge || c.Kind == TaskCall {
		return fmt.Errorf("%w: a command of the kind %d", wire.ErrMalformed, c.Kind)
	}
	c.Text = c.line()
	c.Shown = c.Text
	return err
}

// line returns the text of c for users.
func (c *Command) line() string {
	switch c.Kind {
	case schema.Shell:
		return c.Text
	case schema.Exec:
		return schema.CommandLine(c.Argv)
	}
	texts := make([]string, len(c.Members))
	for i := range c.Members {
		texts[i] = c.Members[i].Text
	}
	return schema.GroupLine(c.Kind, texts)
}

// decode reads the field that d has moved to, if it is one of a Process.
func (p *Process) decode(d *wire.Decoder) (err error) {
	switch d.Field() {
	case fieldInterpreter:
		err = decode(d.Bytes(), func(d *wire.Decoder) error {
			switch d.Field() {
			case 1:
				p.Interpreter.Name = d.String()
			case 2:
				p.Interpreter.Argv = append(p.Interpreter.Argv, d.String())
			}
			return nil
		})
	case fieldSet:
		p.Set = append(p.Set, d.String())
	case fieldShopt:
		p.Shopt = append(p.Shopt, d.String())
	case fieldStdin:
		p.Stdin = &Stdin{}
		err = decode(d.Bytes(), func(d *wire.Decoder) error {
			switch d.Field() {
			case 1:
				p.Stdin.Kind = schema.StdinKind(d.Uint())
			case 2:
				p.Stdin.Text = d.String()
			}
			return nil
		})
	case fieldStdout:
		err = decodeSink(d.Bytes(), &p.Stdout)
	case fieldStderr:
		err = decodeSink(d.Bytes(), &p.Stderr)
	case fieldAccept:
		p.Accept, err = decodeCodes(d.Bytes())
	case fieldTTY:
		p.TTY = d.Bool()
	case fieldUser:
		p.User = d.String()
	case fieldIdleTimeout:
		p.IdleTimeout = time.Duration(d.Int())
	case fieldRetry:
		err = decodeRetry(d.Bytes(), &p.Retry)
	case fieldStop:
		err = decode(d.Bytes(), func(d *wire.Decoder) error {
			switch d.Field() {
			case 1:
				p.Stop.Signal = syscall.Signal(d.Int())
			case 2:
				p.Stop.Grace = time.Duration(d.Int())
			case 3:
				p.Stop.Command = d.String()
			case 4:
				p.Stop.Main = d.Bool()
			}
			return nil
		})
	case fieldLeftover:
		p.Leftover = schema.Leftover(d.Uint())
		if p.Leftover > LeftoverKeep {
			err = fmt.Errorf("%w: the unknown treatment %d of processes left behind", wire.ErrMalformed, p.Leftover)
		}
	case fieldLimits:
		p.Limits = &Limits{}
		err = decodeLimits(d.Bytes(), p.Limits)
	}
	return err
}

// decode calls field with every field of the message in b.
func decode(b []byte, field func(*wire.Decoder) error) error {
	d := wire.NewDecoder(b)
	for d.Next() {
		if err := field(d); err != nil {
			return err
		}
	}
	return d.Err()
}

func decodeSink(b []byte, sinks *[]Sink) error {
	s := Sink{}
	err := decode(b, func(d *wire.Decoder) (err error) {
		switch d.Field() {
		case 1:
			s.Kind = schema.SinkKind(d.Uint())
		case 2:
			s.File = d.String()
		case 3:
			s.Append = d.Bool()
		case 4:
			s.InPlace = d.Bool()
		case 5:
			s.Max = d.Int()
		case 6:
			s.Overflow = schema.Overflow(d.Uint())
		case 7:
			size, keep, _ := strings.Cut(d.String(), " ")
			s.Rotate = &Rotate{}
			if s.Rotate.Size, err = strconv.ParseInt(size, 10, 64); err == nil {
				s.Rotate.Keep, err = strconv.Atoi(keep)
			}
		}
		return err
	})
	*sinks = append(*sinks, s)
	return err
}

func decodeRetry(b []byte, r *Retry) error {
	return decode(b, func(d *wire.Decoder) (err error) {
		switch d.Field() {
		case 1:
			r.Max = int(d.Int())
		case 2:
			r.Delay = time.Duration(d.Int())
		case 3:
			r.Backoff = math.Float64frombits(d.Fixed64())
		case 4:
			r.MaxDelay = time.Duration(d.Int())
		case 5:
			r.Jitter = math.Float64frombits(d.Fixed64())
		case 6:
			r.Codes, err = decodeCodes(d.Bytes())
		case 7:
			r.Timeout = d.Bool()
		case 8:
			r.Signal = d.Bool()
		case 9:
			r.Match, err = regexp.Compile(d.String())
		}
		return err
	})
}

func decodeLimits(b []byte, l *Limits) error {
	return decode(b, func(d *wire.Decoder) (err error) {
		switch d.Field() {
		case 1:
			l.Memory = d.Int()
		case 2:
			l.Files = d.Int()
		case 3:
			l.Processes = d.Int()
		case 4:
			l.CPUTime = time.Duration(d.Int())
		case 5:
			l.Core = new(int64)
			*l.Core, err = strconv.ParseInt(d.String(), 10, 64)
		case 6:
			l.Nice = new(int)
			*l.Nice, err = strconv.Atoi(d.String())
		}
		return err
	})
}

// decodeCodes is the inverse of appendCodes.
func decodeCodes(b []byte) (codes []int, err error) {
	codes = []int{}
	err = decode(b, func(d *wire.Decoder) error {
		packed := d.Bytes()
		for len(packed) > 0 {
			v, n := binary.Uvarint(packed)
			if n <= 0 {
				return fmt.Errorf("%w: an exit code is cut off or too long", wire.ErrMalformed)
			}
			codes, packed = append(codes, int(v)), packed[n:]
		}
		return nil
	})
	return codes, err
}

// Body is what a step does that was planned elsewhere: all of it is bound.
type Body struct {
	Commands []Command
	Outputs  []Output
}

// given makes b the body of the only task of the workflow, in place of what that says.
func (x *Expander) given(b *Body) {
	f := &facts{task: x.o.Workflow.Tasks[0], workflow: x.o.Workflow, details: &noDetails, static: true, process: x.process,
		written: &bound{outputs: b.Outputs}, commands: b.Commands}
	f.making.Do(func() {})
	x.facts[0].Store(f)
}

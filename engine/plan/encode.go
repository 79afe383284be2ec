package plan

import (
	"encoding/binary"
	"fmt"
	"math"
	"strconv"

	"github.com/weftrun/weft/internal/wire"
	"github.com/weftrun/weft/schema"
)

// The fields of a command's encoding by their numbers, which never change.
const (
	fieldKind        = 1
	fieldText        = 2
	fieldArgv        = 3
	fieldMember      = 4
	fieldVar         = 5
	fieldDefer       = 6
	fieldIf          = 7
	fieldPlatform    = 8
	fieldInterpreter = 9
	fieldSet         = 10
	fieldShopt       = 11
	fieldStdin       = 12
	fieldStdout      = 13
	fieldStderr      = 14
	fieldAccept      = 15
	fieldIgnoreError = 16
	fieldEarlyClose  = 17
	fieldMode        = 18
	fieldTTY         = 19

	// Supervision.
	fieldTimeout     = 20
	fieldIdleTimeout = 21
	fieldRetry       = 22
	fieldStop        = 23
	fieldLeftover    = 24
	fieldLimits      = 25

	// Execution, added in later versions.
	fieldBackground = 26
	fieldUser       = 27
	fieldIPC        = 28
)

// Encode appends the canonical encoding of c to b: a message in proto3 wire form, its
// fields in ascending order and defaults left out. It describes the execution; watched adds the
// supervision (timeout, idle_timeout, retry, stop, leftover, limits), which makes no difference to
// a successful run. It contains neither properties for display only (position, silent, which values
// are masked) nor the forwarded signals.
//
// A text that is not valid UTF-8 is encoded byte for byte: the encoding is distinct, but not valid
// proto3, so it must not be sent.
func (c *Command) Encode(b []byte, watched bool) []byte {
	b = wire.AppendUint(b, fieldKind, uint64(c.Kind))
	if c.Kind == schema.Shell || c.Kind == TaskCall {
		b = wire.AppendText(b, fieldText, c.Text)
	}
	b = appendTexts(b, fieldArgv, c.Argv)
	for i := range c.Members {
		b = wire.AppendMessage(b, fieldMember, func(b []byte) []byte { return c.Members[i].Encode(b, watched) })
	}
	b = appendVars(b, fieldVar, c.Vars)
	b = wire.AppendBool(b, fieldDefer, c.Defer)
	b = wire.AppendText(b, fieldIf, c.If)
	for _, p := range c.Platforms {
		b = wire.AppendElement(b, fieldPlatform, p.OS+"/"+p.Arch)
	}
	b = c.Process.encode(b)
	b = wire.AppendBool(b, fieldIgnoreError, c.IgnoreError)
	b = wire.AppendBool(b, fieldEarlyClose, c.EarlyClose)
	b = wire.AppendUint(b, fieldMode, uint64(c.Mode))
	b = wire.AppendBool(b, fieldTTY, c.TTY)
	if watched {
		b = wire.AppendInt(b, fieldTimeout, int64(c.Timeout))
		b = c.Process.encodeWatch(b)
	}
	b = wire.AppendBool(b, fieldBackground, c.Background)
	b = wire.AppendText(b, fieldUser, c.User)
	return c.IPC.encode(b)
}

func (c *IPC) encode(b []byte) []byte {
	if c == nil {
		return b
	}
	return wire.AppendMessage(b, fieldIPC, func(b []byte) []byte {
		b = appendTexts(b, 1, c.Send)
		b = wire.AppendInt(b, 2, int64(c.Expect))
		b = wire.AppendText(b, 3, c.Schema)
		if c.To == nil {
			return b
		}
		b = wire.AppendElement(b, 4, c.To.Text)
		return appendVars(b, 5, c.To.Vars)
	})
}

// encode appends the execution, except tty.
func (p *Process) encode(b []byte) []byte {
	if in := &p.Interpreter; in.Argv != nil {
		b = wire.AppendMessage(b, fieldInterpreter, func(b []byte) []byte {
			b = wire.AppendText(b, 1, in.Name)
			return appendTexts(b, 2, in.Argv)
		})
	}
	b = appendTexts(b, fieldSet, p.Set)
	b = appendTexts(b, fieldShopt, p.Shopt)
	if in := p.Stdin; in != nil {
		b = wire.AppendMessage(b, fieldStdin, func(b []byte) []byte {
			b = wire.AppendUint(b, 1, uint64(in.Kind))
			b = wire.AppendText(b, 2, in.Text)
			return appendVars(b, 3, in.Vars)
		})
	}
	b = appendSinks(b, fieldStdout, p.Stdout)
	b = appendSinks(b, fieldStderr, p.Stderr)
	return appendCodes(b, fieldAccept, p.Accept)
}

// encodeWatch appends the supervision.
func (p *Process) encodeWatch(b []byte) []byte {
	b = wire.AppendInt(b, fieldIdleTimeout, int64(p.IdleTimeout))
	if r := &p.Retry; r.Max > 0 {
		b = wire.AppendMessage(b, fieldRetry, func(b []byte) []byte {
			b = wire.AppendInt(b, 1, int64(r.Max))
			b = wire.AppendInt(b, 2, int64(r.Delay))
			b = wire.AppendFixed64(b, 3, math.Float64bits(r.Backoff))
			b = wire.AppendInt(b, 4, int64(r.MaxDelay))
			b = wire.AppendFixed64(b, 5, math.Float64bits(r.Jitter))
			b = appendCodes(b, 6, r.Codes)
			b = wire.AppendBool(b, 7, r.Timeout)
			b = wire.AppendBool(b, 8, r.Signal)
			if r.Match != nil {
				b = wire.AppendText(b, 9, r.Match.String())
			}
			return b
		})
	}
	if s := &p.Stop; *s != (Stop{}) {
		b = wire.AppendMessage(b, fieldStop, func(b []byte) []byte {
			b = wire.AppendInt(b, 1, int64(s.Signal))
			b = wire.AppendInt(b, 2, int64(s.Grace))
			b = wire.AppendText(b, 3, s.Command)
			return wire.AppendBool(b, 4, s.Main)
		})
	}
	b = wire.AppendUint(b, fieldLeftover, uint64(p.Leftover))
	l := p.Limits
	if l == nil {
		return b
	}
	return wire.AppendMessage(b, fieldLimits, func(b []byte) []byte {
		b = wire.AppendInt(b, 1, l.Memory)
		b = wire.AppendInt(b, 2, l.Files)
		b = wire.AppendInt(b, 3, l.Processes)
		b = wire.AppendInt(b, 4, int64(l.CPUTime))
		if l.Core != nil {
			b = wire.AppendElement(b, 5, strconv.FormatInt(*l.Core, 10))
		}
		if l.Nice != nil {
			b = wire.AppendElement(b, 6, strconv.Itoa(*l.Nice))
		}
		return b
	})
}

func appendTexts(b []byte, field int, texts []string) []byte {
	for _, t := range texts {
		b = wire.AppendElement(b, field, t)
	}
	return b
}

// appendVars appends the variables passed to a task. A value that is not a text is formatted as by
// Go, so that 1 is not "1".
func appendVars(b []byte, field int, vs schema.Vars) []byte {
	for i := range vs {
		b = wire.AppendMessage(b, field, func(b []byte) []byte {
			v := &vs[i]
			b = wire.AppendText(b, 1, v.Name)
			b = wire.AppendUint(b, 2, uint64(v.Kind))
			if v.Kind != schema.Static { // a command, or an expression that is not evaluated yet
				return wire.AppendText(b, 3, v.Text)
			}
			if text, ok := v.Value.(string); ok {
				return wire.AppendText(b, 3, text)
			}
			return wire.AppendText(b, 4, fmt.Sprintf("%#v", v.Value))
		})
	}
	return b
}

func appendSinks(b []byte, field int, sinks []Sink) []byte {
	for i := range sinks {
		b = wire.AppendMessage(b, field, func(b []byte) []byte {
			s := &sinks[i]
			b = wire.AppendUint(b, 1, uint64(s.Kind))
			b = wire.AppendText(b, 2, s.File)
			b = wire.AppendBool(b, 3, s.Append)
			b = wire.AppendBool(b, 4, s.InPlace)
			if s.Kind == SinkCapture {
				b = wire.AppendInt(b, 5, s.Max)
				b = wire.AppendUint(b, 6, uint64(s.Overflow))
			}
			if s.Rotate != nil {
				b = wire.AppendElement(b, 7, fmt.Sprintf("%d %d", s.Rotate.Size, s.Rotate.Keep))
			}
			return b
		})
	}
	return b
}

// appendCodes appends a message with exit codes, packed; an empty list has none, nil is no list.
func appendCodes(b []byte, field int, codes []int) []byte {
	if codes == nil {
		return b
	}
	return wire.AppendMessage(b, field, func(b []byte) []byte {
		var packed []byte
		for _, c := range codes {
			packed = binary.AppendUvarint(packed, uint64(c))
		}
		return wire.AppendText(b, 1, packed)
	})
}

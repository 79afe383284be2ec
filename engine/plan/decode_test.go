package plan

import (
	"bytes"
	"errors"
	"reflect"
	"testing"

	"github.com/weftrun/weft/internal/wire"
	"github.com/weftrun/weft/schema"
)

// alone returns a command with a value for every key that does not refer to other tasks.
func alone() *Command {
	c := full()
	c.CommandOptions.Argv, c.Vars, c.IPC, c.Signals, c.Background = nil, nil, nil, nil, false
	c.Stdin.Vars = nil
	c.Stderr[0].Rotate.Size, c.Stderr[0].Rotate.Keep = 10<<20, 5
	c.Members = nil
	c.Accept = []int{}
	return c
}

// TestDecodeCommand: a decoded command is as the encoded one was.
func TestDecodeCommand(t *testing.T) {
	exec := with(Command{Kind: schema.Exec, Text: "a 'b c'", Shown: "a 'b c'"}, CommandOptions{Argv: []string{"a", "b c"}}, Process{})
	first, second := script("one"), script("two")
	first.Shown, second.Shown = "one", "two"
	first.EarlyClose = true
	merge := with(Command{Kind: schema.Merge, Defer: true, IgnoreError: true}, CommandOptions{Mode: MergeConcat, Members: []Command{first, exec}}, Process{Set: []string{"e", "pipefail"}})
	merge.Text = schema.GroupLine(schema.Merge, []string{"one", exec.Text})
	merge.Shown = merge.Text
	pipe := with(Command{Kind: Pipe}, CommandOptions{Members: []Command{merge, second}}, Process{})
	pipe.Text = schema.GroupLine(Pipe, []string{merge.Text, "two"})
	pipe.Shown = pipe.Text
	plain := script("echo {{.X}}")
	plain.Shown = plain.Text
	for _, c := range []*Command{alone(), &exec, &pipe, &plain} {
		got, err := DecodeCommand(c.Encode(nil, true))
		if err != nil || !reflect.DeepEqual(got, c) {
			t.Errorf("%s: got %+v, %v", c.Text, got, err)
		}
	}
}

func TestDecodeCommandRefuses(t *testing.T) {
	call := with(Command{Kind: TaskCall, Text: "t"}, CommandOptions{}, Process{})
	messages := script("x")
	messages.IPC = &IPC{Send: []string{"1"}}
	vars := script("x")
	vars.Vars = schema.Vars{{Name: "V", Value: "v"}}
	encoded := alone().Encode(nil, true)
	nested := script("x")
	for range maxNesting + 1 {
		nested = with(Command{Kind: Pipe}, CommandOptions{Members: []Command{nested}}, Process{})
	}
	for name, b := range map[string][]byte{
		"a call":               call.Encode(nil, true),
		"messages":             messages.Encode(nil, true),
		"variables":            vars.Encode(nil, true),
		"unknown kind":         wire.AppendUint(nil, fieldKind, 99),
		"unknown leftover":     wire.AppendUint(nil, fieldLeftover, 99),
		"unknown field":        wire.AppendText(bytes.Clone(encoded), 1000, "x"),
		"unknown field inside": wire.AppendMessage(nil, fieldStop, func(b []byte) []byte { return wire.AppendUint(b, 9, 1) }),
		"cut off":              encoded[:len(encoded)-1],
		"no regular expression": wire.AppendMessage(nil, fieldRetry, func(b []byte) []byte {
			return wire.AppendText(wire.AppendUint(b, 1, 1), 9, "(")
		}),
		"no exit codes": wire.AppendMessage(nil, fieldAccept, func(b []byte) []byte { return wire.AppendText(b, 1, "\xff") }),
		"no rotation":   wire.AppendMessage(nil, fieldStdout, func(b []byte) []byte { return wire.AppendText(b, 7, "x") }),
		"no number":     wire.AppendMessage(nil, fieldLimits, func(b []byte) []byte { return wire.AppendText(b, 5, "x") }),
		"too deep":      nested.Encode(nil, true),
	} {
		if c, err := DecodeCommand(b); err == nil {
			t.Errorf("%s: got %+v", name, c)
		}
	}
	if _, err := DecodeCommand([]byte{0xff}); !errors.Is(err, wire.ErrMalformed) {
		t.Errorf("got %v", err)
	}
}

// FuzzDecodeCommand: whatever is accepted is encoded as it was.
func FuzzDecodeCommand(f *testing.F) {
	f.Add(alone().Encode(nil, true))
	f.Fuzz(func(t *testing.T, b []byte) {
		if c, err := DecodeCommand(b); err == nil && !bytes.Equal(c.Encode(nil, true), b) {
			t.Errorf("%x becomes %x", b, c.Encode(nil, true))
		}
	})
}

package ipc

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"unicode/utf8"

	"github.com/weftrun/weft/schema/diag"
)

// Kind is the addressee of a message.
type Kind uint8

// Kinds other than Plain are objects with a member weft, the envelope.
const (
	Plain    Kind = iota // for the user of the channel
	Ready                // {"weft": "ready"}: the program can be used now
	Output               // {"weft": "output", "name": …, "value": …}: Name is Value
	Progress             // {"weft": "progress", "value": 0 to 1, "text": …, "bytes": …}
	Log                  // {"weft": "log", "level": …, "text": …}
	internal             // for Node itself
)

// Message is a message from the program.
type Message struct {
	Kind Kind
	JSON []byte // as the program has written it
	// Ready means that the program can be used now: by the envelope, or by the message
	// "ready" as process managers for Node have it.
	Ready bool
	// Handle is the type of the handle that Node has passed with the message, such as "net.Server",
	// which was closed; "" means none.
	Handle string

	Name  string  // of an Output
	Value []byte  // of an Output: JSON
	Done  float64 // of Progress: from 0 to 1
	Bytes int64   // of Progress; 0 if it does not say
	Text  string  // of Progress or Log
	Level string  // of Log: debug, info, warn or error; "" if it does not say
}

// InvalidError is the error of a line that is not a message.
type InvalidError struct {
	Line string // its first bytes, safe to be shown
	Err  error  // what is wrong with it
}

func (e *InvalidError) Error() string {
	return fmt.Sprintf("invalid message on the channel (ipc): %v: %s", e.Err, e.Line)
}

// Unwrap returns Err.
func (e *InvalidError) Unwrap() error { return e.Err }

// shownBytes is the number of bytes shown of an invalid line.
const shownBytes = 200

// Show returns the beginning of a message, safe to be shown.
func Show(line []byte) string {
	if len(line) <= shownBytes {
		return diag.Printable(string(line))
	}
	return diag.Printable(string(line[:shownBytes])) + fmt.Sprintf(" … (%d bytes)", len(line))
}

func invalid(line []byte, err error) error { return &InvalidError{Line: Show(line), Err: err} }

var (
	errCut  = errors.New("it ends without a newline; a program that exits right after sending loses unwritten data")
	errUTF8 = errors.New("it is not UTF-8")
)

// parse parses the message in a line.
func parse(line []byte) (Message, error) {
	m := Message{JSON: line}
	err := check(line)
	if err == nil {
		err = m.classify(false)
	}
	if err != nil {
		return m, invalid(line, err)
	}
	return m, nil
}

// check returns an error if a line is not JSON.
func check(line []byte) error {
	if !utf8.Valid(line) {
		return errUTF8
	}
	if json.Valid(line) {
		return nil
	}
	var v json.RawMessage
	err := json.Unmarshal(line, &v) // says what is wrong
	return fmt.Errorf("it is not JSON: %s", diag.Printable(err.Error()))
}

// classify sets the kind of m. passed means that it came together with a handle.
func (m *Message) classify(passed bool) error {
	m.Ready = string(m.JSON) == `"ready"`
	all := members(m.JSON)
	cmd, _ := text(all["cmd"])
	switch kind, ok := text(all["weft"]); {
	case cmd == nodeHandle && !passed && all["msg"] != nil:
		*m = Message{JSON: all["msg"], Handle: "handle"}
		if of, ok := text(all["type"]); ok {
			m.Handle = of
		}
		return m.classify(true)
	case isInternal(cmd):
		m.Kind = internal
	case ok:
		return m.envelope(kind, all)
	}
	return nil
}

const (
	nodePrefix = "NODE_" // begins the member cmd of Node's internal messages
	nodeHandle = "NODE_HANDLE"
)

func isInternal(cmd string) bool { return strings.HasPrefix(cmd, nodePrefix) }

// members returns the members of an object that may have one of the members looked for, whose names
// may contain escapes. For anything else it returns nil.
func members(line []byte) (all map[string]json.RawMessage) {
	if len(line) > 0 && line[0] == '{' && (bytes.Contains(line, []byte(`"cmd"`)) || bytes.Contains(line, []byte(`"weft"`)) || bytes.Contains(line, []byte(`\u00`))) {
		json.Unmarshal(line, &all)
	}
	return all
}

// text returns the value of a member that is a text.
func text(raw json.RawMessage) (s string, ok bool) {
	if len(raw) == 0 || raw[0] != '"' {
		return "", false
	}
	return s, json.Unmarshal(raw, &s) == nil
}

// envelope reads an object for weft.
func (m *Message) envelope(kind string, all map[string]json.RawMessage) error {
	var bad error
	get := func(name string, into any) {
		if raw, ok := all[name]; ok && bad == nil && json.Unmarshal(raw, into) != nil {
			bad = fmt.Errorf("%q of {\"weft\": %q} has the wrong type", name, kind)
		}
	}
	switch kind {
	case "ready":
		m.Kind, m.Ready = Ready, true
	case "output":
		m.Kind, m.Value = Output, all["value"]
		get("name", &m.Name)
		if bad == nil && (m.Name == "" || m.Value == nil) {
			bad = errors.New(`{"weft": "output"} needs "name" and "value"`)
		}
	case "progress":
		m.Kind = Progress
		get("value", &m.Done)
		get("text", &m.Text)
		get("bytes", &m.Bytes)
		m.Done, m.Bytes = math.Min(math.Max(m.Done, 0), 1), max(m.Bytes, 0)
	case "log":
		m.Kind = Log
		get("level", &m.Level)
		get("text", &m.Text)
	default:
		bad = fmt.Errorf("{\"weft\": %s} is not one of ready, output, progress and log", diag.Printable(string(all["weft"])))
	}
	return bad
}

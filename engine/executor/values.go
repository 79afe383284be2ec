package executor

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/weftrun/weft/engine/plan"
	"github.com/weftrun/weft/internal/fifo"
	"github.com/weftrun/weft/internal/limit"
	"github.com/weftrun/weft/internal/unnamed"
)

// values returns the named outputs of a step whose commands have succeeded: those in the file named
// by WEFT_OUTPUT, and the declared ones.
func values(b *Bound, o *Output, file string) (map[string]any, error) {
	written, err := readOutputFile(file)
	if err != nil {
		return nil, err
	}
	named := map[string]any{}
	for name, v := range written {
		named[name] = v
	}
	for name, raw := range o.Sent {
		if named[name], err = asJSON(string(raw), ""); err != nil {
			return nil, err
		}
		written[name] = textOf(raw)
	}
	for _, d := range b.Step.Outputs() {
		text, given, err := declared(b, &d, o, written)
		if err == nil && given {
			named[d.Name], err = interpreted(text, &d)
		}
		if err != nil {
			return nil, fmt.Errorf("output %q of task %q: %w", d.Name, b.Step.Label, err)
		}
	}
	return named, nil
}

// declared returns the text of a declared output; given is false if nothing was written under its
// name.
func declared(b *Bound, d *plan.Output, o *Output, written map[string]string) (text string, given bool, err error) {
	switch d.From {
	case "":
		text, given = written[d.Name]
		return text, given, nil
	case "stdout":
		text, err = captured(o.Stdout, b.Step.Label)
		return text, true, err
	case "stderr":
		text, err = captured(o.Stderr, b.Step.Label)
		return text, true, err
	case "message":
		return lastMessage(o.Messages, d)
	}
	src, err := fifo.ReadRegular(b.Path(strings.TrimPrefix(d.From, "file:")), limit.Output, limit.Bytes("the file", limit.Output))
	if err != nil {
		return "", false, err
	}
	text, err = asText(src, b.Step.Label)
	return text, true, err
}

// lastMessage returns, as text, the last message with a value at the path of d.
func lastMessage(messages [][]byte, d *plan.Output) (text string, given bool, err error) {
	if len(messages) == 0 {
		return "", false, errors.New("there was no message (ipc)")
	}
	for _, m := range slices.Backward(messages) {
		if d.As != "json" {
			return textOf(m), true, nil
		}
		if _, err := asJSON(string(m), d.Path); err == nil {
			return string(m), true, nil
		}
	}
	return "", false, fmt.Errorf("none of the messages (ipc) has a value at %s", d.Path)
}

// textOf returns a message as text: a JSON string as its value, any other as JSON.
func textOf(raw []byte) string {
	var text string
	if json.Unmarshal(raw, &text) == nil && raw[0] == '"' {
		return text
	}
	return string(raw)
}

// Path returns the absolute path of a file named by the step.
func (b *Bound) Path(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(b.Dir, name)
}

// interpreted converts text to the type of the declared output.
func interpreted(text string, d *plan.Output) (v any, err error) {
	switch d.As {
	case "lines":
		lines := []any{}
		for l := range strings.Lines(text) {
			lines = append(lines, strings.TrimRight(l, "\r\n"))
		}
		return lines, nil
	case "json":
		return asJSON(text, d.Path)
	}
	return text, nil
}

// asJSON returns the part of a JSON text at a path.
func asJSON(text, path string) (v any, err error) {
	dec := json.NewDecoder(strings.NewReader(text))
	dec.UseNumber()
	if err := dec.Decode(&v); err != nil {
		return nil, fmt.Errorf("it is not JSON: %w", err)
	}
	return at(v, path)
}

// at returns the part of a JSON value at a path: .a.b[0].
func at(v any, path string) (any, error) {
	found := true
	for rest := path; found && rest != "" && rest != "."; {
		if index, ok := strings.CutPrefix(rest, "["); ok {
			index, after, closed := strings.Cut(index, "]")
			n, err := strconv.Atoi(index)
			list, _ := v.([]any)
			if found = closed && err == nil && n >= 0 && n < len(list); found {
				v, rest = list[n], after
			}
			continue
		}
		rest = strings.TrimPrefix(rest, ".")
		end := strings.IndexAny(rest, ".[")
		if end < 0 {
			end = len(rest)
		}
		m, _ := v.(map[string]any)
		v, found = m[rest[:end]]
		rest = rest[end:]
	}
	if !found {
		return nil, fmt.Errorf("there is no value at %s", path)
	}
	if n, ok := v.(json.Number); ok {
		return n.String(), nil
	}
	return v, nil
}

// makeFile creates the file that WEFT_OUTPUT names, in the state directory, or a temporary one.
func (l *outputs) makeFile(owner string) (path string, remove func(), err error) {
	path, remove, err = l.file(owner)
	if err == nil {
		return path, remove, nil
	}
	f, path, err := unnamed.Named()
	if err != nil {
		return "", nil, err
	}
	return path, func() { f.Close() }, nil
}

// maxOutputFile is the maximum size of the file that WEFT_OUTPUT names.
const maxOutputFile = limit.Output

// readOutputFile reads lines name=value, and multi-line values between name<<END and END.
func readOutputFile(path string) (map[string]string, error) {
	large := fmt.Errorf("the file of WEFT_OUTPUT has more than %d bytes", maxOutputFile)
	src, err := fifo.ReadRegular(path, maxOutputFile, large)
	if errors.Is(err, fifo.ErrNotRegular) {
		err = fmt.Errorf("the file of WEFT_OUTPUT was replaced: %w", fifo.ErrNotRegular)
	}
	if err != nil {
		return nil, err
	}
	values := map[string]string{}
	in := bufio.NewScanner(bytes.NewReader(src))
	in.Buffer(nil, maxOutputFile+1)
	for n := 1; in.Scan(); n++ {
		line := strings.TrimSuffix(in.Text(), "\r")
		if line == "" {
			continue
		}
		eq, here := strings.IndexByte(line, '='), strings.Index(line, "<<")
		switch {
		case here > 0 && (eq < 0 || here < eq):
			name, end := line[:here], line[here+2:]
			var lines []string
			closed := false
			for in.Scan() {
				n++
				if closed = in.Text() == end; closed {
					break
				}
				lines = append(lines, in.Text())
			}
			if !closed || end == "" {
				return nil, fmt.Errorf("the file of WEFT_OUTPUT: %s<<%s is not closed", name, end)
			}
			values[name] = strings.Join(lines, "\n")
		case eq > 0:
			values[line[:eq]] = line[eq+1:]
		default:
			return nil, fmt.Errorf("the file of WEFT_OUTPUT, line %d: %q is not name=value", n, line)
		}
	}
	for name, v := range values {
		if _, err := asText([]byte(v), name); err != nil {
			return nil, err
		}
	}
	return values, in.Err()
}

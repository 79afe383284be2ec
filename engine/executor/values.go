package executor

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/weftrun/weft/engine/plan"
	"github.com/weftrun/weft/internal/fifo"
	"github.com/weftrun/weft/internal/limit"
	"github.com/weftrun/weft/internal/unnamed"
)

// values are the outputs of a step by their names, when its commands have succeeded: those
// in the file that WEFT_OUTPUT named, and those that the task declares.
func values(b *Bound, o *Output, file string) (map[string]any, error) {
	written, err := readOutputFile(file)
	if err != nil {
		return nil, err
	}
	named := map[string]any{}
	for name, v := range written {
		named[name] = v
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

// declared is the text that a declared output is made of; given is false where nothing was
// written under its name.
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
	}
	src, err := fifo.ReadRegular(b.Path(strings.TrimPrefix(d.From, "file:")), limit.Output, limit.Bytes("the file", limit.Output))
	if err != nil {
		return "", false, err
	}
	text, err = asText(src, b.Step.Label)
	return text, true, err
}

// Path is a file that the step names.
func (b *Bound) Path(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(b.Dir, name)
}

// interpreted is text as the declared output wants it.
func interpreted(text string, d *plan.Output) (v any, err error) {
	switch d.As {
	case "lines":
		lines := []any{}
		for l := range strings.Lines(text) {
			lines = append(lines, strings.TrimRight(l, "\r\n"))
		}
		return lines, nil
	case "json":
		dec := json.NewDecoder(strings.NewReader(text))
		dec.UseNumber()
		if err := dec.Decode(&v); err != nil {
			return nil, fmt.Errorf("it is not JSON: %w", err)
		}
		return at(v, d.Path)
	}
	return text, nil
}

// at returns the part of a JSON value that a path names: .a.b[0].
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
		return nil, fmt.Errorf("there is nothing at %s", path)
	}
	if n, ok := v.(json.Number); ok {
		return n.String(), nil
	}
	return v, nil
}

// makeFile makes the file that WEFT_OUTPUT names: beside the state, or one that has no name
// of its own.
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

// maxOutputFile is how much commands may write to the file that WEFT_OUTPUT names.
const maxOutputFile = limit.Output

// readOutputFile reads lines name=value, and values of several lines between
// name<<END and END.
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
				return nil, fmt.Errorf("the file of WEFT_OUTPUT: %s<<%s has no end", name, end)
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

package executor

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/weftrun/weft/engine/plan"
	"github.com/weftrun/weft/internal/fifo"
	"github.com/weftrun/weft/internal/limit"
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
	rest := path
	for rest != "" && rest != "." {
		var key string
		switch {
		case strings.HasPrefix(rest, "["):
			i := strings.IndexByte(rest, ']')
			n, err := strconv.Atoi(rest[1:max(1, i)])
			list, ok := v.([]any)
			if i < 0 || err != nil || !ok || n < 0 || n >= len(list) {
				return nil, fmt.Errorf("there is nothing at %s", path)
			}
			v, rest = list[n], rest[i+1:]
			continue
		default:
			rest = strings.TrimPrefix(rest, ".")
			i := strings.IndexAny(rest, ".[")
			if i < 0 {
				i = len(rest)
			}
			key, rest = rest[:i], rest[i:]
		}
		m, ok := v.(map[string]any)
		if !ok {
			return nil, fmt.Errorf("there is nothing at %s", path)
		}
		if v, ok = m[key]; !ok {
			return nil, fmt.Errorf("there is nothing at %s", path)
		}
	}
	if n, ok := v.(json.Number); ok {
		return n.String(), nil
	}
	return v, nil
}

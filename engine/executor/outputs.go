package executor

import (
	"bufio"
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/weftrun/weft/engine/fingerprint"
	"github.com/weftrun/weft/engine/pipe"
	"github.com/weftrun/weft/engine/plan"
	"github.com/weftrun/weft/internal/fifo"
	"github.com/weftrun/weft/internal/limit"
	"github.com/weftrun/weft/internal/unnamed"
)

// outputs are what a step has put out: for the steps that need it. It is safe for
// concurrent use.
type outputs struct {
	mu     sync.Mutex // guards the fields below
	stdout *pipe.Capture
	stderr *pipe.Capture
	values map[string]any // of `outputs` and WEFT_OUTPUT
}

// capture returns the capture of stdout, or of stderr.
func (o *outputs) capture(stderr bool, limit int64, overflow pipe.Overflow) *pipe.Capture {
	o.mu.Lock()
	defer o.mu.Unlock()
	to := &o.stdout
	if stderr {
		to = &o.stderr
	}
	if *to == nil {
		*to = pipe.NewCapture(limit, overflow)
	}
	return *to
}

// sizes returns how many bytes have been captured.
func (o *outputs) sizes() (stdout, stderr int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.stdout != nil {
		stdout = o.stdout.Size()
	}
	if o.stderr != nil {
		stderr = o.stderr.Size()
	}
	return stdout, stderr
}

// truncate drops what was captured since sizes returned so much.
func (o *outputs) truncate(stdout, stderr int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.stdout != nil {
		o.stdout.Truncate(stdout)
	}
	if o.stderr != nil {
		o.stderr.Truncate(stderr)
	}
}

// text returns what was captured, as text.
func (o *outputs) text(name string) (string, error) {
	o.mu.Lock()
	c := o.stdout
	o.mu.Unlock()
	if c == nil {
		return "", nil
	}
	b, err := c.Bytes()
	if err != nil {
		return "", err
	}
	return asText(b, name)
}

func asText(b []byte, name string) (string, error) {
	if !utf8.Valid(b) || bytes.IndexByte(b, 0) >= 0 {
		return "", fmt.Errorf("the output of %q is binary; write it to a file (stdout: {file: …}), or read it with stdin: {output: %s}", name, name)
	}
	return strings.TrimSuffix(strings.TrimSuffix(string(b), "\n"), "\r"), nil
}

// captured reports whether another step may ask for what this one writes.
func (r *run) captured() bool {
	if r.x.o.Expander != nil && r.x.o.Expander.Captured(r.step.Task) {
		return true
	}
	for _, o := range r.step.Task.Outputs {
		if o.From.S == "stdout" || o.From.S == "stderr" {
			return true
		}
	}
	return false
}

// read reports whether the step has something that others may read.
func (r *run) read() bool { return len(r.step.Task.Outputs) > 0 || r.captured() }

// record is what is kept of a step's outputs for the next time. What was captured of
// stderr is not: only the step's own outputs may be taken from it.
type record struct {
	Stdout []byte         `json:",omitempty"`
	Values map[string]any `json:",omitempty"`
}

// recorded returns the step's outputs as they are kept, or nil when there are none, or one
// gives a secret away: then who reads them makes the step run.
func (r *run) recorded() []byte {
	if !r.read() {
		return nil
	}
	o := &r.having().outputs
	rec := record{Values: o.values}
	if o.stdout != nil {
		b, err := o.stdout.Bytes()
		if err != nil {
			return nil
		}
		rec.Stdout = b
	}
	if r.x.o.Secrets.Holds(string(rec.Stdout)) || r.holdsSecret(rec.Values) {
		return nil
	}
	b, err := json.Marshal(rec)
	if err != nil {
		return nil
	}
	return b
}

// holdsSecret reports whether a value gives a secret away.
func (r *run) holdsSecret(v any) bool {
	switch v := v.(type) {
	case string:
		return r.x.o.Secrets.Holds(v)
	case []any:
		return slices.ContainsFunc(v, r.holdsSecret)
	case map[string]any:
		for k, x := range v {
			if r.x.o.Secrets.Holds(k) || r.holdsSecret(x) {
				return true
			}
		}
	}
	return false
}

// recall makes the outputs of the last success those of the step, which is up to
// date.
func (r *run) recall(check *fingerprint.Check) {
	b := check.Outputs()
	if b == nil {
		return
	}
	var rec record
	if json.Unmarshal(b, &rec) != nil {
		return
	}
	o := &r.having().outputs
	o.values = rec.Values
	o.capture(false, plan.DefaultMaxCapture+int64(len(rec.Stdout)), pipe.Fail).Write(rec.Stdout)
	r.x.outputs.Store(r.step, o)
}

// shownOutputs are the step's named outputs, with secrets masked.
func (r *run) shownOutputs() map[string]any {
	values := r.rare.outputs.values
	if len(values) == 0 {
		return nil
	}
	return r.masked(values).(map[string]any)
}

func (r *run) masked(v any) any {
	switch v := v.(type) {
	case string:
		return r.x.o.Secrets.Mask(v)
	case []any:
		out := make([]any, len(v))
		for i, x := range v {
			out[i] = r.masked(x)
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, x := range v {
			out[k] = r.masked(x)
		}
		return out
	}
	return v
}

// unknown returns one of needs whose outputs are not known, because nothing runs: of
// several the first by label; or nil.
func (x *Executor) unknown(needs func(func(*plan.Step))) (unknown *plan.Step) {
	needs(func(n *plan.Step) {
		if x.outputsOf(n) == nil && (unknown == nil || n.Label < unknown.Label) {
			unknown = n
		}
	})
	return unknown
}

// unknownNeed returns a need whose outputs the step's texts name, or its commands read,
// and that are not known; or nil.
func (r *run) unknownNeed() *plan.Step {
	return cmp.Or(r.x.unknown(r.step.EachRead), r.x.unknown(func(f func(*plan.Step)) {
		r.step.EachInput(func(n *plan.Step) {
			if n.Skip == plan.NotSkipped { // else it puts out nothing
				f(n)
			}
		})
	}))
}

// outputOf is what texts of a step that needs s get for {{output "…"}}.
func (x *Executor) outputOf(s *plan.Step, name string) (any, error) {
	o := x.outputsOf(s)
	if x.o.Dry && o == nil {
		if name != "" {
			return fmt.Sprintf("<output %s of %s>", name, s.Label), nil
		}
		return fmt.Sprintf("<output of %s>", s.Label), nil
	}
	if o == nil {
		return nil, fmt.Errorf("task %q was skipped, so it has put out nothing", s.Label)
	}
	if name == "" {
		return o.text(s.Label)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	v, ok := o.values[name]
	if !ok {
		return nil, fmt.Errorf("task %q has put out no %q", s.Label, name)
	}
	return v, nil
}

// outputFile opens what s has written to stdout, at its start.
func (x *Executor) outputFile(s *plan.Step) (*os.File, error) {
	o := x.outputsOf(s)
	if o == nil || o.stdout == nil {
		return pipe.FileOf(nil)
	}
	return o.stdout.Open()
}

// outputDigest returns a digest of what s has written to stdout.
func (x *Executor) outputDigest(s *plan.Step) (string, error) {
	f, err := x.outputFile(s)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	_, err = io.Copy(h, f)
	return string(h.Sum(nil)), err
}

func (x *Executor) outputsOf(s *plan.Step) *outputs {
	if s == nil {
		return nil
	}
	o, _ := x.outputs.Load(s)
	found, _ := o.(*outputs)
	return found
}

// collect computes the step's declared outputs, when its commands have succeeded.
func (r *run) collect() error {
	o := &r.having().outputs
	o.values = map[string]any{}
	if file := r.rare.outputFile; file != "" {
		lines, err := readOutputFile(file)
		if err != nil {
			return err
		}
		for name, v := range lines {
			o.values[name] = v
		}
	}
	for _, d := range r.step.Outputs() {
		v, given, err := r.outputValue(&d)
		if err != nil {
			return fmt.Errorf("output %q of task %q: %w", d.Name, r.step.Label, err)
		}
		if given {
			o.values[d.Name] = v
		}
	}
	return nil
}

// outputValue computes one declared output; given is false where nothing was put
// out under its name.
func (r *run) outputValue(d *plan.Output) (v any, given bool, err error) {
	var text string
	switch from := d.From; {
	case from == "":
		raw, ok := r.rare.outputs.values[d.Name]
		if !ok {
			return nil, false, nil
		}
		text = raw.(string)
	case from == "stdout", from == "stderr":
		c := r.rare.outputs.stdout
		if from == "stderr" {
			c = r.rare.outputs.stderr
		}
		if c != nil {
			b, err := c.Bytes()
			if err != nil {
				return nil, false, err
			}
			if text, err = asText(b, r.step.Label); err != nil {
				return nil, false, err
			}
		}
	default:
		b, err := fifo.ReadRegular(r.path(strings.TrimPrefix(from, "file:")), limit.Output, limit.Bytes("the file", limit.Output))
		if err != nil {
			return nil, false, err
		}
		if text, err = asText(b, r.step.Label); err != nil {
			return nil, false, err
		}
	}
	switch d.As {
	case "lines":
		lines := []any{}
		for l := range strings.Lines(text) {
			lines = append(lines, strings.TrimRight(l, "\r\n"))
		}
		return lines, true, nil
	case "json":
		dec := json.NewDecoder(strings.NewReader(text))
		dec.UseNumber()
		if err := dec.Decode(&v); err != nil {
			return nil, false, fmt.Errorf("it is not JSON: %w", err)
		}
		v, err = at(v, d.Path)
		return v, true, err
	}
	return text, true, nil
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

// makeOutputFile makes the file that WEFT_OUTPUT names: beside the state, or one that has
// no name of its own.
func (r *run) makeOutputFile() (path string, remove func(), err error) {
	path, remove, err = r.x.o.State.OutputFile(r.cookie().String())
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
func readOutputFile(path string) (map[string]any, error) {
	large := fmt.Errorf("the file of WEFT_OUTPUT has more than %d bytes", maxOutputFile)
	src, err := fifo.ReadRegular(path, maxOutputFile, large)
	if errors.Is(err, fifo.ErrNotRegular) {
		err = fmt.Errorf("the file of WEFT_OUTPUT was replaced: %w", fifo.ErrNotRegular)
	}
	if err != nil {
		return nil, err
	}
	values := map[string]any{}
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
		if _, err := asText([]byte(v.(string)), name); err != nil {
			return nil, err
		}
	}
	return values, in.Err()
}

package executor

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/weftrun/weft/engine/pipe"
)

// outputs computes the declared outputs of a task from the output of its commands, and keeps the
// outputs for readers.
type outputs struct {
	next Body
	file func(owner string) (path string, remove func(), err error) // creates a file for one step
	dry  bool
}

// OutputVariable is the environment variable that names the file for outputs.
const OutputVariable = "WEFT_OUTPUT"

// Run implements Body.
func (l *outputs) Run(ctx context.Context, b *Bound) Result {
	declared := len(b.Step.Task.Outputs) > 0 && !l.dry
	file := ""
	if declared {
		path, remove, err := l.makeFile(b.Cookie.String())
		if err != nil {
			return Ended(ctx, err)
		}
		defer remove()
		file = path
		b.Environ = append(slices.Clip(b.Environ), OutputVariable+"="+file)
	}
	b.begin()
	r := l.next.Run(ctx, b)
	if r.Err == nil && declared {
		if r.Output == nil {
			r.Output = &Output{}
		}
		if r.Output.Values, r.Err = values(b, r.Output, file); r.Err != nil {
			r.Outcome = Ended(ctx, r.Err).Outcome
		}
		r.Output.Messages, r.Output.Sent = nil, nil
	}
	if r.Err == nil && r.Output != nil {
		b.steps.outputs.Store(b.Step, r.Output)
	}
	return r
}

// savedOutput is the part of a step's output kept for later runs. Captured stderr is not included:
// only the step's own outputs may use it.
type savedOutput struct {
	Stdout []byte         `json:",omitempty"`
	Values map[string]any `json:",omitempty"`
}

// encode encodes o for keeping, or returns nil if it would reveal a secret: then readers make the
// step run.
func (o *Output) encode(secrets *pipe.Secrets) []byte {
	var r savedOutput
	if o != nil {
		r.Values = o.Values
	}
	if o != nil && o.Stdout != nil {
		b, err := o.Stdout.Bytes()
		if err != nil {
			return nil
		}
		r.Stdout = b
	}
	if secrets.Contains(string(r.Stdout)) || holdsSecret(secrets, r.Values) {
		return nil
	}
	b, err := json.Marshal(r)
	if err != nil {
		return nil
	}
	return b
}

// decodeOutput decodes the result of encode, or returns nil if it is empty.
func decodeOutput(b []byte) *Output {
	var r savedOutput
	if b == nil || json.Unmarshal(b, &r) != nil {
		return nil
	}
	stdout := pipe.NewCapture(int64(len(r.Stdout)), pipe.Fail)
	stdout.Write(r.Stdout)
	return &Output{Stdout: stdout, Values: r.Values}
}

// holdsSecret reports whether a value contains a secret.
func holdsSecret(secrets *pipe.Secrets, v any) (holds bool) {
	mapTexts(v, func(text string) string {
		holds = holds || secrets.Contains(text)
		return text
	})
	return holds
}

// mapTexts applies f to all texts in a value, including names.
func mapTexts(v any, f func(string) string) any {
	switch v := v.(type) {
	case string:
		return f(v)
	case []any:
		out := make([]any, len(v))
		for i, x := range v {
			out[i] = mapTexts(x, f)
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, x := range v {
			out[f(k)] = mapTexts(x, f)
		}
		return out
	}
	return v
}

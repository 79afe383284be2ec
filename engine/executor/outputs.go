package executor

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/weftrun/weft/engine/pipe"
)

// outputs makes the outputs that a task declares of what its commands wrote, and keeps what
// the step has put out for those that need it.
type outputs struct {
	next Body
	file func(owner string) (path string, remove func(), err error) // makes a file for one step
	dry  bool
}

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
		b.Environ = append(slices.Clip(b.Environ), "WEFT_OUTPUT="+file)
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
	}
	if r.Err == nil && r.Output != nil {
		b.steps.outputs.Store(b.Step, r.Output)
	}
	return r
}

// savedOutput is what is kept of a step's output for the next time. What was captured of stderr
// is not: only the step's own outputs may be taken from it.
type savedOutput struct {
	Stdout []byte         `json:",omitempty"`
	Values map[string]any `json:",omitempty"`
}

// encode returns o as it is kept, or nil where it gives a secret away: then who reads it
// makes the step run.
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
	if secrets.Holds(string(r.Stdout)) || holdsSecret(secrets, r.Values) {
		return nil
	}
	b, err := json.Marshal(r)
	if err != nil {
		return nil
	}
	return b
}

// decodeOutput returns what encode has kept, or nil if there is nothing.
func decodeOutput(b []byte) *Output {
	var r savedOutput
	if b == nil || json.Unmarshal(b, &r) != nil {
		return nil
	}
	stdout := pipe.NewCapture(int64(len(r.Stdout)), pipe.Fail)
	stdout.Write(r.Stdout)
	return &Output{Stdout: stdout, Values: r.Values}
}

// holdsSecret reports whether a value gives a secret away.
func holdsSecret(secrets *pipe.Secrets, v any) (holds bool) {
	mapTexts(v, func(text string) string {
		holds = holds || secrets.Holds(text)
		return text
	})
	return holds
}

// mapTexts is a value with f applied to all texts in it, names too.
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

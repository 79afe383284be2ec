package plan

import "github.com/weftrun/weft/schema"

// DefaultMaxCapture is how many bytes of output are captured if nothing else is said.
const DefaultMaxCapture = schema.DefaultMaxCapture

// Output is one of the values that a step gives to those that need it.
type Output struct {
	Name string
	// From is "stdout", "stderr", "file:PATH", or "" for a line of the file that
	// WEFT_OUTPUT names.
	From string
	As   string // "text", "json" or "lines"
	Path string // into a JSON value: ".a.b"; "" is the whole
}

// Outputs returns the values that the step gives to those that need it.
func (s *Step) Outputs() []Output {
	if s.bound != nil {
		return s.bound.outputs
	}
	return new(binder).outputs(s.Task.Outputs)
}

func (b *binder) outputs(os []schema.NamedOutput) []Output {
	if len(os) == 0 {
		return nil
	}
	out := make([]Output, len(os))
	for i, o := range os {
		out[i] = Output{Name: o.Name, From: b.text(o.From), As: o.As, Path: o.Path}
	}
	return out
}

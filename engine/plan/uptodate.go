package plan

import (
	"github.com/weftrun/weft/schema"
	"github.com/weftrun/weft/schema/diag"
)

// FingerprintV3 is the rule of the format's own runner for what is looked at: the
// content of sources alone.
const FingerprintV3 = schema.FingerprintV3

// Glob is a bound schema.Glob: the template is gone, the pattern remains.
type Glob struct {
	Pattern string
	Exclude bool
	Pos     diag.Pos
}

// Sources returns the patterns of the files the step reads.
func (s *Step) Sources() []Glob {
	if s.bound != nil {
		return s.bound.sources
	}
	return new(binder).globs(s.Task.Sources)
}

// Generates returns the patterns of the files the step writes.
func (s *Step) Generates() []Glob {
	if s.bound != nil {
		return s.bound.generates
	}
	return new(binder).globs(s.Task.Generates)
}

// Status returns the commands that tell whether the step is up to date.
func (s *Step) Status() []string {
	if s.bound != nil {
		return s.bound.status
	}
	return new(binder).texts(s.Task.Status)
}

// Method returns the up-to-date method; "" means checksum.
func (s *Step) Method() string {
	m := s.Task.Method.S
	if s.bound != nil {
		m = s.bound.method
	}
	if m == "" {
		m = s.facts.workflow.Method.S
	}
	return m
}

// Gitignore reports whether files that git ignores are no sources.
func (s *Step) Gitignore() bool {
	return s.Task.UseGitignore.Or(s.facts.workflow.UseGitignore.Or(false))
}

// Rule returns the rule of what is looked at beside the method: [FingerprintV3], or
// another one for everything that the result depends on.
func (s *Step) Rule() string {
	if s.Task.Fingerprint != "" {
		return s.Task.Fingerprint
	}
	return s.facts.workflow.Fingerprint
}

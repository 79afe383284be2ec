// Package trace defines the place of a run's spans in a distributed trace: the identities of spans,
// which are derived from those of the run, and their propagation between programs (W3C Trace
// Context). It exports nothing.
//
// Since identities are derived, weft, which passes them to commands, and the second program, which
// exports the spans, agree without communication.
package trace

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"strconv"
	"strings"
)

// The variables by which a program passes its span to those that it starts.
const (
	ParentVariable  = "TRACEPARENT"
	StateVariable   = "TRACESTATE"
	BaggageVariable = "BAGGAGE"
)

// IsVariable reports whether name is one of these variables. Their values differ in each run, so
// the identity of a step must not depend on them.
func IsVariable(name string) bool {
	return name == ParentVariable || name == StateVariable || name == BaggageVariable
}

// Trace is the identity of a trace.
type Trace [16]byte

// Span is the identity of a span within a trace.
type Span [8]byte

// Parent is the parent of a span. The zero Parent means none.
type Parent struct {
	Trace   Trace
	Span    Span
	Sampled bool // it is exported
}

// ParseParent parses a value of TRACEPARENT. As the standard requires, it accepts additional fields
// of later versions, and rejects malformed values.
func ParseParent(text string) (p Parent, ok bool) {
	const length = len("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	if len(text) < length || len(text) > length && (text[length] != '-' || text[:2] == "00") {
		return Parent{}, false
	}
	fields := strings.Split(text[:length], "-")
	if len(fields) != 4 || len(fields[0]) != 2 || len(fields[1]) != 32 || len(fields[2]) != 16 || strings.ToLower(text[:length]) != text[:length] {
		return Parent{}, false
	}
	var head, flags [1]byte
	for i, to := range [...][]byte{head[:], p.Trace[:], p.Span[:], flags[:]} {
		if _, err := hex.Decode(to, []byte(fields[i])); err != nil {
			return Parent{}, false
		}
	}
	p.Sampled = flags[0]&1 != 0
	return p, head[0] != 0xff && p.Trace != Trace{} && p.Span != Span{}
}

// String formats p as a value of TRACEPARENT.
func (p Parent) String() string {
	flags := "-00"
	if p.Sampled {
		flags = "-01"
	}
	return "00-" + hex.EncodeToString(p.Trace[:]) + "-" + hex.EncodeToString(p.Span[:]) + flags
}

// Of returns the identity of the trace of a run that is not part of another trace.
func Of(run string) (t Trace) {
	sum := sha256.Sum256([]byte(run))
	copy(t[:], sum[:])
	return t
}

// RunSpan, StepSpan and CommandSpan return the identities of spans: of a run, of one of its
// steps, and of an attempt, counted from 1, of one of its commands.
func RunSpan(run string) Span { return spanOf(run, 0) }

// StepSpan returns the identity of a step's span.
func StepSpan(run string, step int) Span { return spanOf(run, step) }

// CommandSpan returns the identity of the span of an attempt, counted from 1.
func CommandSpan(run string, step, command, attempt int) Span {
	return spanOf(run, step, command, attempt)
}

func spanOf(run string, numbers ...int) (s Span) {
	text := []byte(run)
	for _, n := range numbers {
		text = strconv.AppendInt(append(text, '/'), int64(n), 10)
	}
	sum := sha256.Sum256(text)
	copy(s[:], sum[:])
	return s
}

// Export configures the export of runs.
type Export struct {
	// Inherited is the parent of the runs; zero: each run begins a trace.
	Inherited Parent
	// Keep reports whether a trace that begins here is exported. Nil: all are.
	Keep func(Trace) bool
}

// Trace returns the trace of a run.
func (e *Export) Trace(run string) Trace {
	if e.Inherited.Trace != (Trace{}) {
		return e.Inherited.Trace
	}
	return Of(run)
}

// Sampled reports whether a run is exported.
func (e *Export) Sampled(run string) bool { return e.Keep == nil || e.Keep(e.Trace(run)) }

// Command returns the value of TRACEPARENT for an attempt of a command.
func (e *Export) Command(run string, step, command, attempt int) string {
	return Parent{e.Trace(run), CommandSpan(run, step, command, attempt), e.Sampled(run)}.String()
}

// Sampler returns the filter for traces of the sampler called name with the argument arg, as in
// OTEL_TRACES_SAMPLER and OTEL_TRACES_SAMPLER_ARG, with the inherited span. Nil: it keeps all, as
// does an unknown sampler.
func Sampler(name, arg string, inherited Parent) func(Trace) bool {
	name, based := strings.CutPrefix(strings.ToLower(strings.TrimSpace(name)), "parentbased_")
	if based && inherited.Trace != (Trace{}) {
		return keepIf(inherited.Sampled)
	}
	switch name {
	case "always_off":
		return keepIf(false)
	case "traceidratio":
		ratio, err := strconv.ParseFloat(strings.TrimSpace(arg), 64)
		if err != nil || !(ratio >= 0 && ratio < 1) {
			return nil
		}
		bound := uint64(ratio * (1 << 63))
		return func(t Trace) bool { return binary.BigEndian.Uint64(t[8:])>>1 < bound }
	}
	return nil
}

func keepIf(keep bool) func(Trace) bool { return func(Trace) bool { return keep } }

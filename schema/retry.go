package schema

import (
	"regexp"
	"slices"
	"strconv"
	"syscall"
	"time"

	"github.com/weftrun/weft/schema/yaml"
)

// Retry configures how often, and when, a failed command is run again.
type Retry struct {
	Max      int           // further attempts; 0 means none
	Delay    time.Duration // before the second attempt
	Backoff  float64       // factor of the delay after each attempt; 2 if not given
	MaxDelay time.Duration // 1m if not given
	Jitter   float64       // part of the delay, from 0 to 1, that is random

	// On selects the failures that are retried; without any of the three, all are.
	Codes   []int
	Timeout bool
	Signal  bool
	// Match must match the last 64 KiB of output; nil matches all.
	Match *regexp.Regexp
}

const retryForm = `{"anyOf":[{"type":["integer","null"],"minimum":0},{"$ref":"#/$defs/retry"}]}`

const acceptForm = `{"type":["array","null"],"items":{"type":"integer","minimum":0,"maximum":255}}`

var retryKeys = []key[*Retry]{
	{"max", len(`{"type":"integer","minimum":0}`), len("Maximum number of further attempts."), func(d *decoder, n *yaml.Node, r *Retry) { r.Max = d.count(n) }},
	{"delay", len(durationForm), len("Time before the second attempt."), func(d *decoder, n *yaml.Node, r *Retry) { r.Delay = d.wait(n) }},
	{"backoff", len(`{"type":"number","minimum":1}`), len("Factor by which the delay grows after each attempt; by default 2."), func(d *decoder, n *yaml.Node, r *Retry) {
		if r.Backoff = d.fraction(n); r.Backoff < 1 {
			d.fail(n, "write 1 for a constant delay", "backoff must be 1 at least")
		}
	}},
	{"max_delay", len(durationForm), len("Maximum delay; by default 1m."), func(d *decoder, n *yaml.Node, r *Retry) { r.MaxDelay = d.wait(n) }},
	{"jitter", len(`{"type":"number","minimum":0,"maximum":1}`), len("Random part of the delay, from 0 to 1."), func(d *decoder, n *yaml.Node, r *Retry) {
		if r.Jitter = d.fraction(n); r.Jitter < 0 || r.Jitter > 1 {
			d.fail(n, "write 0.1 for up to 10 % more or less", "jitter must be from 0 to 1")
		}
	}},
	{"on", len(`{"type":"array","items":{"anyOf":[{"type":"integer"},{"enum":["timeout","signal"]}]}}`), len("Which failures are retried: exit codes, timeout, signal."), (*decoder).retryOn},
	{"match", len(textForm), len("Regular expression that the end of the output must match."), func(d *decoder, n *yaml.Node, r *Retry) {
		var err error
		if r.Match, err = regexp.Compile(d.text(n).S); err != nil {
			d.fail(n, "", "match: %v", err)
		}
	}},
}

// retry reads `retry`: a number, or a map.
func (d *decoder) retry(n *yaml.Node) *Retry {
	r := &Retry{Backoff: 2, MaxDelay: time.Minute}
	switch {
	case isNull(n):
	case n.Kind == yaml.MappingNode:
		r.Max = -1
		if readMap(d, n, "retry", retryKeys, r); r.Max < 0 {
			d.fail(n, "add max: 3", "retry needs max")
		}
	default:
		r.Max = d.count(n)
	}
	return r
}

func (d *decoder) retryOn(n *yaml.Node, r *Retry) {
	for _, it := range d.items(n, "exit codes, timeout or signal") {
		it = d.deref(it)
		switch t := d.text(it); t.S {
		case "timeout":
			r.Timeout = true
		case "signal":
			r.Signal = true
		default:
			if code, ok := d.exitCode(it); ok {
				r.Codes = append(r.Codes, code)
			}
		}
	}
}

// exitCodes reads a list of exit codes.
func (d *decoder) exitCodes(n *yaml.Node) []int {
	codes := []int{}
	for _, it := range d.items(n, "exit codes") {
		if code, ok := d.exitCode(d.deref(it)); ok {
			codes = append(codes, code)
		}
	}
	return codes
}

func (d *decoder) exitCode(n *yaml.Node) (int, bool) {
	return d.number(n, 255, "%q is not an exit code from 0 to 255")
}

func (d *decoder) count(n *yaml.Node) int {
	v, _ := d.number(n, 1_000_000, d.key+": %q is not a number of attempts")
	return v
}

// number reads a number from 0 to most; wrong is the message for any other text.
func (d *decoder) number(n *yaml.Node, most int, wrong string) (v int, ok bool) {
	t := d.text(n)
	v, err := strconv.Atoi(t.S)
	if err != nil || v < 0 || v > most {
		d.fail(n, "", wrong, t.S)
		return 0, false
	}
	return v, true
}

// wait reads a duration that is not negative.
func (d *decoder) wait(n *yaml.Node) time.Duration {
	v := d.duration(n)
	if v < 0 {
		d.fail(n, "", "%s: %v is in the past", d.key, v)
	}
	return max(v, 0)
}

func (d *decoder) fraction(n *yaml.Node) float64 {
	t := d.text(n)
	v, err := strconv.ParseFloat(t.S, 64)
	if err != nil {
		d.fail(n, "", "%s: %q is not a number", d.key, t.S)
	}
	return v
}

// Covers reports whether a command is tried again after a failure with that exit status, by
// that signal if it is not 0, or because it took too long.
func (r *Retry) Covers(code int, sig syscall.Signal, timedOut bool) bool {
	if r.Codes == nil && !r.Timeout && !r.Signal {
		return true
	}
	if timedOut {
		return r.Timeout
	}
	return sig != 0 && r.Signal || slices.Contains(r.Codes, code)
}

package event

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"
)

// reader is the [visitor] that takes the fields of an event from a line of JSON.
type reader struct {
	fields map[string]json.RawMessage // what the line holds
	err    error                      // the first problem
}

// wrong says which field err is about.
func wrong(name string, err error) error { return fmt.Errorf("field %q: %w", name, err) }

func (r *reader) fail(err error) {
	if r.err == nil {
		r.err = err
	}
}

// check fails if err is not nil.
func (r *reader) check(name string, err error) {
	if err != nil {
		r.fail(wrong(name, err))
	}
}

// raw returns a field, or nil if it is missing.
func (r *reader) raw(name string) json.RawMessage {
	raw := r.fields[name]
	if raw == nil {
		r.fail(wrong(name, errors.New("missing")))
	}
	return raw
}

func (r *reader) begin(_ string, at *time.Time) {
	text := r.word("time", "")
	parsed, err := time.Parse(time.RFC3339Nano, text)
	r.check("time", err)
	*at = parsed.Truncate(time.Microsecond)
}

func (r *reader) has(name string, _ bool) bool { return r.fields[name] != nil }

func (r *reader) text(name string, s *string) { *s = r.word(name, "") }

func (r *reader) word(name, _ string) (s string) {
	if raw := r.raw(name); raw != nil {
		var err error
		s, err = readText(raw)
		r.check(name, err)
	}
	return s
}

func (r *reader) texts(name string, list *[]string) {
	var all []json.RawMessage
	r.check(name, json.Unmarshal(r.raw(name), &all))
	*list = make([]string, len(all))
	for i, raw := range all {
		var err error
		(*list)[i], err = readText(raw)
		r.check(name, err)
	}
}

func (r *reader) number(name string, _ int64) (n int64) {
	if raw := r.raw(name); raw != nil {
		var err error
		if n, err = strconv.ParseInt(string(raw), 10, 64); err != nil {
			r.check(name, errors.New("not a whole number"))
		}
	}
	return n
}

func (r *reader) boolean(name string, set *bool) {
	if raw := r.raw(name); raw != nil {
		*set = string(raw) == "true"
		if !*set && string(raw) != "false" {
			r.check(name, errors.New("neither true nor false"))
		}
	}
}

// mostSeconds is the longest duration, in seconds, whose microseconds a number of JSON
// tells exactly whoever reads it: 31 years.
const mostSeconds = 1e9

func (r *reader) seconds(name string, d *time.Duration) {
	if raw := r.raw(name); raw != nil {
		s, err := strconv.ParseFloat(string(raw), 64)
		if err != nil || math.Abs(s) > mostSeconds {
			r.check(name, errors.New("not a number of seconds"))
			return
		}
		*d = time.Duration(math.Round(s*1e6)) * time.Microsecond
	}
}

func (r *reader) failure(err *error) {
	f := &Failure{Text: r.word("error", "")}
	f.Shown = f.Text
	textOrNone(r, "shown", &f.Shown)
	*err = f
}

func (r *reader) data(p *[]byte) {
	if raw := r.fields["base64"]; raw != nil {
		r.check("base64", json.Unmarshal(raw, p))
		return
	}
	*p = []byte(r.word("data", ""))
}

func (r *reader) outputs(m *map[string]any) {
	dec := json.NewDecoder(bytes.NewReader(r.raw("outputs")))
	dec.UseNumber()
	var v any
	err := dec.Decode(&v)
	if err == nil {
		v, err = original(v)
	}
	read, ok := v.(map[string]any)
	if err == nil && !ok {
		err = errNotValue
	}
	r.check("outputs", err)
	*m = read
}

func (r *reader) object(name string, within func(visitor)) {
	if raw := r.raw(name); raw != nil {
		var one reader
		r.check(name, json.Unmarshal(raw, &one.fields))
		within(&one)
		r.check(name, one.err)
	}
}

func (r *reader) list(name string, _ int, resize func(int), each func(visitor, int)) {
	var all []map[string]json.RawMessage
	r.check(name, json.Unmarshal(r.raw(name), &all))
	resize(len(all))
	for i := range all {
		one := reader{fields: all[i]}
		each(&one, i)
		r.check(name, one.err)
	}
}

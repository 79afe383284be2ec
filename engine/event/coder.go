package event

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"
)

// coder carries the fields of an event to a line of JSON, or from there back: each type
// of event names its fields once, for both directions. A field that is "" or 0 or false
// is left out where its method's name says so; all others must be there.
type coder struct {
	b        []byte // the line so far
	run      string // identity of the run
	describe func(error) Failure

	reading bool
	fields  map[string]json.RawMessage // what a line that is read holds
	err     error                      // the first problem of reading
}

// key begins a field.
func (c *coder) key(name string) {
	if c.b[len(c.b)-1] != '{' {
		c.b = append(c.b, ',')
	}
	c.b = append(c.b, '"')
	c.b = append(c.b, name...)
	c.b = append(c.b, '"', ':')
}

// read returns a field of the line that is read, or nil if it is missing.
func (c *coder) read(name string) json.RawMessage {
	raw, ok := c.fields[name]
	if !ok {
		c.fail(name, errors.New("missing"))
	}
	return raw
}

func (c *coder) fail(name string, err error) {
	if c.err == nil && err != nil {
		c.err = fmt.Errorf("field %q: %w", name, err)
	}
}

func (c *coder) text(name string, s *string) {
	if !c.reading {
		c.key(name)
		c.b = appendText(c.b, *s)
		return
	}
	if raw := c.read(name); raw != nil {
		var err error
		*s, err = readText(raw)
		c.fail(name, err)
	}
}

// textOrNone leaves "" out.
func (c *coder) textOrNone(name string, s *string) {
	if c.has(name, *s != "") {
		c.text(name, s)
	}
}

// has reports whether a field that may be left out is there: where it is written, whether
// it says something.
func (c *coder) has(name string, says bool) bool {
	if c.reading {
		return c.fields[name] != nil
	}
	return says
}

// texts leaves nil out.
func (c *coder) texts(name string, list *[]string) {
	if !c.has(name, *list != nil) {
		return
	}
	if c.reading {
		var all []json.RawMessage
		c.fail(name, json.Unmarshal(c.fields[name], &all))
		*list = make([]string, len(all))
		for i, raw := range all {
			var err error
			(*list)[i], err = readText(raw)
			c.fail(name, err)
		}
		return
	}
	c.key(name)
	c.b = append(c.b, '[')
	for i, s := range *list {
		if i > 0 {
			c.b = append(c.b, ',')
		}
		c.b = appendText(c.b, s)
	}
	c.b = append(c.b, ']')
}

// objects codes a list of objects, each by code. It leaves nil out.
func objects[T any](c *coder, name string, list *[]T, code func(*coder, *T)) {
	if !c.has(name, *list != nil) {
		return
	}
	if c.reading {
		var all []map[string]json.RawMessage
		c.fail(name, json.Unmarshal(c.fields[name], &all))
		*list = make([]T, len(all))
		for i := range all {
			one := coder{reading: true, fields: all[i]}
			code(&one, &(*list)[i])
			c.fail(name, one.err)
		}
		return
	}
	c.key(name)
	c.b = append(c.b, '[')
	for i := range *list {
		if i > 0 {
			c.b = append(c.b, ',')
		}
		c.b = append(c.b, '{')
		code(c, &(*list)[i])
		c.b = append(c.b, '}')
	}
	c.b = append(c.b, ']')
}

type integer interface{ ~int | ~int32 | ~int64 }

func number[T integer](c *coder, name string, n *T) {
	if !c.reading {
		c.key(name)
		c.b = strconv.AppendInt(c.b, int64(*n), 10)
		return
	}
	if raw := c.read(name); raw != nil {
		read, err := strconv.ParseInt(string(raw), 10, 64)
		*n = T(read)
		if err != nil || int64(*n) != read {
			c.fail(name, errors.New("not a whole number, or too large"))
		}
	}
}

// numberOrNone leaves 0 out.
func numberOrNone[T integer](c *coder, name string, n *T) {
	if c.has(name, *n != 0) {
		number(c, name, n)
	}
}

// flag leaves false out.
func (c *coder) flag(name string, set *bool) {
	if c.has(name, *set) {
		c.boolean(name, set)
	}
}

func (c *coder) boolean(name string, set *bool) {
	if !c.reading {
		c.key(name)
		c.b = strconv.AppendBool(c.b, *set)
		return
	}
	if raw := c.read(name); raw != nil {
		*set = string(raw) == "true"
		if !*set && string(raw) != "false" {
			c.fail(name, errors.New("neither true nor false"))
		}
	}
}

// mostSeconds is the longest duration, in seconds, whose microseconds a number of JSON
// tells exactly whoever reads it: 31 years.
const mostSeconds = 1e9

func (c *coder) seconds(name string, d *time.Duration) {
	if c.reading {
		if raw := c.read(name); raw != nil {
			s, err := strconv.ParseFloat(string(raw), 64)
			if err != nil || math.Abs(s) > mostSeconds {
				c.fail(name, errors.New("not a number of seconds"))
				return
			}
			*d = time.Duration(math.Round(s*1e6)) * time.Microsecond
		}
		return
	}
	c.key(name)
	us := d.Microseconds()
	if us < 0 {
		c.b, us = append(c.b, '-'), -us
	}
	c.b = strconv.AppendInt(c.b, us/1e6, 10)
	if us %= 1e6; us != 0 {
		c.b = append(c.b, '.')
		for ; us != 0; us = us * 10 % 1e6 {
			c.b = append(c.b, '0'+byte(us/1e5))
		}
	}
}

// secondsOrNone leaves 0 out.
func (c *coder) secondsOrNone(name string, d *time.Duration) {
	if c.has(name, d.Microseconds() != 0) {
		c.seconds(name, d)
	}
}

// within codes the fields of an object that is the value of a field.
func (c *coder) within(name string, code func(*coder)) {
	if !c.reading {
		c.key(name)
		c.b = append(c.b, '{')
		code(c)
		c.b = append(c.b, '}')
		return
	}
	if raw := c.read(name); raw != nil {
		one := coder{reading: true}
		c.fail(name, json.Unmarshal(raw, &one.fields))
		code(&one)
		c.fail(name, one.err)
	}
}

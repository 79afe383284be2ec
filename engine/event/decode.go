package event

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"reflect"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unicode/utf8"

	"github.com/weftrun/weft/schema/diag"
)

// Decode returns the event on one line of an event file, with or without its newline. It
// returns nil for an event that only a later weft knows. Fields that it does not know
// are ignored. For an error the event holds a [*Failure]. Decode keeps nothing of line.
func Decode(line []byte) (Event, error) {
	if !utf8.Valid(line) {
		return nil, errors.New("not UTF-8")
	}
	var o object
	if err := json.Unmarshal(line, &o); err != nil {
		return nil, fmt.Errorf("not an event, which is an object of JSON: %w", err)
	}
	kind, err := o.text("event")
	t := kinds()[kind]
	if err != nil || t == nil {
		return nil, err
	}
	v := reflect.New(t)
	ev := v.Interface().(Event)
	at, err := o.text("time")
	if err != nil {
		return nil, err
	}
	parsed, err := time.Parse(time.RFC3339Nano, at)
	if err != nil {
		return nil, wrong("time", err)
	}
	v.Elem().Field(1).Set(reflect.ValueOf(parsed.Truncate(time.Microsecond)))
	if started, ok := ev.(*RunStarted); ok {
		if err := o.start(started); err != nil {
			return nil, err
		}
	}
	if err := o.fields(v.Elem()); err != nil {
		return nil, err
	}
	return ev, nil
}

// object is an object of JSON: an event, or a part of one.
type object map[string]json.RawMessage

// wrong says which field err is about. It returns nil for nil.
func wrong(name string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("field %q: %w", name, err)
}

// read reads a field into v.
func (o object) read(name string, v reflect.Value) error {
	raw := o[name]
	if raw == nil {
		return wrong(name, errors.New("missing"))
	}
	return wrong(name, readValue(raw, v))
}

func (o object) text(name string) (s string, err error) {
	err = o.read(name, reflect.ValueOf(&s).Elem())
	return s, err
}

// start reads what the first line of a run has beside the fields of its event.
func (o object) start(ev *RunStarted) error {
	var version int64
	if err := o.read("version", reflect.ValueOf(&version).Elem()); err != nil {
		return err
	}
	if version != Version {
		return fmt.Errorf("version %d of the format of events; this weft reads version %d", version, Version)
	}
	if o["run"] == nil {
		return nil
	}
	return o.read("run", reflect.ValueOf(&ev.Run).Elem())
}

// fields reads the fields of a struct.
func (o object) fields(v reflect.Value) error {
	for _, f := range shapeOf(v.Type()).fields {
		if f.omit != "" && o[f.name] == nil {
			f.restore(v)
			continue
		}
		if err := o.field(f.name, v.Field(f.index)); err != nil {
			return err
		}
	}
	return nil
}

func (o object) field(name string, v reflect.Value) (err error) {
	switch p := v.Addr().Interface().(type) {
	case *[]byte:
		if raw := o["base64"]; raw != nil {
			return wrong("base64", json.Unmarshal(raw, p))
		}
		var text string
		text, err = o.text(name)
		*p = []byte(text)
		return err
	case *error:
		var f Failure
		f.Text, err = o.text(name)
		f.Shown = f.Text
		if err == nil && o["shown"] != nil {
			f.Shown, err = o.text("shown")
		}
		*p = &f
		return err
	case *Usage:
		return o.fields(v)
	case **diag.Diagnostic:
		*p = new(diag.Diagnostic)
		return o.fields(reflect.ValueOf((*diagnostic)(*p)).Elem())
	}
	return o.read(name, v)
}

// readValue reads raw into v.
func readValue(raw json.RawMessage, v reflect.Value) (err error) {
	switch p := v.Addr().Interface().(type) {
	case *time.Duration:
		*p, err = readSeconds(raw)
		return err
	case *diag.Pos:
		text, err := readText(raw)
		*p = parsePos(text)
		return err
	case *os.Signal:
		text, err := readText(raw)
		*p = signalNamed(text)
		return err
	case *map[string]any:
		*p, err = readOutputs(raw)
		return err
	case *[Cancelled + 1]int:
		var counts object
		err := json.Unmarshal(raw, &counts)
		for o := Succeeded; o <= Cancelled && err == nil; o++ {
			err = counts.read(o.String(), reflect.ValueOf(&p[o]).Elem())
		}
		return err
	}
	switch v.Kind() {
	case reflect.String:
		text, err := readText(raw)
		v.SetString(text)
		return err
	case reflect.Bool:
		v.SetBool(string(raw) == "true")
		if !v.Bool() && string(raw) != "false" {
			return errors.New("neither true nor false")
		}
		return nil
	case reflect.Uint8:
		return readName(raw, v)
	case reflect.Slice:
		var list []json.RawMessage
		err := json.Unmarshal(raw, &list)
		v.Set(reflect.MakeSlice(v.Type(), len(list), len(list)))
		for i := 0; i < len(list) && err == nil; i++ {
			err = readValue(list[i], v.Index(i))
		}
		return err
	case reflect.Struct:
		var part object
		if err := json.Unmarshal(raw, &part); err != nil {
			return err
		}
		return part.fields(v)
	}
	n, err := strconv.ParseInt(string(raw), 10, 64)
	switch {
	case err != nil:
		return errors.New("not a whole number")
	case v.OverflowInt(n):
		return errors.New("too large a number")
	}
	v.SetInt(n)
	return nil
}

// readName reads one of a few values that have names. One without a name has the name "".
func readName(raw json.RawMessage, v reflect.Value) error {
	text, err := readText(raw)
	if err != nil {
		return err
	}
	value := v.Addr().Interface().(fmt.Stringer)
	for n := range uint64(math.MaxUint8 + 1) {
		if v.SetUint(n); value.String() == text {
			return nil
		}
	}
	return fmt.Errorf("%q is unknown", text)
}

// mostSeconds is the longest duration, in seconds, whose microseconds a number of JSON
// tells exactly whoever reads it: 31 years.
const mostSeconds = 1e9

func readSeconds(raw json.RawMessage) (time.Duration, error) {
	s, err := strconv.ParseFloat(string(raw), 64)
	if err != nil || math.Abs(s) > mostSeconds {
		return 0, errors.New("not a number of seconds")
	}
	return time.Duration(math.Round(s*1e6)) * time.Microsecond, nil
}

func readOutputs(raw json.RawMessage) (map[string]any, error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var v any
	err := dec.Decode(&v)
	if err == nil {
		v, err = original(v)
	}
	outputs, ok := v.(map[string]any)
	if err == nil && !ok {
		err = errNotValue
	}
	return outputs, err
}

// signalNamed returns the signal that this system calls so, else one that is of another.
func signalNamed(name string) os.Signal {
	const most = 64
	for sig := syscall.Signal(1); sig <= most; sig++ {
		if sig.String() == name {
			return sig
		}
	}
	return foreignSignal(name)
}

// foreignSignal is a signal that this system does not have.
type foreignSignal string

func (s foreignSignal) String() string { return string(s) }

// Signal implements os.Signal.
func (foreignSignal) Signal() {}

// parsePos returns the place that is written NAME:LINE:COLUMN, or NAME.
func parsePos(text string) diag.Pos {
	name, column, _ := cutNumber(text)
	name, line, ok := cutNumber(name)
	if !ok || line == 0 {
		return diag.Pos{File: &diag.File{Name: text}}
	}
	return diag.Pos{File: &diag.File{Name: name}, Line: line, Column: column}
}

// cutNumber takes the number after the last colon off s.
func cutNumber(s string) (before string, n int32, ok bool) {
	i := strings.LastIndexByte(s, ':')
	if i < 0 {
		return s, 0, false
	}
	number, err := strconv.ParseUint(s[i+1:], 10, 31)
	if err != nil {
		return s, 0, false
	}
	return s[:i], int32(number), true
}

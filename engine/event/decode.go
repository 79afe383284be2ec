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

// Decode returns the event on one line of an event file, with or without its newline; of a file whose lines may be
// short, a [Decoder] does. It returns nil for an event of a later version of weft, and ignores unknown fields. Errors
// are decoded as [*Failure]. Decode does not keep line.
func Decode(line []byte) (Event, error) { return decode(line, new(expected)) }

func decode(line []byte, x *expected) (Event, error) {
	if !utf8.Valid(line) {
		return nil, errors.New("not UTF-8")
	}
	var space [24]member
	o, err := readObject(line, space[:0])
	if err != nil {
		return nil, fmt.Errorf("not an event, which is a JSON object: %w", err)
	}
	kind, err := o.text("event")
	if err != nil {
		return nil, err
	}
	t := kinds()[kind]
	at, short, err := o.time(x.time)
	if t == nil {
		if err == nil {
			x.time = at.UnixMicro()
		}
		return nil, nil
	}
	if err != nil {
		return nil, wrong("time", err)
	}
	x.time = at.UnixMicro()
	v := reflect.New(t)
	ev := v.Interface().(Event)
	*v.Elem().Field(1).Addr().Interface().(*time.Time) = at
	if started, ok := ev.(*RunStarted); ok {
		if err := o.start(started); err != nil {
			return nil, err
		}
	}
	if err := o.fields(v.Elem(), short); err != nil {
		return nil, err
	}
	if out, ok := ev.(*Output); ok && (out.Offset < 0 || out.Data == nil && out.Length <= 0) {
		return nil, errors.New(`fields "offset" and "length": not a valid range of a file`)
	}
	if short {
		x.restore(ev)
	}
	x.note(ev)
	return ev, nil
}

// mostBetween is the longest time between two lines, in microseconds: a year.
const mostBetween = 366 * 24 * int64(time.Hour/time.Microsecond)

// time returns the time of a line, and whether it is a short one. before is that of the line before; 0: there is
// none.
func (o object) time(before int64) (at time.Time, short bool, err error) {
	raw := o.get("time")
	if raw == nil {
		return at, false, errMissing
	}
	if raw[0] == '"' {
		text, err := readText(raw)
		if err == nil {
			at, err = time.Parse(time.RFC3339Nano, text)
		}
		return at.Truncate(time.Microsecond), false, err
	}
	n, err := strconv.ParseInt(string(raw), 10, 64)
	if err != nil || before == 0 || n < -mostBetween || n > mostBetween {
		return at, false, errors.New("neither a time nor the microseconds since the line before")
	}
	return time.UnixMicro(before + n).UTC(), true, nil
}

// wrong adds the field's name to err. It returns nil for nil.
func wrong(name string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("field %q: %w", name, err)
}

var errMissing = errors.New("missing")

// read reads a field into v.
func (o object) read(name string, v reflect.Value) error {
	raw := o.get(name)
	if raw == nil {
		return wrong(name, errMissing)
	}
	return wrong(name, readValue(raw, v))
}

func (o object) text(name string) (s string, err error) {
	raw := o.get(name)
	if raw == nil {
		return "", wrong(name, errMissing)
	}
	s, err = readText(raw)
	return s, wrong(name, err)
}

// start reads the fields of a run's first line that are not fields of its event.
func (o object) start(ev *RunStarted) error {
	var version int64
	if err := o.read("version", reflect.ValueOf(&version).Elem()); err != nil {
		return err
	}
	if version != Version {
		return fmt.Errorf("version %d of the format of events; this weft reads version %d", version, Version)
	}
	if o.get("run") == nil {
		return nil
	}
	return o.read("run", reflect.ValueOf(&ev.Run).Elem())
}

// fields reads the fields of a struct, which may all be missing in a short line.
func (o object) fields(v reflect.Value, short bool) error {
	all := shapeOf(v.Type()).fields
	for i := range all {
		f := &all[i]
		if (f.omit != "" || short && f.plain) && o.get(f.name) == nil {
			f.restore(v)
			continue
		}
		var err error
		if f.plain {
			err = o.read(f.name, v.Field(f.index))
		} else {
			err = o.field(f.name, v.Field(f.index))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (o object) field(name string, v reflect.Value) (err error) {
	switch p := v.Addr().Interface().(type) {
	case *[]byte:
		if o.get("length") != nil {
			return nil // stored in another file
		}
		if raw := o.get("base64"); raw != nil {
			return wrong("base64", json.Unmarshal(raw, p))
		}
		raw := o.get(name)
		if len(raw) > 0 && raw[0] == '"' {
			*p = bytes.Clone(unquote(raw))
			return nil
		}
		var text string
		text, err = o.text(name)
		*p = []byte(text)
		return err
	case *error:
		var f Failure
		f.Text, err = o.text(name)
		f.Shown = f.Text
		if err == nil && o.get("shown") != nil {
			f.Shown, err = o.text("shown")
		}
		if err == nil && o.get("kind") != nil {
			var kind string
			kind, err = o.text("kind")
			f.Kind = Kind(kind)
		}
		f.Reason = f.Text
		if err == nil && o.get("reason") != nil {
			f.Reason, err = o.text("reason")
		}
		*p = &f
		return err
	case *Usage:
		return o.fields(v, false)
	case **diag.Diagnostic:
		*p = new(diag.Diagnostic)
		return o.fields(reflect.ValueOf((*diagnostic)(*p)).Elem(), false)
	}
	return o.read(name, v)
}

// readValue reads raw into v.
func readValue(raw []byte, v reflect.Value) (err error) {
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
	case reflect.Int, reflect.Int32:
		return readWhole(raw, v)
	}
	switch p := v.Addr().Interface().(type) {
	case *time.Duration:
		*p, err = readSeconds(raw)
		return err
	case *float64:
		return json.Unmarshal(raw, p)
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
	case *Need:
		return readNeed(raw, p)
	case *[Cancelled + 1]int:
		counts, err := readObject(raw, nil)
		for o := Succeeded; o <= Cancelled && err == nil; o++ {
			err = counts.read(o.String(), reflect.ValueOf(&p[o]).Elem())
		}
		return err
	}
	switch v.Kind() {
	case reflect.Slice:
		list, err := readList(raw)
		v.Set(reflect.MakeSlice(v.Type(), len(list), len(list)))
		for i := 0; i < len(list) && err == nil; i++ {
			err = readValue(list[i], v.Index(i))
		}
		return err
	case reflect.Struct:
		var space [8]member
		part, err := readObject(raw, space[:0])
		if err != nil {
			return err
		}
		return part.fields(v, false)
	}
	return readWhole(raw, v)
}

// readWhole reads a whole number into v.
func readWhole(raw []byte, v reflect.Value) error {
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

func readNeed(raw []byte, n *Need) error {
	both, err := readList(raw)
	if err != nil || len(both) != 2 {
		return errors.New("not a step and a state")
	}
	if err := readValue(both[0], reflect.ValueOf(&n.Step).Elem()); err != nil {
		return err
	}
	return readValue(both[1], reflect.ValueOf(&n.Until).Elem())
}

// readName reads a value of an enumeration. The zero value has the name "".
func readName(raw []byte, v reflect.Value) error {
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

// mostSeconds is the longest duration, in seconds, whose microseconds a JSON number represents
// exactly in every reader: 31 years.
const mostSeconds = 1e9

func readSeconds(raw []byte) (time.Duration, error) {
	s, err := strconv.ParseFloat(string(raw), 64)
	if err != nil || math.Abs(s) > mostSeconds {
		return 0, errors.New("not a number of seconds")
	}
	return time.Duration(math.Round(s*1e6)) * time.Microsecond, nil
}

func readOutputs(raw []byte) (map[string]any, error) {
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

// signalNamed returns the signal with this name, or a foreignSignal if this system has none.
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

// parsePos parses a position written as NAME:LINE:COLUMN, or NAME.
func parsePos(text string) diag.Pos {
	name, column, _ := cutNumber(text)
	name, line, ok := cutNumber(name)
	if !ok || line == 0 {
		return diag.Pos{File: &diag.File{Name: text}}
	}
	return diag.Pos{File: &diag.File{Name: name}, Line: line, Column: column}
}

// cutNumber splits s at its last colon, after which a number must follow.
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

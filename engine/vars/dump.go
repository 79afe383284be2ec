package vars

import (
	"cmp"
	"encoding/hex"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// dump is the template function spew: it returns each value on lines of its own, with its
// type. Its text is that of Sdump in github.com/davecgh/go-spew, with sorted keys, for all
// that a template can hold; the library itself would compile regular expressions at every
// start of weft.
func dump(values ...any) string {
	var d dumper
	for _, v := range values {
		if v == nil {
			d.WriteString("(interface {}) <nil>")
		} else {
			d.value(reflect.ValueOf(v))
		}
		d.WriteByte('\n')
	}
	return d.String()
}

// dumper collects the text of dump.
type dumper struct {
	strings.Builder
	depth int // of the lists and maps around the value
}

// value writes v with its type.
func (d *dumper) value(v reflect.Value) {
	if v.Kind() == reflect.Interface && !v.IsNil() {
		v = v.Elem()
	}
	fmt.Fprintf(d, "(%s)", v.Type())
	switch {
	case v.Kind() != reflect.Pointer:
		d.WriteByte(' ')
		d.content(v)
	case v.IsNil():
		d.WriteString("(<nil>)")
	default:
		fmt.Fprintf(d, "(%#x)(", v.Pointer())
		d.content(v.Elem())
		d.WriteByte(')')
	}
}

// content writes v without its type.
func (d *dumper) content(v reflect.Value) {
	d.size(v)
	if text, ok := ownText(v); ok {
		d.WriteString(text)
		return
	}
	switch v.Kind() {
	case reflect.String:
		d.WriteString(strconv.Quote(v.String()))
	case reflect.Slice, reflect.Map:
		if v.IsNil() {
			d.WriteString("<nil>")
			return
		}
		d.elements(v)
	case reflect.Array:
		d.elements(v)
	default:
		fmt.Fprint(d, v)
	}
}

// size writes the length and the capacity of what has them, unless they are 0.
func (d *dumper) size(v reflect.Value) {
	length, capacity := 0, 0
	switch v.Kind() {
	case reflect.Array, reflect.Slice:
		length, capacity = v.Len(), v.Cap()
	case reflect.Map, reflect.String:
		length = v.Len()
	}
	switch {
	case capacity == 0 && length > 0:
		fmt.Fprintf(d, "(len=%d) ", length)
	case length > 0:
		fmt.Fprintf(d, "(len=%d cap=%d) ", length, capacity)
	case capacity > 0:
		fmt.Fprintf(d, "(cap=%d) ", capacity)
	}
}

// ownText returns what the String or Error method of v, or of a pointer to it, says.
func ownText(v reflect.Value) (text string, ok bool) {
	if !v.CanAddr() {
		at := reflect.New(v.Type()).Elem()
		at.Set(v)
		v = at
	}
	switch v := v.Addr().Interface().(type) {
	case error:
		return v.Error(), true
	case fmt.Stringer:
		return v.String(), true
	}
	return "", false
}

// elements writes what is in a list or a map, each on a line of its own; bytes as a table.
func (d *dumper) elements(v reflect.Value) {
	d.WriteString("{\n")
	d.depth++
	switch {
	case v.Kind() == reflect.Map:
		d.entries(v)
	case v.Type().Elem() == reflect.TypeFor[byte]() && v.Len() > 0:
		d.bytes(v)
	default:
		for i := range v.Len() {
			d.indent()
			d.value(v.Index(i))
			d.end(i, v.Len())
		}
	}
	d.depth--
	d.indent()
	d.WriteByte('}')
}

func (d *dumper) entries(v reflect.Value) {
	keys := v.MapKeys()
	slices.SortFunc(keys, func(a, b reflect.Value) int { return cmp.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
	for i, key := range keys {
		d.indent()
		d.value(key)
		d.WriteString(": ")
		d.value(v.MapIndex(key))
		d.end(i, len(keys))
	}
}

func (d *dumper) bytes(v reflect.Value) {
	for line := range strings.Lines(hex.Dump(v.Bytes())) {
		d.indent()
		d.WriteString(line)
	}
}

func (d *dumper) indent() { d.WriteString(strings.Repeat(" ", d.depth)) }

// end ends the line of element i of n.
func (d *dumper) end(i, n int) {
	if i < n-1 {
		d.WriteByte(',')
	}
	d.WriteByte('\n')
}

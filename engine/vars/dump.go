package vars

import (
	"encoding/hex"
	"fmt"
	"reflect"
	"sort"
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
			d.text.WriteString("(interface {}) <nil>")
		} else {
			d.value(reflect.ValueOf(v))
		}
		d.text.WriteByte('\n')
	}
	return d.text.String()
}

// dumper collects the text of dump.
type dumper struct {
	text  strings.Builder
	depth int // of the lists and maps around the value
}

// value writes v with its type.
func (d *dumper) value(v reflect.Value) {
	if v.Kind() == reflect.Interface && !v.IsNil() {
		v = v.Elem()
	}
	fmt.Fprintf(&d.text, "(%s)", v.Type())
	switch {
	case v.Kind() != reflect.Pointer:
		d.text.WriteByte(' ')
		d.content(v)
	case v.IsNil():
		d.text.WriteString("(<nil>)")
	default:
		fmt.Fprintf(&d.text, "(%#x)(", v.Pointer())
		d.content(v.Elem())
		d.text.WriteByte(')')
	}
}

// content writes v without its type.
func (d *dumper) content(v reflect.Value) {
	d.size(v)
	if text, ok := ownText(v); ok {
		d.text.WriteString(text)
		return
	}
	switch v.Kind() {
	case reflect.String:
		d.text.WriteString(strconv.Quote(v.String()))
	case reflect.Slice, reflect.Map:
		if v.IsNil() {
			d.text.WriteString("<nil>")
			return
		}
		d.elements(v)
	case reflect.Array:
		d.elements(v)
	default:
		fmt.Fprint(&d.text, v)
	}
}

// size writes the length and the capacity of v if it has them, unless they are 0.
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
		fmt.Fprintf(&d.text, "(len=%d) ", length)
	case length > 0:
		fmt.Fprintf(&d.text, "(len=%d cap=%d) ", length, capacity)
	case capacity > 0:
		fmt.Fprintf(&d.text, "(cap=%d) ", capacity)
	}
}

// ownText returns the result of the String or Error method of v, or of a pointer to it.
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

// elements writes the elements of a list or a map, each on its own line; bytes as a table.
func (d *dumper) elements(v reflect.Value) {
	d.text.WriteString("{\n")
	d.depth++
	switch {
	case v.Kind() == reflect.Map:
		d.entries(v)
	case v.Type().Elem() == reflect.TypeFor[byte]() && v.Len() > 0:
		for line := range strings.Lines(hex.Dump(v.Bytes())) {
			d.indent()
			d.text.WriteString(line)
		}
	default:
		for i := range v.Len() {
			d.indent()
			d.value(v.Index(i))
			d.end(i, v.Len())
		}
	}
	d.depth--
	d.indent()
	d.text.WriteByte('}')
}

func (d *dumper) entries(v reflect.Value) {
	keys := v.MapKeys()
	sort.Slice(keys, func(i, j int) bool { return fmt.Sprint(keys[i]) < fmt.Sprint(keys[j]) })
	for i, key := range keys {
		d.indent()
		d.value(key)
		d.text.WriteString(": ")
		d.value(v.MapIndex(key))
		d.end(i, len(keys))
	}
}

func (d *dumper) indent() { d.text.WriteString(strings.Repeat(" ", d.depth)) }

// end ends the line of element i of n.
func (d *dumper) end(i, n int) {
	if i < n-1 {
		d.text.WriteByte(',')
	}
	d.text.WriteByte('\n')
}

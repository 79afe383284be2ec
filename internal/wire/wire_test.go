package wire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"
)

// TestKnownBytes are encodings that other implementations give.
func TestKnownBytes(t *testing.T) {
	for _, c := range []struct {
		name string
		got  []byte
		want string
	}{
		{"uint", AppendUint(nil, 1, 150), "089601"},
		{"negative int", AppendInt(nil, 1, -1), "08ffffffffffffffffff01"},
		{"bool", AppendBool(nil, 2, true), "1001"},
		{"string", AppendText(nil, 2, "testing"), "120774657374696e67"},
		{"fixed64", AppendFixed64(nil, 1, 1), "090100000000000000"},
		{"large field", AppendBool(nil, maxField, true), "f8ffffff0f01"},
		{"message", AppendMessage(nil, 3, func(b []byte) []byte { return AppendUint(b, 1, 150) }), "1a03089601"},
		{"empty message", AppendMessage(nil, 3, func(b []byte) []byte { return b }), "1a00"},
		{"empty element", AppendElement(nil, 3, ""), "1a00"},
		{"zeros", AppendText(AppendFixed64(AppendBool(AppendUint(nil, 1, 0), 1, false), 1, 0), 1, ""), ""},
	} {
		if got := fmt.Sprintf("%x", c.got); got != c.want {
			t.Errorf("%s: got %s, want %s", c.name, got, c.want)
		}
	}
}

func TestLongMessage(t *testing.T) {
	text := strings.Repeat("x", 300)
	b := AppendMessage([]byte("before"), 3, func(b []byte) []byte { return AppendText(b, 1, text) })
	if want := "before" + string(AppendElement(nil, 3, AppendText(nil, 1, text))); string(b) != want {
		t.Errorf("got %q, want %q", b, want)
	}
}

func TestRoundTrip(t *testing.T) {
	b := AppendUint(nil, 1, math.MaxUint64)
	b = AppendInt(b, 2, math.MinInt64)
	b = AppendBool(b, 4, true)
	b = AppendFixed64(b, 6, math.MaxUint64)
	b = AppendText(b, 7, "a\xffb")
	b = AppendElement(b, 8, []byte{})
	d := NewDecoder(b)
	seen := 0
	for d.Next() {
		seen++
		ok := false
		switch d.Field() {
		case 1:
			ok = d.Uint() == math.MaxUint64
		case 2:
			ok = d.Int() == math.MinInt64
		case 4:
			ok = d.Bool()
		case 6:
			ok = d.num == math.MaxUint64
		case 7:
			ok = d.String() == "a\xffb"
		case 8:
			ok = d.Bytes() != nil && len(d.Bytes()) == 0
		}
		if !ok {
			t.Errorf("field %d came back changed", d.Field())
		}
	}
	if d.Err() != nil || seen != 6 {
		t.Errorf("%d fields, %v", seen, d.Err())
	}
}

func TestUnknownFieldsArePassedOver(t *testing.T) {
	b := AppendUint(nil, 9, 1)
	b = appendFixed32(b, 10, 1)
	b = AppendFixed64(b, 11, 1)
	b = AppendText(b, 12, "x")
	b = append(b, "\x6b\x08\x01\x73\x12\x01x\x74\x6c"...) // group 13 with fields 1, and group 14 with field 2
	b = AppendUint(b, 1, 7)
	d := NewDecoder(b)
	var got uint64
	for d.Next() {
		if d.Field() == 1 {
			got = d.Uint()
		}
	}
	if d.Err() != nil || got != 7 {
		t.Errorf("got %d, %v", got, d.Err())
	}
}

func TestMalformed(t *testing.T) {
	for name, in := range map[string]string{
		"a cut off tag":         "\x88",
		"a cut off number":      "\x08\x96",
		"a number of 11 bytes":  "\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
		"field 0":               "\x00\x01",
		"a large field":         "\xf8\xff\xff\xff\x1f\x01",
		"a cut off text":        "\x12\x07abc",
		"a length beyond all":   "\x12\xff\xff\xff\xff\xff\xff\xff\xff\x7fabc",
		"a cut off fixed32":     "\x0d\x01",
		"a cut off fixed64":     "\x09\x01\x01\x01\x01",
		"wire type 6":           "\x0e",
		"the end of no group":   "\x0c",
		"a group without end":   "\x0b",
		"a group ends as other": "\x0b\x14",
		"too many groups":       strings.Repeat("\x0b", maxGroups+1) + strings.Repeat("\x0c", maxGroups+1),
	} {
		d := NewDecoder([]byte(in))
		for d.Next() {
		}
		if !errors.Is(d.Err(), ErrMalformed) {
			t.Errorf("%s: got %v", name, d.Err())
		}
	}
}

func TestWrongType(t *testing.T) {
	for name, use := range map[string]func(*Decoder){
		"uint": func(d *Decoder) { d.Uint() }, "bytes": func(d *Decoder) { d.Bytes() },
	} {
		d := NewDecoder(appendFixed32(appendFixed32(nil, 1, 5), 1, 5))
		d.Next()
		use(d)
		if !errors.Is(d.Err(), ErrMalformed) || d.Next() {
			t.Errorf("%s: got %v", name, d.Err())
		}
	}
	d := NewDecoder(AppendUint(nil, 1, 5))
	d.Next()
	if d.Bytes(); d.Err() == nil {
		t.Error("a varint was taken for bytes")
	}
}

// FuzzDecoder: no input panics, takes long or reads behind its end; what was
// read, written again and read again, is the same.
func FuzzDecoder(f *testing.F) {
	f.Add(AppendText(AppendFixed64(appendFixed32(AppendInt(nil, 1, -1), 2, 1), 3, 1), 4, "x"))
	f.Add([]byte("\x0b\x08\x01\x0c"))
	f.Add([]byte("\x12\xff\xff\xff\xff\xff\xff\xff\xff\x7f"))
	f.Fuzz(func(t *testing.T, in []byte) {
		again, err := rewrite(in)
		if err != nil {
			return
		}
		twice, err := rewrite(again)
		if err != nil || !bytes.Equal(again, twice) {
			t.Errorf("%x became %x and then %x: %v", in, again, twice, err)
		}
	})
}

// appendFixed32 appends a field of a type that no message here has.
func appendFixed32(b []byte, field int, v uint32) []byte {
	return binary.LittleEndian.AppendUint32(appendTag(b, field, typeFixed32), v)
}

// rewrite reads all fields of a message and writes them again.
func rewrite(in []byte) ([]byte, error) {
	var out []byte
	d := NewDecoder(in)
	for d.Next() {
		switch d.kind {
		case typeVarint:
			out = AppendUint(out, d.Field(), d.Uint())
		case typeFixed32:
			out = appendFixed32(out, d.Field(), uint32(d.num))
		case typeFixed64:
			out = AppendFixed64(out, d.Field(), d.num)
		case typeLen:
			out = AppendElement(out, d.Field(), d.Bytes())
		}
	}
	return out, d.Err()
}

// sample is a message with a field of each kind that Fields has.
type sample struct {
	text  string
	data  []byte
	yes   bool
	count uint64
	size  int64
	names []string
	subs  []sample
}

func (m *sample) fields(f *Fields) {
	f.Text(1, &m.text)
	f.Bytes(2, &m.data)
	f.Bool(3, &m.yes)
	f.Uint(4, &m.count)
	f.Int(5, &m.size)
	f.Texts(6, &m.names)
	Messages(f, 7, &m.subs, (*sample).fields)
}

func TestFields(t *testing.T) {
	m := sample{"a", []byte("b"), true, 3, -4, []string{"", "c"}, []sample{{}, {text: "d", subs: []sample{{yes: true}}}}}
	b := Encode([]byte("before"), m.fields)
	if want := "before\x0a\x01a\x12\x01b\x18\x01\x20\x03\x28\xfc\xff\xff\xff\xff\xff\xff\xff\xff\x01\x32\x00\x32\x01c\x3a\x00\x3a\x07\x0a\x01d\x3a\x02\x18\x01"; string(b) != want {
		t.Errorf("got  %q\nwant %q", b, want)
	}
	var again sample
	if err := Decode(AppendText(b[len("before"):], 99, "unknown"), again.fields); err != nil || !reflect.DeepEqual(again, m) {
		t.Errorf("%+v became %+v, %v", m, again, err)
	}
	for _, bad := range []string{"\x0a\x7f", "\x08\x01", "\x3a\x02\x0a\x7f", "\x3a\x02\x08\x01"} {
		if err := Decode([]byte(bad), new(sample).fields); !errors.Is(err, ErrMalformed) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

package vars

import (
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/davecgh/go-spew/spew"
	"github.com/google/uuid"

	"github.com/weftrun/weft/schema/yaml"
)

// spewed returns the library's output.
func spewed(values ...any) string {
	return (&spew.ConfigState{Indent: " ", SortKeys: true}).Sdump(values...)
}

// TestDump compares dump with the library that it replaces.
func TestDump(t *testing.T) {
	date := time.Date(2024, 5, 6, 7, 8, 9, 10, time.UTC)
	id := uuid.MustParse("f47ac10b-58cc-4372-a567-0e02b2c3d479")
	for _, values := range [][]any{
		nil,
		{nil},
		{1, "a", nil},
		{true, false, int64(-1), uint64(math.MaxUint64), int8(3), uint8(4), 'x'},
		{1.5, 1e21, 1e20, 1e-7, 0.1, math.Copysign(0, -1), math.Inf(1), math.NaN(), float32(0.1), 1 + 2i, 1 - 2i, complex64(0.1i)},
		{"", "a\nb\"\x00é", []string{}, []string(nil), make([]int, 0, 4), make([]int, 2, 4), [0]byte{}, [2]string{"a", "b"}},
		{map[string]any{}, map[string]any(nil), map[string]any{"b": 1, "a": "x", "c": nil}, map[string]string{"z": "1", "Z": "2"}},
		{map[any]any{1: "one"}, map[any]any{nil: nil}, map[int]bool{1: true, 2: false}},
		{[]any{1, "a", nil, []any{}, []any{map[string]any{"k": []any{1.0}}}}, [][]any{{1}, nil, {}}},
		{[]byte(nil), []byte{}, []byte("0123456789abcdef and more"), []any{[]byte("deep"), map[string]any{"b": []byte{0, 255}}}},
		{date, date.Month(), date.Weekday(), time.Second, date.Location(), []any{date.Location(), date}, map[string]any{"at": date}},
		{(*time.Location)(nil), []any{(*time.Location)(nil)}},
		{id, id.Version(), id.Variant(), id.Domain(), id.Time(), map[string]any{"id": id}, []uuid.UUID{id}},
		{errors.New("wrong"), []error{nil}, map[string]any{"e": json.Number("1")}},
	} {
		if got, want := dump(values...), spewed(values...); got != want {
			t.Errorf("%#v:\n%s\nwant\n%s", values, got, want)
		}
	}
	// The library prints other keys in random order.
	if got, want := dump(map[any]any{2: 1, 1: 1, "a": 1}), "(map[interface {}]interface {}) (len=3) {\n (int) 1: (int) 1,\n (int) 2: (int) 1,\n (string) (len=1) \"a\": (int) 1\n}\n"; got != want {
		t.Errorf("keys of several types:\n%s", got)
	}
}

// TestDumpKinds checks that dump supports every kind that templates can reach by calling functions
// and then methods.
func TestDumpKinds(t *testing.T) {
	seen := map[reflect.Type]bool{}
	var reach func(reflect.Type)
	reach = func(typ reflect.Type) {
		if seen[typ] {
			return
		}
		seen[typ] = true
		switch typ.Kind() {
		case reflect.Map:
			if k := typ.Key().Kind(); k != reflect.String && k != reflect.Interface {
				t.Errorf("%s: keys are not sorted as numbers", typ)
			}
			reach(typ.Elem())
		case reflect.Slice, reflect.Array, reflect.Pointer:
			reach(typ.Elem())
		case reflect.Struct, reflect.Chan, reflect.Func, reflect.UnsafePointer, reflect.Uintptr:
			if _, ok := ownText(reflect.New(typ).Elem()); !ok {
				t.Errorf("templates can reach %s, which dump does not know", typ)
			}
		}
		for method := range typ.Methods() {
			if f := method.Type; f.NumOut() == 1 || f.NumOut() == 2 && f.Out(1) == reflect.TypeFor[error]() {
				reach(f.Out(0))
			}
		}
	}
	for _, f := range functions() {
		reach(reflect.TypeOf(f).Out(0))
	}
	if !seen[reflect.TypeFor[time.Time]()] || !seen[reflect.TypeFor[*time.Location]()] {
		t.Error("not all types were looked at")
	}
}

// FuzzDump compares dump with the library for all values that YAML can express.
func FuzzDump(f *testing.F) {
	for _, s := range []string{"1", "a: [1, 2.5, null, true]", "{b: {c: x}, a: 2001-01-01}", "- !!binary aGVsbG8=\n- []\n- {}", "1: x", "? [a]\n: b", "x: 0x7fffffffffffffff", "[18446744073709551615, .nan, -.inf]"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if strings.Contains(text, "&") {
			t.Skip("few anchors make a text without end")
		}
		v, err := yaml.Decode(text)
		if err != nil || hasOtherKeys(v) {
			return
		}
		if got, want := dump(v), spewed(v); got != want {
			t.Errorf("%#v:\n%s\nwant\n%s", v, got, want)
		}
	})
}

// hasOtherKeys reports whether something in v has several keys of which one is not text.
func hasOtherKeys(v any) bool {
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			if hasOtherKeys(e) {
				return true
			}
		}
	case map[string]any:
		for _, e := range v {
			if hasOtherKeys(e) {
				return true
			}
		}
	case map[any]any:
		return true
	}
	return false
}

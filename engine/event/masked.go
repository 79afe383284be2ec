package event

import (
	"reflect"
	"time"
)

// Masked returns ev with mask applied to every text in it but those of errors and what
// steps put out, which are masked where they are shown and where they are read. ev is
// not changed.
func Masked(ev Event, mask func(string) string) Event {
	if _, ok := ev.(*Output); ok {
		return ev
	}
	from := reflect.ValueOf(ev).Elem()
	masked := reflect.New(from.Type())
	masked.Elem().Set(from)
	out := masked.Interface().(Event)
	out.fields(masker(mask))
	return out
}

// masker is the [visitor] that masks the texts of an event.
type masker func(string) string

func (m masker) has(_ string, says bool) bool { return says }

func (m masker) text(_ string, s *string) { *s = m(*s) }

func (m masker) texts(_ string, list *[]string) {
	masked := make([]string, len(*list))
	for i, s := range *list {
		masked[i] = m(s)
	}
	*list = masked
}

func (m masker) object(_ string, within func(visitor)) { within(m) }

func (m masker) list(_ string, n int, resize func(int), each func(visitor, int)) {
	resize(n)
	for i := range n {
		each(m, i)
	}
}

func (masker) begin(string, *time.Time)       {}
func (masker) word(_, s string) string        { return s }
func (masker) number(_ string, n int64) int64 { return n }
func (masker) boolean(string, *bool)          {}
func (masker) seconds(string, *time.Duration) {}
func (masker) failure(*error)                 {}
func (masker) data(*[]byte)                   {}
func (masker) outputs(*map[string]any)        {}
func (masker) fail(error)                     {}

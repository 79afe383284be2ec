package report

import (
	"slices"

	"github.com/weftrun/weft/engine/event"
)

// multi hands every event to several reporters.
type multi []Reporter

// Multi returns a reporter that hands every event to all of rs, in order.
// Output is released when the last has seen it.
func Multi(rs ...Reporter) Reporter {
	if len(rs) == 1 {
		return rs[0]
	}
	return multi(slices.Clone(rs))
}

func (m multi) Handle(ev event.Event) {
	out, ok := ev.(*event.Output)
	if !ok {
		for _, r := range m {
			r.Handle(ev)
		}
		return
	}
	shared := *out
	shared.Release = nil
	for _, r := range m {
		r.Handle(&shared)
	}
	release(out)
}

func (m multi) Err() error {
	for _, r := range m {
		if err := r.Err(); err != nil {
			return err
		}
	}
	return nil
}

func (m multi) Close() error {
	var first error
	for _, r := range m {
		if err := r.Close(); err != nil && first == nil {
			first = err
		}
	}
	return first
}

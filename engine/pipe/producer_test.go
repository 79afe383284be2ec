package pipe

import (
	"testing"
	"time"

	"github.com/weftrun/weft/engine/clock"
)

// TestProducer: a producer without readers is stopped after a while, or at once if requested, but
// not while its output is kept, and not after its end.
func TestProducer(t *testing.T) {
	for name, tt := range map[string]struct {
		keep   func(outer, inner *Producer)
		atOnce bool
		after  time.Duration
		want   bool
	}{
		"a moment":     {after: drainTime / 2},
		"a while":      {after: 2 * drainTime, want: true},
		"at once":      {atOnce: true, after: 1, want: true},
		"kept":         {keep: func(outer, _ *Producer) { outer.Keep(1) }, after: 3 * drainTime},
		"kept within":  {keep: func(_, inner *Producer) { inner.Keep(1) }, after: 3 * drainTime},
		"not any more": {keep: func(_, inner *Producer) { inner.Keep(1); inner.Keep(-1) }, after: 2 * drainTime, want: true},
		"kept at once": {keep: func(outer, _ *Producer) { outer.Keep(1) }, atOnce: true, after: 1, want: true},
		"ended":        {keep: func(outer, _ *Producer) { outer.End() }, after: 2 * drainTime},
	} {
		t.Run(name, func(t *testing.T) {
			var c clock.Clock
			c.Pause()
			var outer Producer
			if tt.keep != nil {
				tt.keep(&outer, &Producer{Parent: &outer})
			}
			got := false
			outer.Drain(&c, tt.atOnce, func() { got = true })
			for passed := time.Duration(0); passed < tt.after; passed += drainTime / 2 {
				c.Advance(drainTime / 2)
			}
			if got != tt.want {
				t.Errorf("stopped: %t", got)
			}
			outer.End()
		})
	}
}

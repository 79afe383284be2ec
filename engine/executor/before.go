package executor

import (
	"context"
	"os"
	"path/filepath"
	"time"

	"github.com/weftrun/weft/engine/event"
)

// Success describes a step that succeeded in the earlier run that is being rerun.
type Success struct {
	Fingerprint string   // of its inputs, as in events
	Wrote       []string // files it generated, as in events
	Reason      string   // why it need not run now
}

// doneBefore reports whether a step that is not up to date, or is forced, need not run because it
// succeeded in the run being rerun: its inputs are the same, its files exist, and its outputs
// that others read were kept.
func (l *fresh) doneBefore(ctx context.Context, b *Bound, v *verdict) bool {
	if l.before == nil || v.check == nil || len(b.handed) > 0 || len(b.Step.Task.Status) > 0 || b.readable() && !v.check.Fresh {
		return false
	}
	was := l.before(b.Step)
	if was == nil || was.Fingerprint == "" || was.Fingerprint != shortDigest(v.check.Fingerprint()) {
		return false
	}
	if made, err := v.check.GeneratesExist(ctx); !made || err != nil {
		return false
	}
	for _, path := range was.Wrote {
		if !filepath.IsAbs(path) {
			path = filepath.Join(l.root, filepath.FromSlash(path))
		}
		if _, err := os.Lstat(path); err != nil {
			return false
		}
	}
	v.release()
	l.isFresh(b, v)
	b.Emit(&event.StepChecked{Time: time.Now(), Step: b.ID, Reasons: []string{was.Reason}})
	return true
}

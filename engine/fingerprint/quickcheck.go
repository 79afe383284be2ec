package fingerprint

import (
	"github.com/weftrun/weft/engine/fingerprint/state"
	"github.com/weftrun/weft/engine/glob"
)

// QuickCheck finds Inputs that are fresh without a [Check]: with one stat of each file that they
// name, and nothing else. It reads no file, warns of nothing and changes nothing. It is for one
// goroutine, and for a short time. Close must be called.
type QuickCheck struct {
	by   *Checker
	view *glob.View
}

// QuickCheck returns a QuickCheck.
func (by *Checker) QuickCheck() *QuickCheck { return &QuickCheck{by, by.files.View()} }

// Close ends the series of checks.
func (l *QuickCheck) Close() { l.view.Close() }

// Fresh reports whether [Checker.Check] would find in fresh, and returns its fingerprint. If it
// returns false, a Check is necessary: in differs from the recorded state, or files must be read.
func (l *QuickCheck) Fresh(in *Inputs) (d Digest, fresh bool) {
	if in.V3 || in.Outputs || in.Gitignore || in.Depfile != nil || in.Method == None {
		return d, false
	}
	r, _ := l.by.state.Get(state.KeyOf(formatVersion, in.Key))
	var last head
	if !last.decode(r.Head) || last.young {
		return d, false
	}
	texts := in.digest(l.by.state.Secret())
	if last.texts != texts && !in.FilesOnly {
		return d, false
	}
	l.view.Reset()
	sources, ok := l.view.Named(in.Dir, in.Sources)
	if !ok || statsOf(in.Root, sources) != last.sourceStats {
		return d, false
	}
	made, ok := l.view.Named(in.Dir, in.Generates)
	if !ok || statsOf(in.Root, made) != last.madeStats {
		return d, false
	}
	if in.Method == Timestamp {
		c := Check{in: in, sources: fileSet{files: sources}, generated: made, last: &last}
		if !c.inTime(true) {
			return d, false
		}
	}
	return combined(texts, last.sources), true
}

package engine

import (
	"path/filepath"
	"strings"

	"github.com/weftrun/weft/engine/fingerprint"
	"github.com/weftrun/weft/engine/fingerprint/state"
	"github.com/weftrun/weft/engine/proc"
	"github.com/weftrun/weft/internal/statefile"
)

// statePlace is .weft in the root directory unless another is named: below the
// root directory, or one directory for several projects.
func statePlace(o *Options) statefile.Place {
	root, dir := o.Workflow.Dir, o.TempDir
	in := func(base, path string) statefile.Place {
		if path == string(filepath.Separator) {
			path = "."
		}
		return statefile.Place{Base: base, Path: filepath.ToSlash(path), Project: root}
	}
	if dir == "" {
		return in(root, statefile.DirName)
	}
	shared := filepath.IsAbs(dir) || strings.HasPrefix(dir, "~")
	if strings.HasPrefix(dir, "~/") {
		for _, kv := range o.Environ {
			if home, ok := strings.CutPrefix(kv, "HOME="); ok {
				dir = home + dir[1:]
			}
		}
	}
	switch {
	case shared:
		return in(dir, filepath.Base(root))
	case filepath.IsLocal(dir) && filepath.Clean(dir) != ".":
		return in(root, filepath.Clean(dir))
	}
	dir = filepath.Join(root, dir)
	return in(filepath.Dir(dir), filepath.Base(dir))
}

// openState opens the state, for looking only if so said.
func (e *Engine) openState(readOnly bool) *state.Store {
	return state.Open(statePlace(&e.o), state.Options{ReadOnly: readOnly, Warn: e.warn, Within: func(step string) bool { return proc.Within(e.o.Environ, step) }})
}

// checkerOf is the Checker of a state and of the files that this engine looks at.
func (e *Engine) checkerOf(st *state.Store) *fingerprint.Checker {
	return fingerprint.New(st, e.tree, e.secrets.Holds)
}

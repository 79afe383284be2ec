package engine

import (
	"path/filepath"
	"strings"

	"github.com/weftrun/weft/engine/fingerprint"
	"github.com/weftrun/weft/engine/fingerprint/state"
	"github.com/weftrun/weft/engine/proc"
	"github.com/weftrun/weft/internal/statefile"
)

// StatePlace returns the location of the state of the project in root: .weft in root, unless dir is
// not "" and names another directory below root or one shared by several projects. environ is used
// for a home directory in dir.
func StatePlace(root, dir string, environ []string) statefile.Place {
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
		for _, kv := range environ {
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

// openState opens the state, optionally read-only.
func (e *Engine) openState(readOnly bool) *state.Store {
	return state.Open(StatePlace(e.o.Workflow.Dir, e.o.TempDir, e.o.Environ), state.Options{ReadOnly: readOnly, Warn: e.warn, InStep: func(step string) bool { return proc.InStep(e.o.Environ, step) }})
}

// keepListings keeps the listings of directories for later runs.
func (e *Engine) keepListings() {
	if !e.state.ReadOnly() {
		e.state.PutListings(e.tree.Listings(e.secrets.Contains))
	}
}

// checkerOf returns a Checker for a state and this engine's file tree.
func (e *Engine) checkerOf(st *state.Store) *fingerprint.Checker {
	return fingerprint.New(st, e.tree, e.secrets.Contains)
}

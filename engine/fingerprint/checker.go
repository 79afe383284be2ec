package fingerprint

import (
	"crypto/sha256"
	"sync/atomic"

	"github.com/weftrun/weft/engine/fingerprint/state"
	"github.com/weftrun/weft/engine/glob"
)

// Checker tells what is up to date. Everything that is checked in one run shares one.
// It is safe for concurrent use.
type Checker struct {
	state  *state.Store
	files  *glob.Tree
	secret func(text string) bool // see New
	salt   atomic.Pointer[salt]   // of the state's secret, once it is known
}

// New returns a Checker of files by what is recorded in a state. secret reports whether a
// text gives a secret away, for what is recorded; it may be nil.
func New(st *state.Store, files *glob.Tree, secret func(text string) bool) *Checker {
	files.Hide(st.Dir())
	return &Checker{state: st, files: files, secret: secret}
}

// salt makes the digests of a state its own.
type salt struct {
	of  state.Secret
	sum [16]byte // of the secret and of the version of the encoding
}

// salted returns the salt of the state.
func (by *Checker) salted() *salt {
	secret := by.state.Secret()
	if s := by.salt.Load(); s != nil && s.of == secret {
		return s
	}
	sum := sha256.Sum256(append([]byte(formatVersion), secret[:]...))
	s := &salt{of: secret, sum: [16]byte(sum[:])}
	by.salt.Store(s)
	return s
}

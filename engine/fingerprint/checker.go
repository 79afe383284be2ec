package fingerprint

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"strings"

	"github.com/weftrun/weft/engine/fingerprint/state"
	"github.com/weftrun/weft/engine/glob"
)

// Checker checks whether Inputs are up to date. All checks of one run share one. It is safe for
// concurrent use.
type Checker struct {
	state  *state.Store
	files  *glob.Tree
	secret func(text string) bool // see New
}

// New returns a Checker that compares files with the records of a state. secret reports whether a
// text to be recorded reveals a secret; it may be nil.
func New(st *state.Store, files *glob.Tree, secret func(text string) bool) *Checker {
	files.Hide(st.Dir())
	files.Recall(st.Listings)
	return &Checker{state: st, files: files, secret: secret}
}

// explained returns the fields as they are recorded, together with what else the
// digest of the texts covers. A text that reveals a secret is replaced by a keyed digest, which
// shows a change, but reveals nothing without the key.
func (by *Checker) explained(in *Inputs) []Field {
	key := by.state.Secret()
	out := make([]Field, 0, len(in.Fields)+len(in.Generates)+2)
	add := func(f Field) {
		if by.holdsSecret(f.Name) {
			kind, rest, _ := strings.Cut(f.Name, " ")
			f.Name = kind + " " + hex.EncodeToString([]byte(sealed(key, rest)))
		}
		if f.Secret = f.Secret || by.holdsSecret(f.Value); f.Secret {
			f.Value = sealed(key, f.Value)
		}
		out = append(out, f)
	}
	for _, f := range in.Fields {
		add(f)
	}
	add(Field{Name: "directory", Value: glob.Relative(in.Root, in.Dir+"/")})
	add(Field{Name: "method", Value: [...]string{"checksum", "timestamp", "none"}[in.Method]})
	for _, g := range in.Generates {
		f := Field{Name: "generates " + g.Glob, Value: "included"}
		if g.Exclude {
			f.Value = "excluded"
		}
		add(f)
	}
	return out
}

// holdsSecret reports whether a text reveals a secret.
func (by *Checker) holdsSecret(text string) bool { return by.secret != nil && by.secret(text) }

// sealed is a keyed digest of a secret. Since it is cut short, it cannot be extended, which is what an
// HMAC would prevent beyond this.
func sealed(key state.Secret, secret string) string {
	h := sha256.New()
	h.Write(key[:])
	io.WriteString(h, secret)
	return string(h.Sum(nil)[:16])
}

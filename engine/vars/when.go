package vars

import "errors"

// ErrNotRun is the value of a dynamic variable, and of all that is computed from
// it, for a Resolver without a Shell.
var ErrNotRun = errors.New("dynamic variables are not run here")

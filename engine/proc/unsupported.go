//go:build !(linux && (amd64 || arm64))

package proc

import "errors"

var errUnsupported = errors.New("not supported on this system")

//go:build !windows

package shell

import (
	"context"

	"mvdan.cc/sh/v3/interp"
)

// utilities are none: the system has them.
var utilities map[string]bool

// utility runs next.
func utility(ctx context.Context, args []string, next interp.ExecHandlerFunc) error {
	return next(ctx, args)
}

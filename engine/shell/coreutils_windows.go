package shell

import (
	"context"

	"mvdan.cc/sh/v3/interp"
	"mvdan.cc/sh/x/coreutils"
)

// utilities are the programs that scripts take for granted and this system lacks.
var utilities = map[string]bool{
	"base64": true, "cat": true, "chmod": true, "cp": true, "find": true, "gunzip": true, "gzcat": true, "gzip": true, "ls": true,
	"mkdir": true, "mktemp": true, "mv": true, "rm": true, "shasum": true, "tar": true, "touch": true, "xargs": true,
}

// utility runs one of them inside weft, or next for another program.
func utility(ctx context.Context, args []string, next interp.ExecHandlerFunc) error {
	return coreutils.ExecHandler(next)(ctx, args)
}

package main

import (
	"fmt"

	"github.com/weftrun/weft/engine/companion"
	"github.com/weftrun/weft/internal/version"
)

// serveCache handles --cache=serve: the second program, with the words after -- as its flags,
// replaces this one, so that signals reach it. It returns only on an error.
func (a *app) serveCache() int {
	path, err := companion.Find(a.environ, version.Module())
	if err == nil {
		err = replace(path, append([]string{companion.Name, "serve"}, a.opts.cliArgs...), a.environ)
	}
	return a.fail(fmt.Errorf("%s: --cache=serve: %w", a.name, err))
}

package main

import (
	"github.com/weftrun/weft/internal/version"
	"github.com/weftrun/weft/schema"
)

// version answers --version: the format's as the drop-in, else weft's own.
func (a *app) version() int {
	if a.dropIn() {
		a.out.Show(schema.FormatVersion + "\n")
	} else {
		a.out.Show(weftVersion() + linkage + "\n")
	}
	return 0
}

// weftVersion is the version of the module the program was built from.
func weftVersion() string { return version.Module() }

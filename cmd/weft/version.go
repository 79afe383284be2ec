package main

import (
	"github.com/weftrun/weft/internal/version"
	"github.com/weftrun/weft/schema"
)

// version handles --version. The drop-in shows the version of the format, weft its own.
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

// Package version is which version of the module a program was built from. The
// two programs of weft compare theirs.
package version

import "runtime/debug"

// Module returns the version of the main module, "devel" if that is not known.
func Module() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" || info.Main.Version == "(devel)" {
		return "devel"
	}
	return info.Main.Version
}

// Package version returns the version of the module that a program was built from. The two
// programs of weft compare their versions.
package version

import "runtime/debug"

// Module returns the version of the main module, or "devel" if it is unknown.
func Module() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" || info.Main.Version == "(devel)" {
		return "devel"
	}
	return info.Main.Version
}

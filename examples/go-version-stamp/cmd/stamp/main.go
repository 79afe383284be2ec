// Stamp prints the version it was built as.
package main

import "fmt"

// Set by the linker, see Taskfile.yml.
var (
	version = "devel"
	commit  = "unknown"
)

func main() {
	fmt.Printf("stamp %s (%s)\n", version, commit)
}

// Command weft runs the tasks of a Taskfile.
//
// It turns flags into an exit code. Each function is a method of [app] in a file of its own;
// exit.go is the table from errors to exit codes and texts; package report turns events into bytes.
// Under the name "task" it is a drop-in for the reference, with exactly the same messages.
package main

import (
	"os"
	"slices"
	"strings"
)

func main() { os.Exit(Main(os.Args, withoutChannel(os.Environ()))) }

// withoutChannel removes from an environment the channel to a Node that has started weft: programs
// do not inherit its descriptor, and Node aborts if the variable names one that does not exist.
func withoutChannel(environ []string) []string {
	return slices.DeleteFunc(environ, func(kv string) bool {
		return strings.HasPrefix(kv, "NODE_CHANNEL_FD=") || strings.HasPrefix(kv, "NODE_CHANNEL_SERIALIZATION_MODE=")
	})
}

// Command weft runs the tasks of a Taskfile.
//
// It is thin: it turns flags into an exit code. Each thing that it can do is a method of
// [app] in a file of its own; exit.go is the table from errors to exit codes and texts;
// package report turns events into bytes. Under the name "task" it is a drop-in for the
// reference, with exactly the same messages.
package main

import "os"

func main() { os.Exit(Main(os.Args, os.Environ())) }

// Command weft runs the tasks of a Taskfile.
//
// It is thin: flags in, exit code out. One file per thing it can be asked to
// do, each a method of [app]; exit.go is the table from errors to exit codes
// and texts; package report turns what happens into bytes. Called by the name
// "task" it is a drop-in for the format's own runner, with its messages to the
// letter.
package main

import "os"

func main() { os.Exit(Main(os.Args, os.Environ())) }

//go:build !unix

package main

import (
	"fmt"
	"strings"
)

// replace cannot replace this process on this system: the error describes how to start the other
// program.
func replace(path string, argv, _ []string) error {
	return fmt.Errorf("a program cannot replace itself on this system: run %s %s", path, strings.Join(argv[1:], " "))
}

package proc

import (
	"os"
	"slices"
	"strconv"
	"strings"
)

// ancestorIn reports whether a process above this one was started by a step: its environment
// says so, though that of this one was cleared. Of processes of other users it is not known.
func ancestorIn(step string) bool {
	for pid := os.Getppid(); pid > 0; pid = parentOf(pid) {
		environ, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/environ")
		if slices.Contains(outerSteps(strings.Split(string(environ), "\x00")), step) {
			return true
		}
	}
	return false
}

package engine

import (
	"fmt"
	"strings"

	"github.com/weftrun/weft/engine/proc"
)

// maxNested is how many wefts may run around this one. Nobody nests them so deep on
// purpose; a task or a variable that runs the program for itself never ends, and each
// level costs two processes.
const maxNested = 32

// NestedError is a weft that was started from itself too often.
type NestedError struct {
	Task string // whose command started it, or "" if it is not known
}

func (e *NestedError) Error() string {
	by := ""
	if e.Task != "" {
		by = fmt.Sprintf(", the last time by task %q", e.Task)
	}
	return fmt.Sprintf("the program was started from itself more than %d levels deep%s: a command or a sh: of the Taskfile runs it again and again; call the task with `task: NAME` instead, or have that command run another task", maxNested, by)
}

// nested returns an error where the wefts around this one are too many.
func nested(environ []string) error {
	var around int
	var task string
	for _, kv := range environ {
		switch name, value, _ := strings.Cut(kv, "="); {
		case value == "":
		case name == proc.RunVariable:
			around = 1 + strings.Count(value, ":")
		case name == proc.TaskVariable:
			task = value
		}
	}
	if around <= maxNested {
		return nil
	}
	return &NestedError{Task: task}
}

package engine

import (
	"fmt"
	"strings"

	"github.com/weftrun/weft/engine/proc"
)

// maxNested is the maximum nesting depth of weft processes. Deeper nesting is not intended; a task
// or a variable that runs its own program never ends, and each level costs two processes.
const maxNested = 32

// NestedError means that weft was started by itself too often.
type NestedError struct {
	Task string // whose command started it, or "" if unknown
}

func (e *NestedError) Error() string {
	by := ""
	if e.Task != "" {
		by = fmt.Sprintf(", the last time by task %q", e.Task)
	}
	return fmt.Sprintf("the program was started from itself more than %d levels deep%s: a command or a sh: of the Taskfile runs it recursively; call the task with `task: NAME` instead, or run another task in that command", maxNested, by)
}

// nested returns an error if weft is nested too deeply.
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

package proc

import (
	"slices"
	"strconv"
	"strings"
)

// Names of the variables in the environment of every program. Below another weft the
// identities are lists with colons, the outermost first.
const (
	RunVariable  = "WEFT_RUN_ID"
	StepVariable = "WEFT_STEP_ID"
	TaskVariable = "WEFT_TASK"
	// SessionVariable holds the session that a program starts in, so that a program
	// which makes its own session is recognised; or "keep" if the program is kept in any
	// case.
	SessionVariable = "WEFT_SESSION"
)

// Variables returns the names of the variables that Group.Environ defines. They must not
// be set by others.
func Variables() []string { return []string{RunVariable, StepVariable, TaskVariable, SessionVariable} }

// Cookie identifies a step among all runs on this machine. It is how a process is
// recognised whose parent has ended. The zero value identifies nothing.
type Cookie struct {
	Run  string
	Step int // 0 stands for the run as a whole
}

func (c Cookie) String() string {
	if c.Run == "" {
		return ""
	}
	return c.Run + "." + strconv.Itoa(c.Step)
}

// Environ returns the variables that identify the group's programs, or nil if the group
// has no cookie.
func (g *Group) Environ() []string {
	if g.o.Cookie.Run == "" {
		return nil
	}
	session := "keep"
	if g.o.Leftover != LeftoverKeep {
		session = g.t.session()
	}
	return []string{
		RunVariable + "=" + g.t.outerRun + g.o.Cookie.Run,
		StepVariable + "=" + g.t.outerStep + g.o.Cookie.String(),
		TaskVariable + "=" + g.o.Name,
		SessionVariable + "=" + session,
	}
}

// InStep reports whether this process, which has an environment, runs in a step of another
// weft, as its [Cookie] names it. No process runs in the step "".
func InStep(environ []string, step string) bool {
	return step != "" && (slices.Contains(outerSteps(environ), step) || ancestorIn(step))
}

// outerSteps returns the steps of wefts that a process with an environment runs in, the
// outermost first.
func outerSteps(environ []string) []string {
	return strings.Split(strings.TrimSuffix(outer(environ, StepVariable), ":"), ":")
}

// outer returns the prefix of our own identities in a variable: those of the weft that
// this one runs under, and a colon.
func outer(environ []string, name string) string {
	for _, kv := range environ {
		if v, ok := strings.CutPrefix(kv, name+"="); ok && v != "" {
			return v + ":"
		}
	}
	return ""
}

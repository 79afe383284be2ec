package proc

import (
	"strconv"
	"strings"
)

// Names of the variables that every program finds in its environment. Inside
// another weft the identities are lists: the outer ones, a colon, one's own.
const (
	RunVariable  = "WEFT_RUN_ID"
	StepVariable = "WEFT_STEP_ID"
	TaskVariable = "WEFT_TASK"
	// SessionVariable is the session that programs begin in. It tells those apart
	// that made one of their own. Those that are to go on in any case have "keep".
	SessionVariable = "WEFT_SESSION"
)

// Variables are the names of the variables that a group's Environ defines. They
// must not come from elsewhere.
func Variables() []string { return []string{RunVariable, StepVariable, TaskVariable, SessionVariable} }

// Cookie identifies a step among all runs on this machine: processes that have
// lost their parents are known by it. The zero value identifies nothing.
type Cookie struct {
	Run  string
	Step int // 0: no step's, but the run's
}

func (c Cookie) String() string {
	if c.Run == "" {
		return ""
	}
	return c.Run + "." + strconv.Itoa(c.Step)
}

// Environ returns the variables that tell programs what they belong to; nil for
// a group without a cookie.
func (g *Group) Environ() []string {
	if g.cookie.Run == "" {
		return nil
	}
	session := "keep"
	if g.leftover != Keep {
		session = g.t.session()
	}
	return []string{
		RunVariable + "=" + g.t.outerRun + g.cookie.Run,
		StepVariable + "=" + g.t.outerStep + g.cookie.String(),
		TaskVariable + "=" + g.name,
		SessionVariable + "=" + session,
	}
}

// OuterSteps returns the steps, of the wefts that this one runs under, that it was
// started by: with colons between them, the outermost first.
func OuterSteps(environ []string) string {
	return strings.TrimSuffix(outer(environ, StepVariable), ":")
}

// outer returns what stands before our own identities in a variable: those of
// the weft that this one runs under.
func outer(environ []string, name string) string {
	for _, kv := range environ {
		if v, ok := strings.CutPrefix(kv, name+"="); ok && v != "" {
			return v + ":"
		}
	}
	return ""
}

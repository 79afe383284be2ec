package command

import (
	"path"
	"strings"

	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/engine/executor"
	"github.com/weftrun/weft/engine/plan"
	"github.com/weftrun/weft/engine/proc"
)

// reportOn begins the report on a pipe: its members, of which none has ended.
func (j *job) reportOn(members []plan.Command) []event.Member {
	var list []event.Member
	var add func(members []plan.Command)
	add = func(members []plan.Command) {
		for i := range members {
			m := &members[i]
			if inner(m) {
				add(m.Members)
				continue
			}
			list = append(list, event.Member{Name: j.s.memberName(m)})
		}
	}
	add(members)
	j.s.mu.Lock()
	j.s.try.members = list
	j.s.mu.Unlock()
	return list
}

// inner reports whether a member of a pipe is not reported itself, but its own members are.
func inner(m *plan.Command) bool { return m.Kind == plan.Tee || m.Kind == plan.Merge }

// cutReport returns the part of a report that is on m, and the rest.
func cutReport(report []event.Member, m *plan.Command) (own, rest []event.Member) {
	n := 1
	if inner(m) {
		n = len(m.Members)
	}
	return report[:n:n], report[n:]
}

// memberName is the program that a member runs, or begins with, or its task.
func (s *step) memberName(m *plan.Command) string {
	if m.Kind == plan.TaskCall {
		return m.Text
	}
	words := strings.Fields(s.o.Secrets.Mask(m.Shown))
	if len(words) == 0 {
		return ""
	}
	return path.Base(strings.TrimRight(words[0], ";"))
}

// reported notes how a member of a pipe has ended; what is noted first counts: its own exit
// status, before it is said what that means.
func (e *ends) reported(err error) {
	if len(e.report) != 1 || e.report[0].Code != 0 || err == nil {
		return
	}
	code := executor.ExitCode(err)
	switch {
	case executor.CutOff(err):
		code = proc.BrokenPipe
	case code == 0:
		code = 1
	}
	e.report[0].Code = code
}

package event

// Masked returns ev with mask applied to every text in it but an error's and an output's,
// which are masked where they are shown and where they are read. ev is not changed.
func Masked(ev Event, mask func(string) string) Event {
	switch ev := ev.(type) {
	case *RunStarted:
		m := *ev
		m.Tasks, m.Argv = maskedAll(m.Tasks, mask), maskedAll(m.Argv, mask)
		return &m
	case *StepStarted:
		m := *ev
		m.Task, m.Name, m.Prefix = mask(m.Task), mask(m.Name), mask(m.Prefix)
		return &m
	case *CommandStarted:
		m := *ev
		m.Text, m.Dir = mask(m.Text), mask(m.Dir)
		return &m
	case *CommandEnded:
		m := *ev
		m.Members = nil
		for _, member := range ev.Members {
			m.Members = append(m.Members, Member{mask(member.Name), member.Code})
		}
		return &m
	case *GroupLines:
		m := *ev
		m.Begin, m.End = mask(m.Begin), mask(m.End)
		return &m
	case *CommandSkipped:
		m := *ev
		m.Text = mask(m.Text)
		return &m
	case *StopFailed:
		m := *ev
		m.Task, m.Text = mask(m.Task), mask(m.Text)
		return &m
	case *VarComputed:
		m := *ev
		m.Text, m.Result = mask(m.Text), mask(m.Result)
		return &m
	case *PreconditionFailed:
		m := *ev
		m.Message = mask(m.Message)
		return &m
	case *PromptAssumed:
		m := *ev
		m.Text = mask(m.Text)
		return &m
	case *StatusChecked:
		m := *ev
		m.Text = mask(m.Text)
		return &m
	case *Waiting:
		m := *ev
		m.Holder = mask(m.Holder)
		return &m
	case *StepSettled:
		m := *ev
		m.Task, m.Name, m.Prefix = mask(m.Task), mask(m.Name), mask(m.Prefix)
		return &m
	case *WatchStarted:
		m := *ev
		m.Tasks = maskedAll(m.Tasks, mask)
		return &m
	case *WatchTriggered:
		m := *ev
		m.Paths, m.Tasks = maskedAll(m.Paths, mask), maskedAll(m.Tasks, mask)
		return &m
	case *WatchEnded:
		m := *ev
		m.Task, m.Trigger = mask(m.Task), maskedAll(m.Trigger, mask)
		return &m
	case *DiagnosticFound:
		m, d := *ev, *ev.Diagnostic
		d.What, d.Why, d.Fix = mask(d.What), mask(d.Why), mask(d.Fix)
		m.Diagnostic = &d
		return &m
	case *Snapshot:
		m := *ev
		m.Steps = nil
		for _, s := range ev.Steps {
			r := Running{Task: mask(s.Task)}
			for _, p := range s.Processes {
				r.Processes = append(r.Processes, Process{p.Pid, mask(p.Name)})
			}
			m.Steps = append(m.Steps, r)
		}
		return &m
	case *StillRunning:
		m := *ev
		m.Tasks = maskedAll(m.Tasks, mask)
		return &m
	case *RunFinished:
		m := *ev
		m.Problems = nil
		for _, p := range ev.Problems {
			m.Problems = append(m.Problems, Problem{mask(p.Text), mask(p.Excerpt)})
		}
		return &m
	case *Leftover:
		m := *ev
		m.Name = mask(m.Name)
		return &m
	}
	return ev
}

func maskedAll(texts []string, mask func(string) string) []string {
	if texts == nil {
		return nil
	}
	out := make([]string, len(texts))
	for i, text := range texts {
		out[i] = mask(text)
	}
	return out
}

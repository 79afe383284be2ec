package remote

import (
	"cmp"

	"github.com/weftrun/weft/engine/cache"
	"github.com/weftrun/weft/schema"
	"github.com/weftrun/weft/schema/diag"
)

// Survey is where the tasks of a workflow would run, as far as that is known without a connection and
// without running anything.
type Survey struct {
	Machines []Machines    // in the order of the file; then the default, if a task uses that
	Tasks    []Destination // those that say themselves that they run elsewhere, in the order of the workflow
}

// Machines are those of a profile.
type Machines struct {
	Profile   string   // "default" if the file names none
	Pos       diag.Pos // of the profile; that of the first task that uses it if the file has none
	Platform  cache.Platform
	Runner    string // path of the program that is sent, or of the one there
	Installed bool   // Runner is there
	Size      int64  // bytes of the program that is sent
	Problem   string // why tasks cannot run there; "": they can
}

// String returns what the machines must be: "ISA=x86-64, OSFamily=linux".
func (m *Machines) String() string { return describe(m.Platform) }

// Destination is where a task runs.
type Destination struct {
	Task    *schema.Task
	Profile string
	// Reasons are those of [Refusals], and Unsendable is that there is no program to send for its profile
	// and the platform of its own, or that its text depends on the system. Without any of them it runs
	// elsewhere.
	Reasons    []string
	Unsendable string
}

// defaultProfile is the name of the machines of tasks without a profile.
const defaultProfile = "default"

// NewSurvey returns the survey of a workflow. It reads the programs that would be sent.
func NewSurvey(w *schema.Workflow) *Survey {
	s, ps := new(Survey), &places{workflow: w}
	usual := ""
	if r := w.Remote; r != nil {
		usual = r.Profile.S
		for i := range r.Profiles {
			p := &r.Profiles[i]
			s.Machines = append(s.Machines, ps.machines(p.Name, p.Pos))
		}
	}
	known := false // the default is in the survey
	for _, t := range w.Tasks {
		wants, told := w.Elsewhere(t)
		if !wants {
			continue
		}
		profile := usual
		if t.Remote != nil {
			profile = cmp.Or(t.Remote.Profile.S, usual)
		}
		if profile == "" && !known {
			known = true
			s.Machines = append(s.Machines, ps.machines("", t.Pos))
		}
		if !told {
			continue
		}
		d := Destination{Task: t, Profile: cmp.Or(profile, defaultProfile), Reasons: Refusals(t)}
		if p, err := ps.of(t.Remote); err != nil {
			d.Unsendable = err.Error()
		} else {
			d.Unsendable = ps.differs(p, t, func(func(string)) {})
		}
		s.Tasks = append(s.Tasks, d)
	}
	return s
}

// machines returns the machines of a profile.
func (ps *places) machines(profile string, pos diag.Pos) Machines {
	m := Machines{Profile: cmp.Or(profile, defaultProfile), Pos: pos}
	p, err := ps.of(&schema.TaskRemote{Profile: schema.Text{S: profile}})
	if err != nil {
		m.Problem = err.Error()
		return m
	}
	m.Platform, m.Size = p.worker.Platform, p.worker.Runner.Size
	if m.Runner = p.program; p.worker.Installed != "" {
		m.Runner, m.Installed = p.worker.Installed, true
	}
	return m
}

package remote

import (
	"cmp"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/weftrun/weft/engine/cache"
	"github.com/weftrun/weft/engine/plan"
	"github.com/weftrun/weft/schema"
)

// defaultTimeout is the time limit of a step that has none, and whose profile has none: not every
// server stops what nobody waits for.
const defaultTimeout = time.Hour

// places are the machines that the steps of a workflow are performed on. It is safe for concurrent use.
type places struct {
	workflow *schema.Workflow

	mu       sync.Mutex // guards programs
	programs map[string]*loaded
}

// loaded is a program that may be a runner.
type loaded struct {
	once sync.Once
	*program
	err error
}

// place is where a step is performed.
type place struct {
	profile string // its name; "" is the default
	worker  cache.Worker
	program string // path of the runner that is sent; "" if the worker has one
}

// of returns the place of the steps of a task that says own, which may be nil. The error is why there
// is none.
func (ps *places) of(own *schema.TaskRemote) (*place, error) {
	p := &place{}
	var profile schema.Profile
	if r := ps.workflow.Remote; r != nil {
		p.profile = r.Profile.S
	}
	if own != nil && own.Profile.S != "" {
		p.profile = own.Profile.S
	}
	if p.profile != "" {
		for _, one := range ps.workflow.Remote.Profiles {
			if one.Name == p.profile {
				profile = one
			}
		}
	}
	w := &p.worker
	for _, property := range profile.Platform {
		w.Platform = append(w.Platform, cache.Property(property))
	}
	if len(profile.Platform) == 0 {
		w.Platform = cache.ThisPlatform()
	}
	if own != nil {
		for _, property := range own.Platform {
			w.Platform = append(w.Platform, cache.Property(property))
		}
	}
	for _, v := range profile.Env {
		w.Env = append(w.Env, cache.EnvironmentVariable(v))
	}
	w.Timeout = cmp.Or(profile.Timeout, defaultTimeout)
	if w.Installed = profile.Runner.Installed; w.Installed != "" {
		return p, nil
	}
	path := profile.Runner.File
	if path != "" && !filepath.IsAbs(path) {
		path = filepath.Join(ps.workflow.Dir, path)
	}
	program, err := ps.load(path, w.Platform)
	if err != nil {
		return nil, fmt.Errorf("no weft for %s to send (%w): set runner of profile %q", p, err, cmp.Or(p.profile, defaultProfile))
	}
	w.Runner, p.program = program.digest, program.path
	return p, nil
}

// load returns the program at path, which is read once; "" is the running one.
func (ps *places) load(path string, platform cache.Platform) (*program, error) {
	if path == "" {
		var err error
		if path, err = self(); err != nil {
			return nil, err
		}
	}
	key := fmt.Sprint(path, platform)
	ps.mu.Lock()
	l := ps.programs[key]
	if l == nil {
		if l = new(loaded); ps.programs == nil {
			ps.programs = map[string]*loaded{}
		}
		ps.programs[key] = l
	}
	ps.mu.Unlock()
	l.once.Do(func() { l.program, l.err = loadProgram(path, platform) })
	return l.program, l.err
}

// differs returns why the work of t, which uses variables, is not the same at p as here: "its text depends on
// the system, …"; "" if it is.
func (ps *places) differs(p *place, t *schema.Task, used func(f func(name string))) string {
	family, isa := systemOf(p.worker.Platform)
	thisFamily, thisISA := systemOf(nil)
	here, there := thisFamily, family
	switch {
	case family != thisFamily:
	case isa != thisISA:
		here, there = thisISA, isa
	default:
		return ""
	}
	if what := plan.OfSystem(ps.workflow, t, used); what != "" {
		return fmt.Sprintf("its text depends on the system, %s here and %s there (%s)", here, there, what)
	}
	return ""
}

// systemOf returns the system of the machines of a platform, in the words of REAPI and in lower case. What
// the platform does not say is that of this machine.
func systemOf(platform cache.Platform) (family, isa string) {
	for _, p := range append(cache.ThisPlatform(), platform...) {
		switch p.Name {
		case "OSFamily":
			family = strings.ToLower(p.Value)
		case "ISA":
			isa = strings.ToLower(p.Value)
		}
	}
	return family, isa
}

// String returns what a worker must be: "ISA=x86-64, OSFamily=linux".
func (p *place) String() string { return describe(p.worker.Platform) }

// describe returns the properties of a platform as one text.
func describe(platform cache.Platform) string {
	var texts []string
	for _, property := range platform {
		texts = append(texts, property.Name+"="+property.Value)
	}
	return strings.Join(texts, ", ")
}

// limit returns how long a worker may take for s.
func (p *place) limit(s *plan.Step) time.Duration {
	return cmp.Or(s.Task.Timeout, p.worker.Timeout) + cache.AfterLimit
}

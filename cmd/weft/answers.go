package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/weftrun/weft/engine"
	"github.com/weftrun/weft/engine/plan"
	"github.com/weftrun/weft/schema"
	"github.com/weftrun/weft/schema/diag"
)

// JSON output of queries. The files in the directory schema describe it; within a version fields
// are added, never changed.

// printSchema handles --schema.
func (a *app) printSchema() int {
	text, ok, names := schema.Published(a.opts.schema)
	if !ok {
		return a.fail(flagError(fmt.Sprintf("--schema: there is no %q; there are %s", a.opts.schema, strings.Join(names, ", "))))
	}
	a.out.Show(text)
	return 0
}

// jsonStatus is the output of --status --json.
type jsonStatus struct {
	Version int           `json:"version"`
	Tasks   []jsonTaskNow `json:"tasks"`
}

type jsonTaskNow struct {
	Task     string `json:"task"`
	UpToDate bool   `json:"up_to_date"`
}

// upToDate handles --status: it returns an error for the first task that would run.
func (r *runner) upToDate(ctx context.Context, calls []plan.Call) (first error) {
	if !r.opts.json {
		return r.engine.UpToDate(ctx, calls)
	}
	all := jsonStatus{Version: 1, Tasks: []jsonTaskNow{}}
	for _, c := range calls {
		err := r.engine.UpToDate(ctx, []plan.Call{c})
		if err != nil && !is[*engine.NotUpToDateError](err) {
			return err
		}
		if first == nil {
			first = err
		}
		all.Tasks = append(all.Tasks, jsonTaskNow{c.Name, err == nil})
	}
	r.writeJSON(all)
	return first
}

// jsonProblem is a problem in --check --json.
type jsonProblem struct {
	Severity string `json:"severity"`
	Code     string `json:"code"` // its kind
	File     string `json:"file,omitempty"`
	Line     int32  `json:"line,omitempty"`
	Column   int32  `json:"column,omitempty"`
	What     string `json:"what"`
	Why      string `json:"why,omitempty"`
	Fix      string `json:"fix,omitempty"`
}

// jsonCheck is the output of --check --json.
type jsonCheck struct {
	Version  int           `json:"version"`
	Problems []jsonProblem `json:"problems"`
	Remote   *jsonServers  `json:"remote,omitempty"`
}

// checkedJSON is [app.checked] for --json: it shows all problems, and hints with --verbose.
func (a *app) checkedJSON(list diag.List, servers *jsonServers) (code int) {
	all := jsonCheck{Version: 1, Problems: []jsonProblem{}, Remote: servers}
	for _, d := range list.All() {
		if d.Severity == diag.Hint && !a.opts.verbose {
			continue
		}
		if d.Severity != diag.Hint && code == 0 {
			code = kindCode(d.Kind)
		}
		p := jsonProblem{Severity: d.Severity.String(), Code: d.Kind.String(), What: d.What, Why: d.Why, Fix: d.Fix}
		if d.Pos.IsValid() {
			p.File, p.Line, p.Column = d.Pos.File.Name, d.Pos.Line, d.Pos.Column
		}
		all.Problems = append(all.Problems, p)
	}
	a.writeJSON(all)
	return code
}

// jsonPs is the output of --ps --json.
type jsonPs struct {
	Version int       `json:"version"`
	Runs    []jsonRun `json:"runs"`
}

type jsonRun struct {
	Run       string        `json:"run"`
	Pid       int           `json:"pid"`
	Directory string        `json:"directory"`
	Command   []string      `json:"command"`
	Since     time.Time     `json:"since"`
	Ready     bool          `json:"ready"`
	Steps     []jsonState   `json:"steps,omitempty"`
	Processes []jsonProcess `json:"processes"`
}

// jsonState is a step of a run that answers requests, with the resources of its processes.
type jsonState struct {
	*stepState
	CPU    float64 `json:"cpu_seconds"`
	Memory int64   `json:"memory_bytes"`
	Ports  []int   `json:"ports,omitempty"`
}

type jsonProcess struct {
	Pid     int      `json:"pid"`
	Task    string   `json:"task"`
	Command []string `json:"command"`
	Step    int      `json:"step,omitempty"`
	CPU     float64  `json:"cpu_seconds"`
	Memory  int64    `json:"memory_bytes"`
	Ports   []int    `json:"ports,omitempty"`
}

func jsonRuns(rs []shownRun) jsonPs {
	all := jsonPs{Version: 1, Runs: []jsonRun{}}
	for _, r := range rs {
		run := jsonRun{Run: r.ID, Pid: r.Pid, Directory: r.Dir, Command: append([]string{}, r.Command...), Since: r.Since, Ready: r.ready, Processes: []jsonProcess{}}
		for _, s := range r.steps {
			run.Steps = append(run.Steps, jsonState{s.stepState, s.cpu.Seconds(), s.memory, s.ports})
		}
		for _, p := range r.Processes {
			run.Processes = append(run.Processes, jsonProcess{p.Pid, p.Task, append([]string{}, p.Command...), p.Step, p.CPU.Seconds(), p.Memory, p.Ports})
		}
		all.Runs = append(all.Runs, run)
	}
	return all
}

// jsonSummaries is the output of --summary --json.
type jsonSummaries struct {
	Version int           `json:"version"`
	Tasks   []jsonSummary `json:"tasks"`
}

type jsonSummary struct {
	Task     string        `json:"task"`
	Text     string        `json:"text"`
	Vars     []jsonVar     `json:"vars"`
	Env      []jsonVar     `json:"env"`
	Requires []string      `json:"requires"`
	Needs    []string      `json:"needs"`
	Aliases  []string      `json:"aliases"`
	Commands []jsonCommand `json:"commands"`
}

// jsonVar is a variable with its value, or its definition.
type jsonVar struct {
	Name  string `json:"name"`
	Value any    `json:"value,omitempty"`
	Sh    string `json:"sh,omitempty"`
	Ref   string `json:"ref,omitempty"`
}

type jsonCommand struct {
	Text string `json:"text"`
	Call bool   `json:"call"` // the text is the name of a task
}

func (a *app) summaryJSON(s *engine.Summary) jsonSummary {
	env, vs := a.ofFiles(s.Env), a.ofFiles(s.Vars)
	out := jsonSummary{Task: s.Name, Text: s.Text, Vars: []jsonVar{}, Env: jsonVars(env), Requires: append([]string{}, s.Requires...),
		Needs: append([]string{}, s.Deps...), Aliases: append([]string{}, s.Aliases...), Commands: []jsonCommand{}}
	for _, v := range jsonVars(vs) {
		if s.Env.Index(v.Name) < 0 {
			out.Vars = append(out.Vars, v)
		}
	}
	for _, c := range s.Commands {
		out.Commands = append(out.Commands, jsonCommand(c))
	}
	return out
}

func jsonVars(vs schema.Vars) []jsonVar {
	all := []jsonVar{}
	for _, v := range vs {
		j := jsonVar{Name: v.Name}
		switch {
		case v.Secret:
			j.Value = fmt.Sprint(v.Value)
		case v.Kind == schema.Dynamic:
			j.Sh = v.Text
		case v.Kind == schema.Ref:
			j.Ref = v.Text
		default:
			j.Value = v.Value
		}
		all = append(all, j)
	}
	return all
}

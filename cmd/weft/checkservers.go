package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/weftrun/weft/cmd/weft/report"
	"github.com/weftrun/weft/engine/cache"
	"github.com/weftrun/weft/engine/channel"
	"github.com/weftrun/weft/engine/remote"
	"github.com/weftrun/weft/schema"
	"github.com/weftrun/weft/schema/diag"
)

// jsonServers is what --check --remote tells beside problems.
type jsonServers struct {
	Connections []jsonConnection  `json:"connections"`
	Profiles    []jsonProfile     `json:"profiles"`
	Tasks       []jsonDestination `json:"tasks"`
}

// jsonConnection is what was negotiated with a server.
type jsonConnection struct {
	Key        string `json:"key"`    // that names it in the Taskfile
	Server     string `json:"server"` // "" if there is no second program
	API        string `json:"api,omitempty"`
	Compressed bool   `json:"compressed"`
	MaxBatch   int64  `json:"max_batch_bytes"`
	Reads      bool   `json:"reads"`
	Writes     bool   `json:"writes"`
	Executes   bool   `json:"executes"`
	Problem    string `json:"problem,omitempty"`
}

// String returns what is negotiated, on one line.
func (c *jsonConnection) String() string {
	parts := []string{"HTTP", "not compressed", "one file in a request"}
	if c.API != "HTTP" {
		parts[0] = "API " + c.API
	}
	if c.Compressed {
		parts[1] = "zstd"
	}
	if c.MaxBatch > 0 {
		parts[2] = "batches of at most " + byteSize(c.MaxBatch)
	}
	for _, can := range [...]struct {
		it   bool
		verb string
	}{{c.Reads, "reads"}, {c.Writes, "writes"}, {c.Executes, "executes"}} {
		if can.it {
			parts = append(parts, can.verb)
		}
	}
	return strings.Join(parts, ", ")
}

// jsonProfile is a profile.
type jsonProfile struct {
	Profile   string `json:"profile"`
	Platform  string `json:"platform,omitempty"`
	Runner    string `json:"runner,omitempty"`
	Installed bool   `json:"installed"`
	Size      int64  `json:"size_bytes,omitempty"`
	Problem   string `json:"problem,omitempty"`
}

// jsonDestination is where a task runs.
type jsonDestination struct {
	Task    string   `json:"task"`
	Place   string   `json:"place"` // "remote" or "here"
	Profile string   `json:"profile"`
	Reasons []string `json:"reasons,omitempty"` // why it runs here
}

// serverCheck is what --check --remote does.
type serverCheck struct {
	*app
	w     *schema.Workflow
	list  *diag.List
	shown *jsonServers
}

// checkServers handles --check --remote: it connects to the servers of w, adds the problems of connections,
// profiles and tasks that [engine.Check] does not know to list, and returns the rest.
func (a *app) checkServers(ctx context.Context, w *schema.Workflow, list *diag.List) *jsonServers {
	c := serverCheck{a, w, list, &jsonServers{Connections: []jsonConnection{}, Profiles: []jsonProfile{}, Tasks: []jsonDestination{}}}
	survey := remote.NewSurvey(w)
	for i := range survey.Machines {
		m := &survey.Machines[i]
		c.shown.Profiles = append(c.shown.Profiles, jsonProfile{Profile: m.Profile, Platform: m.String(), Runner: m.Runner, Installed: m.Installed, Size: m.Size, Problem: m.Problem})
		if m.Problem != "" {
			c.problem(m.Pos, "profile %q: %s", m.Profile, m.Problem)
		}
	}
	executes := c.connections(ctx)
	for i := range survey.Tasks {
		c.task(&survey.Tasks[i], executes)
	}
	return c.shown
}

func (c *serverCheck) problem(pos diag.Pos, format string, args ...any) {
	c.list.Add(&diag.Diagnostic{Pos: pos, Kind: diag.Other, What: fmt.Sprintf(format, args...)})
}

// connections connects to all servers, and reports whether one of them executes actions.
func (c *serverCheck) connections(ctx context.Context) (executes bool) {
	server := c.w.Remote != nil && c.w.Remote.Server.URL.S != ""
	shared := c.w.Cache != nil && c.w.Cache.Remote != nil
	asks := slices.ContainsFunc(c.w.Tasks, func(t *schema.Task) bool { wants, _ := c.w.Elsewhere(t); return wants })
	if c.opts.remote.Offline {
		c.problem(diag.Pos{}, "--offline: nothing was connected: --check --remote needs its servers")
		return false
	}
	if !server && (asks || !shared) {
		c.list.Add(&diag.Diagnostic{Kind: diag.Other, What: "--check --remote: " + schema.NoServer, Fix: schema.NoServerFix})
	}
	if !server && !shared {
		return false
	}
	dir, err := c.serverDir()
	if err != nil {
		c.problem(diag.Pos{}, "--check --remote: %v", err)
		return false
	}
	if shared {
		q := connection(c.w.Cache.Remote, dir, "")
		q.Push = c.mayPush(c.w)
		c.connect(ctx, "cache.remote", c.w.Cache.Remote, q)
	}
	if !server {
		return false
	}
	q := connection(&c.w.Remote.Server, dir, "")
	q.Remote = true
	return c.connect(ctx, "remote", &c.w.Remote.Server, q)
}

// task takes note of where a task runs. Its reasons of [remote.Refusals] are in the list already.
func (c *serverCheck) task(d *remote.Destination, executes bool) {
	t := jsonDestination{Task: d.Task.Name, Place: "remote", Profile: d.Profile, Reasons: d.Reasons}
	if d.Unsendable != "" {
		c.problem(d.Task.Pos, "task %q: runs here: %s", d.Task.Name, d.Unsendable)
		t.Reasons = append(t.Reasons, d.Unsendable)
	}
	if len(t.Reasons) == 0 && !executes {
		t.Reasons = append(t.Reasons, "no server runs it")
	}
	if len(t.Reasons) > 0 {
		t.Place = "here"
	}
	c.shown.Tasks = append(c.shown.Tasks, t)
}

// connect connects to the server of a key, and reports whether it can be used. What else the server gives
// cause for, like a credential helper that failed, is shown as warnings.
func (c *serverCheck) connect(ctx context.Context, key string, to *schema.Connection, q *channel.ConnectRequest) bool {
	var answer *channel.Connection
	// A web server has nothing to negotiate, and others tell their abilities to everybody: only a read shows
	// that it is there, and for whom.
	absent := channel.Blob(cache.DigestOf([]byte("weft --check --remote")))
	read, err := c.secondProgram(c.w.Dir).Server(q, func(a *channel.Connection) { answer = a }).Fetch(ctx, &channel.FetchRequest{Blobs: []channel.Blob{absent}, Remote: q.Remote})
	switch {
	case answer == nil:
		answer = &channel.Connection{Off: err.Error()} // there is no second program
	case answer.Off != "":
	case err != nil:
		answer.Off = err.Error()
	default:
		answer.Off = read.Problem
		answer.Warnings = append(answer.Warnings, read.Warnings...)
	}
	if answer.Off != "" {
		answer.Reads, answer.Writes, answer.Executes = false, false, false
	}
	for _, text := range answer.Warnings {
		if !strings.HasSuffix(text, ": going on without it") { // that is Off
			c.warnings([]*diag.Diagnostic{{Severity: diag.Warning, Kind: diag.SharedCache, What: text}})
		}
	}
	if answer.Off == "" && q.Remote && !answer.Executes && c.w.Remote.Jobs > 0 {
		answer.Off = "it does not execute actions"
	}
	if answer.Off != "" {
		about := key
		if answer.Server != "" {
			about += ": " + answer.Server
		}
		c.problem(to.URL.Pos, "%s: %s", about, answer.Off)
	}
	c.shown.Connections = append(c.shown.Connections, jsonConnection{
		Key: key, Server: answer.Server, API: answer.API, Compressed: answer.Zstd, MaxBatch: answer.MaxBatch,
		Reads: answer.Reads, Writes: answer.Writes, Executes: answer.Executes, Problem: answer.Off,
	})
	return answer.Off == ""
}

// showServers shows what is as it should be; the rest is among the problems.
func (a *app) showServers(s *jsonServers) {
	line := func(format string, args ...any) {
		a.paint(a.out, report.Default, diag.Printable(fmt.Sprintf(format, args...))+"\n")
	}
	for i := range s.Connections {
		if c := &s.Connections[i]; c.Problem == "" {
			line("%s: %s: %s", c.Key, c.Server, c)
		}
	}
	for i := range s.Profiles {
		p := &s.Profiles[i]
		runner := "installed " + p.Runner
		if !p.Installed {
			runner = fmt.Sprintf("%s, %s", p.Runner, byteSize(p.Size))
		}
		if p.Problem == "" {
			line("profile %q: %s: runner %s", p.Profile, cmp.Or(p.Platform, "any machine"), runner)
		}
	}
	for i := range s.Tasks {
		if t := &s.Tasks[i]; t.Place == "remote" {
			line("task %q: runs there: profile %q", t.Task, t.Profile)
		}
	}
}

package schema

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/weftrun/weft/schema/diag"
	"github.com/weftrun/weft/schema/yaml"
)

// Remote is the key `remote` of the root file: which tasks run elsewhere than in the root directory,
// and on what machines.
type Remote struct {
	Pos      diag.Pos
	Server   Connection // that runs them; without a URL there is none
	Mode     RemoteMode
	ModePos  diag.Pos
	Jobs     int           // tasks that are there at a time; 0: results are looked up only, DefaultJobs if not given
	Wait     time.Duration // longest time in the server's queue before a task runs here; 0: no limit
	Download Download      // which outputs of tasks elsewhere are fetched
	All      bool          // every task that can, unless it says remote: false
	Profile  Text          // of tasks that name none, "default" if there is one; zero: a machine like this one
	Profiles []Profile
}

// RemoteMode is whether tasks run elsewhere.
type RemoteMode string

// The modes of the root key.
const (
	RemoteOff    RemoteMode = ""       // they run here
	RemoteAuto   RemoteMode = "auto"   // here if that is not possible
	RemoteStrict RemoteMode = "strict" // they fail if that is not possible
)

// Download is which outputs of tasks that run elsewhere are fetched. Others stay there until they are
// needed here.
type Download string

// The values of Download.
const (
	DownloadAll      Download = "all"
	DownloadTopLevel Download = "toplevel" // those of tasks that the user has named
	DownloadNone     Download = "none"
)

// DefaultJobs is the default of [Remote.Jobs], and MaxJobs the maximum.
const (
	DefaultJobs = 64
	MaxJobs     = 1000
)

// Profile describes the machines that tasks run on.
type Profile struct {
	Name     string
	Pos      diag.Pos
	Platform []Property    // what the machine must be, as the server understands it
	Env      []Property    // of the commands; what a task declares has priority
	Timeout  time.Duration // of a task without its own; 0 if not given
	Runner   Runner
}

// Property is one of a list of names with values. A name may occur several times.
type Property struct{ Name, Value string }

// Runner is the weft that runs a task on the machines of a [Profile]. At most one field is set; the
// zero value is the running program.
type Runner struct {
	File      string // here; it is sent
	Installed string // there
}

// TaskRemote is the key `remote` of a task.
type TaskRemote struct {
	Pos      diag.Pos
	On       Tristate
	Profile  Text       // zero: that of the root file
	Platform []Property // added to that of the profile
}

const (
	remoteForm     = `{"anyOf":[` + boolForm + `,{"type":"string"},{"$ref":"#/$defs/taskRemote"}]}`
	profilesForm   = `{"type":["object","null"],"additionalProperties":{"$ref":"#/$defs/profile"}}`
	propertiesForm = `{"type":["object","null"],"additionalProperties":{"anyOf":[` + textForm + `,` + listOfText + `]}}`
)

var remoteKeys = []key[*Remote]{
	{"url", len(textForm), len("The server: grpcs://HOST[:PORT][/INSTANCE], grpc:// or unix:/PATH; that of cache.remote if not given."), func(d *decoder, n *yaml.Node, r *Remote) { r.Server.URL = d.plain(n) }},
	{"headers", len(headersForm), len("Sent with every request, by name; $NAME is taken from the environment."), func(d *decoder, n *yaml.Node, r *Remote) { d.connectionHeaders(n, &r.Server) }},
	{"helper", len(textForm), len("Program that gives credentials, as Bazel's credential helpers do."), func(d *decoder, n *yaml.Node, r *Remote) { r.Server.Helper = d.plain(n) }},
	{"tls", len(connectionTLSForm), len("Certificates, as PEM files."), func(d *decoder, n *yaml.Node, r *Remote) { d.connectionTLS(n, &r.Server) }},
	{"insecure", len(boolForm), len("Plain text is allowed beyond this machine; no credentials are sent then."), func(d *decoder, n *yaml.Node, r *Remote) { r.Server.Insecure = d.flag(n) }},
	{"mode", len(`{"enum":["off","auto","strict",null]}`), len("Whether tasks run elsewhere: off; auto: here if that is not possible; strict: they fail then."), (*decoder).remoteMode},
	{"jobs", len(`{"type":["integer","null"],"minimum":0,"maximum":1000}`), len("How many tasks may be there at a time; 0: results are looked up only."), (*decoder).remoteJobs},
	{"download", len(`{"enum":["all","toplevel","none",null]}`), len("Which outputs are fetched: all; toplevel: of the named tasks; none. Others stay there until they are needed here."), (*decoder).remoteDownload},
	{"wait", len(durationForm), len("Longest time that a task waits for a worker before it runs here."), func(d *decoder, n *yaml.Node, r *Remote) { r.Wait = d.timeout(n) }},
	{"all", len(boolForm), len("Every task that can runs elsewhere, unless it says remote: false."), func(d *decoder, n *yaml.Node, r *Remote) { r.All = d.flag(n) }},
	{"profile", len(textForm), len("Name of the profile of tasks that name none."), func(d *decoder, n *yaml.Node, r *Remote) { r.Profile = d.plainText(n) }},
	{"profiles", len(profilesForm), len("The kinds of machines that tasks run on, by name."), (*decoder).remoteProfiles},
}

var profileKeys = []key[*Profile]{
	{"platform", len(propertiesForm), len("What the machine must be, as the server understands it: NAME: VALUE."), func(d *decoder, n *yaml.Node, p *Profile) { p.Platform = d.platform(n) }},
	{"env", len(propertiesForm), len("Environment of the commands there."), func(d *decoder, n *yaml.Node, p *Profile) { p.Env = d.properties(n) }},
	{"timeout", len(durationForm), len("Longest time a task without its own may take."), func(d *decoder, n *yaml.Node, p *Profile) { p.Timeout = d.timeout(n) }},
	{"runner", len(`{"$ref":"#/$defs/runner"}`), len("The weft that runs the commands there."), func(d *decoder, n *yaml.Node, p *Profile) {
		if readMap(d, n, "runner", runnerKeys, &p.Runner); (p.Runner.File == "") == (p.Runner.Installed == "") {
			d.fail(n, "write {file: dist/weft} or {installed: /usr/bin/weft}", "runner: a map with file, or with installed, is expected")
		}
	}},
}

var runnerKeys = []key[*Runner]{
	{"file", len(textForm), len("A file here, which is sent."), func(d *decoder, n *yaml.Node, r *Runner) { r.File = d.plainText(n).S }},
	{"installed", len(textForm), len("Its path on the machine."), func(d *decoder, n *yaml.Node, r *Runner) { r.Installed = d.plainText(n).S }},
}

var taskRemoteKeys = []key[*TaskRemote]{
	{"profile", len(textForm), len("Name of its profile."), func(d *decoder, n *yaml.Node, r *TaskRemote) { r.Profile = d.plainText(n) }},
	{"platform", len(propertiesForm), len("What the machine must be, too."), func(d *decoder, n *yaml.Node, r *TaskRemote) { r.Platform = d.platform(n) }},
}

// NoServer is the error of a mode that needs a server, and NoServerFix what to do about it.
const (
	NoServer    = "remote execution needs a server"
	NoServerFix = "set remote.url in the Taskfile, or WEFT_REMOTE_URL"
)

func (d *decoder) remoteMode(n *yaml.Node, r *Remote) {
	r.ModePos = d.pos(n)
	switch mode := d.text(n).S; mode {
	case "", "off":
	case string(RemoteAuto), string(RemoteStrict):
		r.Mode = RemoteMode(mode)
	default:
		d.fail(n, "", "mode: off, auto or strict is expected, not %q", mode)
	}
}

func (d *decoder) remoteDownload(n *yaml.Node, r *Remote) {
	if isNull(n) {
		return
	}
	download, err := ParseDownload(d.text(n).S)
	if err != nil {
		d.fail(n, "", "download: %v", err)
		return
	}
	r.Download = download
}

// ParseDownload returns the Download with a name.
func ParseDownload(text string) (Download, error) {
	switch d := Download(text); d {
	case DownloadAll, DownloadTopLevel, DownloadNone:
		return d, nil
	}
	return DownloadAll, fmt.Errorf("all, toplevel or none is expected, not %q", text)
}

func (d *decoder) remoteJobs(n *yaml.Node, r *Remote) {
	if isNull(n) {
		return
	}
	jobs, err := ParseJobs(d.text(n).S)
	if err != nil {
		d.fail(n, "", "jobs: %v", err)
		return
	}
	r.Jobs = jobs
}

// ParseJobs returns the number of tasks that may be elsewhere at a time.
func ParseJobs(text string) (int, error) {
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 || n > MaxJobs {
		return 0, fmt.Errorf("a number from 0 to %d is expected, not %q", MaxJobs, text)
	}
	return n, nil
}

func (d *decoder) remoteProfiles(n *yaml.Node, r *Remote) {
	d.eachPair(n, "a map of names to profiles", func(k, v *yaml.Node) {
		p := Profile{Name: d.text(k).S, Pos: d.pos(k)}
		readMap(d, v, "profile", profileKeys, &p)
		r.Profiles = append(r.Profiles, p)
	})
}

// properties reads a map of names to values, or to lists of them.
func (d *decoder) properties(n *yaml.Node) (ps []Property) {
	d.eachPair(n, "a map of names to values", func(k, v *yaml.Node) {
		name := d.text(k).S
		if v.Kind != yaml.SequenceNode {
			ps = append(ps, Property{name, d.plainText(v).S})
			return
		}
		for _, it := range d.items(v, "values") {
			ps = append(ps, Property{name, d.plainText(it).S})
		}
	})
	return ps
}

// plainText reads a text that is no template: it is read before there are variables.
func (d *decoder) plainText(n *yaml.Node) Text {
	t := d.text(n)
	if IsTemplate(t.S) {
		d.fail(n, "write the value itself", "remote: %q: nothing is a template here", t.S)
	}
	return t
}

// platform reads the platform of a profile or a task.
func (d *decoder) platform(n *yaml.Node) []Property {
	ps := d.properties(n)
	if slices.ContainsFunc(ps, func(p Property) bool { return p.Name == "OSFamily" && strings.EqualFold(p.Value, "windows") }) {
		d.fail(n, "choose linux or macos", "platform: tasks cannot run elsewhere on Windows")
	}
	return ps
}

func (d *decoder) rootRemote(n *yaml.Node, doc *document) {
	if isNull(n) {
		return
	}
	doc.Remote = &Remote{Pos: d.pos(n), Jobs: DefaultJobs, Download: DownloadAll}
	readMap(d, n, "remote", remoteKeys, doc.Remote)
	d.literalPassword("remote", &doc.Remote.Server)
}

func (d *decoder) taskRemote(n *yaml.Node, t *Task) {
	if isNull(n) {
		return
	}
	r := &TaskRemote{Pos: d.pos(n), On: True}
	t.Remote = r
	switch {
	case n.Kind == yaml.MappingNode:
		readMap(d, n, "remote", taskRemoteKeys, r)
	case n.Kind == yaml.ScalarNode && n.Tag == "!!str" && !isBoolean(n.Value):
		r.Profile = d.plainText(n)
	default:
		r.On = d.boolean(n)
	}
}

// isBoolean reports whether YAML 1.1 reads a text as a bool.
func isBoolean(text string) bool {
	return slices.Contains([]string{"y", "yes", "on", "n", "no", "off"}, strings.ToLower(text))
}

// Elsewhere reports whether t is to run elsewhere if it can. told means that t itself says so.
func (w *Workflow) Elsewhere(t *Task) (wants, told bool) {
	if t.Remote != nil && t.Remote.On != Unset {
		return t.Remote.On == True, t.Remote.On == True
	}
	return w.Remote != nil && w.Remote.All, false
}

// checkProfiles reports profiles that do not exist. One called "default" is that of tasks that name none.
func (l *loader) checkProfiles(w *Workflow) {
	var names []string
	if r := w.Remote; r != nil {
		for _, p := range r.Profiles {
			if p.Name == "default" && r.Profile.S == "" {
				r.Profile = Text{S: p.Name, Pos: p.Pos}
			}
			names = append(names, p.Name)
		}
		l.checkProfile("", r.Profile, names)
	}
	for _, t := range w.Tasks {
		if t.Remote != nil {
			l.checkProfile(fmt.Sprintf("task %q: ", t.Name), t.Remote.Profile, names)
		}
	}
}

func (l *loader) checkProfile(about string, name Text, names []string) {
	if name.S == "" || slices.Contains(names, name.S) {
		return
	}
	d := &diag.Diagnostic{Pos: name.Pos, Kind: diag.Other, What: fmt.Sprintf("%sremote: no profile %q", about, name.S), Fix: "define it in the root file: remote: {profiles: {…}}"}
	if like := closest(name.S, names); like != "" {
		d.Fix = fmt.Sprintf("did you mean %q?", like)
	}
	l.list.Add(d)
}

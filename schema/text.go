package schema

import "github.com/weftrun/weft/schema/diag"

// This is the only walk over the texts of a workflow. Everything that must look at all of
// them uses it: checks of templates and scripts, the names of tasks, the variables that
// texts refer to. So a key that is added here is added for all of these.

// EachText calls f with every text of t that is given: those of deps and cmds first, and
// of these first what is run. It allocates nothing, unless there are groups.
func EachText(t *Task, f func(Place, Text)) {
	walk{text: f}.task(t)
}

// EachSharedText calls f with every text of w that is none of a task: those of the file
// and, once, of every include.
func EachSharedText(w *Workflow, f func(Place, Text)) {
	walk{text: f}.shared(w)
}

// EachVar calls f with every definition of a variable in w, those given to tasks that
// are called or read included.
func EachVar(w *Workflow, f func(*Var)) {
	v := walk{variable: f}
	v.shared(w)
	for _, t := range w.Tasks {
		v.task(t)
	}
}

// EachCommand calls f with every command of cs, and with the members of each after it.
func EachCommand(cs []Command, f func(*Command)) {
	for i := range cs {
		f(&cs[i])
		if cs[i].HasOptions() {
			EachCommand(cs[i].Members, f)
		}
	}
}

// walk is one walk over texts, or over variables: the other function is nil.
type walk struct {
	text     func(Place, Text)
	variable func(*Var)
}

// visit visits the text of a key at a place.
func (w walk) visit(at Place, key Key, index int, t Text) {
	if w.text != nil && !t.IsZero() {
		at.Key, at.Index = key, int32(index)
		w.text(at, t)
	}
}

func (w walk) each(at Place, key Key, ts []Text) {
	for i := range ts {
		w.visit(at, key, i, ts[i])
	}
}

// given visits a text that has no position of its own, unless it is empty.
func (w walk) given(at Place, key Key, index int, s string, pos diag.Pos) {
	if s != "" {
		w.visit(at, key, index, Text{s, pos})
	}
}

func (w walk) shared(f *Workflow) {
	var at Place
	w.vars(at, KeyVars, f.Vars)
	w.vars(at, KeyEnv, f.Env)
	w.each(at, KeyDotenv, f.Dotenv)
	w.visit(at, KeyGroupBegin, 0, f.Output.Begin)
	w.visit(at, KeyGroupEnd, 0, f.Output.End)
	w.visit(at, KeyRun, 0, f.Run)
	w.visit(at, KeyMethod, 0, f.Method)
	seen := map[*Include]bool{nil: true}
	for _, t := range f.Tasks {
		if !seen[t.Include] {
			seen[t.Include] = true
			w.vars(at, KeyIncludeVars, t.Include.Vars)
			w.vars(at, KeyVars, t.Include.FileVars)
		}
	}
}

func (w walk) task(t *Task) {
	at := Place{Task: t}
	w.commands(Place{Task: t, Need: true}, t.Deps)
	w.commands(at, t.Cmds)
	w.vars(at, KeyVars, t.Vars)
	w.vars(at, KeyEnv, t.Env)
	w.visit(at, KeyDesc, 0, t.Desc)
	w.visit(at, KeyDir, 0, t.Dir)
	w.each(at, KeyDotenv, t.Dotenv)
	if t.HasOptions() {
		w.taskOptions(at, t.TaskOptions)
	}
}

// taskOptions visits the keys that most tasks leave out.
func (w walk) taskOptions(at Place, o *TaskOptions) {
	w.processes(at, o.Processes)
	w.visit(at, KeySummary, 0, o.Summary)
	w.visit(at, KeyLabel, 0, o.Label)
	w.visit(at, KeyPrefix, 0, o.Prefix)
	w.visit(at, KeyRun, 0, o.Run)
	w.visit(at, KeyMethod, 0, o.Method)
	w.visit(at, KeyIf, 0, o.If)
	w.each(at, KeyStatus, o.Status)
	w.each(at, KeyPrompt, o.Prompt)
	for i := range o.Preconditions {
		w.visit(at, KeyPrecondition, i, o.Preconditions[i].Cmd)
		w.visit(at, KeyPreconditionMsg, i, o.Preconditions[i].Msg)
	}
	for i := range o.Requires {
		r := &o.Requires[i]
		w.given(at, KeyRequiredName, i, r.Name, r.Pos)
		w.given(at, KeyRequiredEnum, i, r.Ref, r.Pos)
	}
	for i := range o.Sources {
		w.visit(at, KeySources, i, o.Sources[i].Pattern)
	}
	for i := range o.Generates {
		w.visit(at, KeyGenerates, i, o.Generates[i].Pattern)
	}
	if o.Cache != nil {
		for i, text := range o.Cache.Key {
			key := KeyCacheText
			if text.Command {
				key = KeyCacheCommand
			}
			w.visit(at, key, i, text.Text)
		}
	}
	w.visit(at, KeyDepfile, 0, o.Depfile)
	for i := range o.Outputs {
		w.visit(at, KeyOutputs, i, o.Outputs[i].From)
	}
	if r := o.Running; r != nil {
		if r.Service != nil {
			w.service(at, r.Service)
		}
		w.each(at, KeyAfter, r.After)
		for i := range r.Ports {
			w.visit(at, KeyPort, i, r.Ports[i].Requested)
		}
	}
}

func (w walk) service(at Place, s *Service) {
	probe := func(p *Probe, keys [3]Key) {
		switch {
		case p == nil:
		case p.Kind == ProbeExec:
			w.visit(at, keys[1], 0, p.Target)
		case p.Kind == ProbeFile:
			w.visit(at, keys[2], 0, p.Target)
		default:
			w.visit(at, keys[0], 0, p.Target)
		}
	}
	probe(s.Ready, [...]Key{KeyReady, KeyReadyExec, KeyReadyFile})
	probe(s.Alive, [...]Key{KeyAlive, KeyAliveExec, KeyAliveFile})
	for i := range s.Listen {
		w.visit(at, KeyListen, i, s.Listen[i].Address)
	}
}

func (w walk) commands(at Place, cs []Command) {
	for i := range cs {
		c := &cs[i]
		at.Command = c
		switch c.Kind {
		case Shell:
			w.visit(at, KeyCmd, 0, c.Text)
		case Call:
			name := c.Text
			if !name.Pos.IsValid() {
				name.Pos = c.Pos // a call that names no task
			}
			w.visit(at, KeyTask, 0, name)
		}
		w.vars(at, KeyVars, c.Vars)
		if c.HasOptions() {
			w.commandOptions(at, c)
		}
	}
}

// commandOptions visits the keys that most commands leave out.
func (w walk) commandOptions(at Place, c *Command) {
	w.each(at, KeyExec, c.Argv)
	w.visit(at, KeyIf, 0, c.If)
	w.processes(at, c.Processes)
	if c.For != nil {
		w.loop(at, c.For)
	}
	if len(c.Members) > 0 {
		at.Groups = append(at.Groups, c)
		w.commands(at, c.Members)
	}
}

func (w walk) loop(at Place, f *For) {
	w.value(at, KeyFor, 0, f.List, f.Pos)
	w.given(at, KeyFor, 0, f.From, f.Pos)
	w.given(at, KeyForVar, 0, f.Var, f.Pos)
	for i := range f.Matrix {
		row := &f.Matrix[i]
		w.value(at, KeyForMatrix, i, row.Items, row.Pos)
		w.given(at, KeyForMatrixRef, i, row.Ref, row.Pos)
	}
}

func (w walk) processes(at Place, p *Processes) {
	if p == nil {
		return
	}
	w.visit(at, KeyStopCmd, 0, p.Stop.Command)
	if in := p.Stdin; in != nil {
		key := KeyStdinText
		switch {
		case in.Kind == StdinFile:
			key = KeyStdinFile
		case in.ReadsTask():
			key = KeyStdinTask
		}
		w.visit(at, key, 0, in.Text)
		w.vars(at, KeyStdinVars, in.Vars)
	}
	w.visit(at, KeyUser, 0, p.User)
	if c := p.IPC; c != nil {
		for i := range c.Send {
			w.value(at, KeyIPCSend, i, c.Send[i].Value, c.Send[i].Pos)
		}
		w.visit(at, KeyIPCSchema, 0, c.Schema)
		if c.To != nil {
			w.visit(at, KeyIPCTo, 0, c.To.Text)
			w.vars(at, KeyIPCVars, c.To.Vars)
		}
	}
	for i := range p.Stdout {
		w.visit(at, KeyStdoutFile, i, p.Stdout[i].File)
	}
	for i := range p.Stderr {
		w.visit(at, KeyStderrFile, i, p.Stderr[i].File)
	}
}

// vars visits the texts from which variables are computed.
func (w walk) vars(at Place, key Key, vs Vars) {
	for i := range vs {
		v := &vs[i]
		at.Var = v
		switch {
		case w.variable != nil:
			w.variable(v)
		case v.Kind == Static:
			w.value(at, key, i, v.Value, v.Pos)
		default:
			w.visit(at, key, i, Text{v.Text, v.Pos})
		}
	}
}

// value visits the texts in the value of a variable or an item of a loop.
func (w walk) value(at Place, key Key, index int, v any, pos diag.Pos) {
	EachString(v, func(s string) { w.visit(at, key, index, Text{s, pos}) })
}

// EachString calls f with every string in v, a value of a variable: v itself, or strings in its
// lists and maps. Keys of maps are left out.
func EachString(v any, f func(string)) {
	switch v := v.(type) {
	case string:
		f(v)
	case []string:
		for _, s := range v {
			f(s)
		}
	case []any:
		for _, item := range v {
			EachString(item, f)
		}
	case map[string]any:
		for _, item := range v {
			EachString(item, f)
		}
	}
}

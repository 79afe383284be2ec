// Package vars owns the values of a workflow's variables: it resolves names
// through the levels of the format, expands templates, runs dynamic variables
// through a [Shell], and builds the environment of commands. Only what is
// referred to is computed. It knows nothing of plans or of running tasks.
//
// # Levels
//
// The definitions that a task can see form one list, in order of increasing
// priority: the process environment, the special variables, global env, global
// vars (the command line's among them), include vars, the included file's vars,
// the variables of the call, those of the task, and last what is bound by
// loops. A name means the last definition before the place that refers to it,
// so `X: '{{.X | default "d"}}'` sees the level below. Each definition is
// computed when first referred to, and once per scope.
//
// A dynamic variable sees all scalar definitions before it as $NAME: when one
// is run, everything before it is computed first, in order.
package vars

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"mvdan.cc/sh/v3/syntax"

	"github.com/weftrun/weft/schema"
)

// Shell runs text the way `sh:` does and returns its standard output.
// Implementations are safe for concurrent use.
type Shell interface {
	Output(ctx context.Context, text, dir string, env []string) (string, error)
}

// Options configure a Resolver. Workflow is required; Shell where the workflow
// has dynamic variables.
type Options struct {
	Workflow *schema.Workflow
	Environ  []string    // the process environment
	CLI      schema.Vars // NAME=value from the command line, in order
	CLIArgs  []string    // what stands after --
	Flags    Flags
	Exe      string // argv[0]
	UserDir  string // the directory weft was started in
	Version  string // weft's own
	Shell    Shell
	// EnvPrecedence lets the workflow's env beat the process environment.
	EnvPrecedence bool
	// OnDynamic, if set, is told of every dynamic variable that was run.
	OnDynamic func(cmd, result string)
}

// Flags are the command line's flags that templates can see.
type Flags struct{ Force, Silent, Verbose, Offline, AssumeYes bool }

// Resolver resolves the variables of one workflow. It is safe for concurrent
// use, once LoadDotenv has returned.
type Resolver struct {
	o       Options
	environ map[string]string
	env     schema.Vars // global env, with the root dotenv files'
	globals schema.Vars // global vars, with the command line's
	results results
	parsed  parsed
	once    sync.Once // guards shared
	shared  []string  // the environment of tasks that add nothing, if it is the same for all
}

// New returns a Resolver. It computes nothing.
func New(o Options) *Resolver {
	r := &Resolver{o: o}
	r.env = o.Workflow.Env
	r.globals = mergeCLI(o.Workflow.Vars, o.CLI)
	return r
}

// mergeCLI puts the command line's variables into the global ones: an existing
// name keeps its place.
func mergeCLI(globals, cli schema.Vars) schema.Vars {
	if len(cli) == 0 {
		return globals
	}
	merged := append(schema.Vars(nil), globals...)
	for _, v := range cli {
		if i := merged.Index(v.Name); i >= 0 {
			merged[i] = v
			continue
		}
		merged = append(merged, v)
	}
	return merged
}

// ClearCache forgets the results of dynamic variables.
func (r *Resolver) ClearCache() { r.results.clear() }

// getenv looks a name up in the process environment.
func (r *Resolver) getenv(name string) (string, bool) {
	r.once.Do(r.index)
	v, ok := r.environ[name]
	return v, ok
}

func (r *Resolver) index() {
	r.environ = make(map[string]string, len(r.o.Environ))
	for _, kv := range r.o.Environ {
		if k, v, ok := strings.Cut(kv, "="); ok {
			r.environ[k] = v
		}
	}
}

// Mode tells how much is computed.
type Mode uint8

const (
	Full Mode = iota // dynamic variables run, errors are returned
	Fast             // dynamic variables are "", templates that fail stay as written
)

// Call says for which call of which task a Scope is.
type Call struct {
	Task  *schema.Task
	Name  string      // full name, stars replaced by what they matched
	Alias string      // the name as called
	Match []string    // what the stars matched
	Vars  schema.Vars // bound by the caller
}

// special returns the value of a special variable.
func (s *Scope) special(name string) (any, bool) {
	o := &s.r.o
	switch name {
	case "TASK_EXE":
		return filepath.ToSlash(o.Exe), true
	case "ROOT_TASKFILE":
		return filepath.ToSlash(o.Workflow.File.Path), true
	case "ROOT_DIR":
		return filepath.ToSlash(o.Workflow.Dir), true
	case "USER_WORKING_DIR":
		return filepath.ToSlash(o.UserDir), true
	case "TASK_VERSION":
		return schema.FormatVersion, true
	case "WEFT_VERSION":
		return o.Version, true
	case "PATH_LIST_SEPARATOR":
		return string(os.PathListSeparator), true
	case "FILE_PATH_SEPARATOR":
		return string(os.PathSeparator), true
	}
	if s.call.Task == nil {
		switch name {
		case "TASK", "TASK_DIR", "TASKFILE", "TASKFILE_DIR", "ALIAS":
			return "", true
		}
		return nil, false
	}
	switch name {
	case "TASK":
		return s.call.Task.Name, true
	case "ALIAS":
		return s.call.Alias, true
	case "TASKFILE":
		return filepath.ToSlash(s.call.Task.File.Path), true
	case "TASKFILE_DIR":
		return filepath.ToSlash(filepath.Dir(s.call.Task.File.Path)), true
	case "TASK_DIR":
		dir, err := s.varDir(context.Background())
		return filepath.ToSlash(dir), err == nil
	}
	return nil, false
}

// isSpecial reports whether name is a special variable.
func isSpecial(name string) bool {
	switch name {
	case "TASK_EXE", "ROOT_TASKFILE", "ROOT_DIR", "USER_WORKING_DIR", "TASK_VERSION", "WEFT_VERSION", "PATH_LIST_SEPARATOR",
		"FILE_PATH_SEPARATOR", "TASK", "ALIAS", "TASKFILE", "TASKFILE_DIR", "TASK_DIR":
		return true
	}
	return strings.HasPrefix(name, "CLI_")
}

var specialNames = [...]string{"TASK_EXE", "ROOT_TASKFILE", "ROOT_DIR", "USER_WORKING_DIR", "TASK_VERSION", "WEFT_VERSION",
	"PATH_LIST_SEPARATOR", "FILE_PATH_SEPARATOR", "TASK", "ALIAS", "TASKFILE", "TASKFILE_DIR", "TASK_DIR",
	"CLI_ARGS", "CLI_ARGS_LIST", "CLI_FORCE", "CLI_SILENT", "CLI_VERBOSE", "CLI_OFFLINE", "CLI_ASSUME_YES"}

// commandLine returns the value of a variable about the command line.
func (r *Resolver) commandLine(name string) (any, bool) {
	switch name {
	case "CLI_ARGS":
		quoted := make([]string, len(r.o.CLIArgs))
		for i, a := range r.o.CLIArgs {
			q, err := syntax.Quote(a, syntax.LangBash)
			if err != nil {
				q = fmt.Sprintf("%q", a)
			}
			quoted[i] = q
		}
		return strings.Join(quoted, " "), true
	case "CLI_ARGS_LIST":
		return append([]string{}, r.o.CLIArgs...), true
	case "CLI_FORCE":
		return r.o.Flags.Force, true
	case "CLI_SILENT":
		return r.o.Flags.Silent, true
	case "CLI_VERBOSE":
		return r.o.Flags.Verbose, true
	case "CLI_OFFLINE":
		return r.o.Flags.Offline, true
	case "CLI_ASSUME_YES":
		return r.o.Flags.AssumeYes, true
	}
	return nil, false
}

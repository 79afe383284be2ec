package vars

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"mvdan.cc/sh/v3/syntax"

	"github.com/weftrun/weft/schema"
)

// specialNames are the special variables that commands of dynamic variables see as $NAME.
// They do not include those about the command line, which are definitions before the global
// vars.
var specialNames = [...]string{"TASK", "ALIAS", "TASK_DIR", "TASKFILE", "TASKFILE_DIR", "TASK_EXE", "ROOT_TASKFILE", "ROOT_DIR",
	"USER_WORKING_DIR", "TASK_VERSION", "PATH_LIST_SEPARATOR", "FILE_PATH_SEPARATOR"}

// ofTaskNames is the number of the first specialNames, which differ from task to task.
const ofTaskNames = 5

// isSpecial reports whether name is a special variable.
func isSpecial(name string) bool {
	return name == "WEFT_VERSION" || slices.Contains(specialNames[:], name)
}

// special returns the value of a special variable.
func (f *frame) special(name string) (string, bool) {
	o := &f.r.o
	switch name {
	case "TASK_EXE":
		return filepath.ToSlash(o.Exe), true
	case "ROOT_TASKFILE":
		switch file := o.Workflow.File; {
		case file == nil:
			return "", true
		case file.Remote:
			return file.Path, true
		case file.Path == stdin:
			return filepath.ToSlash(filepath.Join(f.r.namedRoot(), stdin)), true
		default:
			return filepath.ToSlash(file.Path), true
		}
	case "ROOT_DIR":
		return filepath.ToSlash(f.r.namedRoot()), true
	case "USER_WORKING_DIR":
		return filepath.ToSlash(o.UserDir), true
	case "TASK_VERSION":
		return schema.FormatVersion, true
	case "WEFT_VERSION":
		if o.Version == nil {
			return "", true
		}
		return o.Version(), true
	case "PATH_LIST_SEPARATOR":
		return string(os.PathListSeparator), true
	case "FILE_PATH_SEPARATOR":
		return string(os.PathSeparator), true
	}
	if !ofTaskName(name) {
		return "", false
	}
	f.work().dep |= ofTask
	t := f.call.Task
	if t == nil {
		return "", true
	}
	switch name {
	case "TASK":
		return t.Name, true
	case "ALIAS":
		return f.call.Alias, true
	case "TASK_DIR": // as it is written: it is needed before any variable is computed
		for _, name := range [...]string{".ROOT_DIR", ".TASKFILE_DIR", ".USER_WORKING_DIR"} {
			if strings.Contains(t.Dir.S, name) {
				return filepath.ToSlash(t.Dir.S), true // will be absolute when it is expanded
			}
		}
		if filepath.IsAbs(t.Dir.S) {
			return filepath.ToSlash(t.Dir.S), true
		}
		if t.Pos.File != nil && t.Pos.File.Remote {
			return filepath.ToSlash(filepath.Join(o.UserDir, t.Dir.S)), true
		}
		return filepath.ToSlash(filepath.Join(f.r.namedRoot(), t.Dir.S)), true
	}
	isDir := name == "TASKFILE_DIR"
	switch {
	case t.Pos.File == nil, t.Pos.File.Remote && isDir:
		return "", true
	case t.Pos.File.Remote:
		return t.Pos.File.Path, true
	case isDir:
		return filepath.ToSlash(filepath.Dir(t.Pos.File.Path)), true
	}
	return filepath.ToSlash(t.Pos.File.Path), true
}

// stdin is the path of a file that was read from standard input.
const stdin = "__stdin__"

// namedRoot returns the root directory as variables show it: "" if the root file is remote, or
// if it was read from standard input and is run in the working directory.
func (r *Resolver) namedRoot() string {
	w := r.o.Workflow
	if w.File != nil && (w.File.Remote || w.File.Path == stdin && w.Dir == r.o.UserDir) {
		return ""
	}
	return w.Dir
}

// commandLine returns the variables about the command line.
func (r *Resolver) commandLine() []schema.Var {
	fl := r.o.Flags
	return append(Arguments(r.o.CLIArgs), []schema.Var{
		{Name: "CLI_FORCE", Value: fl.Force},
		{Name: "CLI_SILENT", Value: fl.Silent},
		{Name: "CLI_VERBOSE", Value: fl.Verbose},
		{Name: "CLI_OFFLINE", Value: fl.Offline},
		{Name: "CLI_ASSUME_YES", Value: fl.AssumeYes},
	}...)
}

// Arguments returns the variables for the arguments after -- on the command line.
func Arguments(args []string) schema.Vars {
	args = append([]string{}, args...)
	return schema.Vars{{Name: "CLI_ARGS", Value: quoteAll(args)}, {Name: "CLI_ARGS_LIST", Value: args}}
}

func quoteAll(args []string) string {
	quoted := make([]string, len(args))
	for i, a := range args {
		q, err := syntax.Quote(a, syntax.LangBash)
		if err != nil { // a zero byte, which no argument of a process contains
			q = fmt.Sprintf("%q", a)
		}
		quoted[i] = q
	}
	return strings.Join(quoted, " ")
}

// byName indexes NAME=value entries. The last entry of a name counts.
func byName(environ []string) map[string]string {
	m := make(map[string]string, len(environ))
	for _, kv := range environ {
		if name, value, ok := strings.Cut(kv, "="); ok {
			m[name] = value
		}
	}
	return m
}

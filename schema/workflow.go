// Package schema reads workflow files: each file becomes a document, and the documents
// become one [Workflow] with every include merged. Check finds the problems that can be found
// without running anything.
//
// It knows YAML, by package yaml below it, and no YAML type leaves it. It knows nothing of
// running, of the order of execution, or of the values of templates. A [Workflow] is plain
// data and immutable once [Load] has returned it.
package schema

import (
	"time"

	"github.com/weftrun/weft/schema/diag"
)

// Text is a string of a file, as written, with its position. Most Texts are
// templates; the fields that hold them say which.
type Text struct {
	S   string
	Pos diag.Pos
}

// IsZero reports whether the key was absent.
func (t Text) IsZero() bool { return t.S == "" && !t.Pos.IsValid() }

// Tristate is a boolean key that may be absent: absent lets an outer level
// decide, false overrides it.
type Tristate uint8

const (
	Unset Tristate = iota
	False
	True
)

// Or returns t's value, or def when t is unset.
func (t Tristate) Or(def bool) bool {
	if t == Unset {
		return def
	}
	return t == True
}

// Workflow is the content of all files after includes: the root file with every included file
// merged into it.
type Workflow struct {
	File    *diag.File   // the root file
	Sources []*diag.File // all files that it was read from, each once; the root file is the first
	Dir     string       // the root directory (ROOT_DIR), absolute
	Pos     diag.Pos

	Output       Output
	Method       Text          // default up-to-date method; "" means checksum
	Fingerprint  string        // default rule of what is looked at; "" means FingerprintFull
	Cache        *Cache        // nil: only tasks that say so are cached
	Remote       *Remote       // nil: no task runs elsewhere but those that say so
	Run          Text          // default run mode; "" means always
	Interval     time.Duration // of watching; 0 leaves it to the watching
	Silent       bool
	Set, Shopt   []string     // shell options for every command
	Shell        *Interpreter // nil: weft's own
	Dotenv       []Text       // templates; relative to Dir
	Vars, Env    Vars
	Secrets      bool // there may be variables with Secret
	Users        bool // there may be commands with User
	UseGitignore Tristate
	Pools        []NamedPool // that tasks take from; names are unique
	Jobserver    bool        // programs get make's jobserver

	// Partial means that included remote files are missing, because nothing may be fetched. A
	// missing task may be in them.
	Partial bool

	// Tasks are all tasks, included ones too, in the order of definition, each
	// under its full name. Names are unique; see Task and Add.
	Tasks []*Task
	// ByAlias finds tasks by alias, in order of definition; more than one is
	// an error only when that alias is called.
	ByAlias map[string][]*Task
	// Wildcards are the tasks whose name or an alias holds a "*", in order.
	Wildcards []*Task

	names    nameTable // of Tasks
	lookup   lookup
	shadowed []*diag.Diagnostic // for Check: tasks, variables and the like that a later one of the same name replaces
}

// Output is the root key `output`.
type Output struct {
	Pos       diag.Pos
	Style     string // "", interleaved, group, prefixed, or an unknown name
	Begin     Text   // template; group only
	End       Text   // template; group only
	ErrorOnly bool   // group only
}

// VarKind is the source of a variable's value.
type VarKind uint8

const (
	Static  VarKind = iota // Value, strings in it being templates
	Dynamic                // the standard output of the command Text
	Ref                    // the value of the template expression Text
)

// Var is one entry of `vars` or `env`.
type Var struct {
	Name   string
	Pos    diag.Pos
	Kind   VarKind
	Secret bool // its value is shown as *****
	// Value of a Static variable: nil, string, bool, int, uint64 (only above
	// the range of int), float64, []any or map[string]any (keys that are not
	// strings are formatted), nested freely.
	Value any
	// Text of a Dynamic variable's command or of a Ref's expression.
	Text string
	// Dir is where a Dynamic variable of an included file runs, absolute or a
	// template; "" means the directory of the level it is evaluated at.
	Dir string
}

// Vars are variables in the order of definition; names are unique. The zero Vars is empty.
type Vars []Var

// Index returns the position of name, or -1.
//
//go:noinline
func (vs Vars) Index(name string) int {
	for i := range vs {
		if vs[i].Name == name {
			return i
		}
	}
	return -1
}

// Task is one task under its full name. A task given as a string, a list or
// nothing has the fields that form implies.
type Task struct {
	Name      string   // full name: "ns:build"
	LocalName string   // as written in its own file: "build"
	Pos       diag.Pos // its File is the one that defines the task
	Index     int32    // place in Workflow.Tasks

	Desc Text // template (fast mode)
	// Dir is where the commands run: a template, then ~ and $VAR are expanded.
	// A relative one is relative to Workflow.Dir; "" means Workflow.Dir itself.
	// The directories of advanced includes are joined in already, so there it
	// is absolute, unless it is a template that says itself where it is.
	Dir        Text
	Vars, Env  Vars
	Deps, Cmds []Command

	UseGitignore Tristate
	Silent       Tristate
	Interactive  bool
	Internal     bool
	IgnoreError  bool
	Watch        bool
	Failfast     bool

	// Settings added by includes (nil for tasks of the root file).
	Include *Include

	*TaskOptions
}

// TaskOptions are the keys that most tasks leave out. A file may have 100,000 tasks: those
// without any of these keys share one value, which must not be changed. It is never nil in
// a Workflow.
type TaskOptions struct {
	Aliases       []string // full names
	Summary       Text     // template (fast mode)
	Label         Text     // template
	Prefix        Text     // template
	Run           Text     // template: "", always, once, when_changed
	If            Text     // template: shell command
	Prompt        []Text
	Requires      []Required
	Preconditions []Precondition
	Platforms     []Platform
	Set, Shopt    []string
	Dotenv        []Text // templates; relative to the task's directory

	// Up to date: see engine/fingerprint.
	Sources, Generates []Glob
	Depfile            Text // template: pattern of the files in which its commands write what they have read
	Status             []Text
	Method             Text   // template: "", checksum, timestamp, none
	Fingerprint        string // "" means Workflow.Fingerprint
	Cache              *Cache // nil: as Workflow.Cache says; see Workflow.Cached

	Remote *TaskRemote // nil: as Workflow.Remote says; see Workflow.Elsewhere

	Timeout time.Duration // of the whole task; 0: none
	Outputs []NamedOutput

	Processes *Processes // of its commands
	Running   *Running   // nil: it has no such keys
}

// Include holds the settings that the includes around a task give to it. Tasks of one file share
// it. It is the result of all levels: an outer include overrides an inner one.
type Include struct {
	Namespace string // see Task.Namespace
	// Dir is the directory of the outermost advanced include, absolute; ""
	// when there is none. Task.Dir has it already.
	Dir string
	// Vars are the `vars` of the advanced includes. Dynamic ones run in the root directory.
	Vars Vars
	// FileVars are the global variables of the outermost includer that is
	// reached by an advanced include, as they were when the file had just been
	// merged ("included Taskfile vars").
	FileVars Vars
}

// CommandKind is the kind of action of a Command.
type CommandKind uint8

const (
	Shell    CommandKind = iota // run Text
	Call                        // call the task named Text with Vars
	Exec                        // run Argv without a shell
	Pipe                        // run Members at the same time, each reading what the one before it writes
	Parallel                    // run Members at the same time
	Tee                         // in a Pipe: Members all read what the one before writes
	Merge                       // first in a Pipe: what Members write, together
)

// MergeMode selects how the outputs of several commands become one.
type MergeMode uint8

const (
	MergeLines  MergeMode = iota // whole lines, in order of arrival
	MergeRaw                     // one pipe for all
	MergeConcat                  // one after the other, as written
)

// Command is one entry of cmds or deps. A dependency is a Command of kind Call.
type Command struct {
	Pos  diag.Pos
	Text Text // template: the script, or the name of the task (with its namespace prefix)
	Vars Vars // of a Call

	Kind        CommandKind
	Defer       bool // runs when the task's body ends
	Silent      bool
	IgnoreError bool

	*CommandOptions
}

// CommandOptions are the keys that most commands leave out. Commands without any of them
// share one value, which must not be changed. It is never nil in a Workflow.
type CommandOptions struct {
	If         Text // template
	For        *For
	Platforms  []Platform
	Set, Shopt []string
	Timeout    time.Duration // 0: none
	Processes  *Processes

	Argv       []Text    // of an Exec: templates
	Members    []Command // of a Pipe, Parallel, Tee or Merge
	Mode       MergeMode
	EarlyClose bool // a member of the Pipe may fail when those after it have succeeded
	Background bool // the next command starts at once; this one is awaited at the end of the run

	// Of a dependency.
	Until    Until
	Optional bool // it may be missing
}

// Until is the state that a dependency must reach before the task that has it starts.
type Until uint8

const (
	UntilDefault   Until = iota // UntilReady of a service, else UntilSucceeded
	UntilStarted                // it has started
	UntilReady                  // it is ready to serve, or has succeeded
	UntilSucceeded              // it has succeeded
	UntilEnded                  // it has ended; a failure fails the run at its end
)

var untilNames = [...]string{UntilDefault: "", UntilStarted: "started", UntilReady: "ready", UntilSucceeded: "succeeded", UntilEnded: "ended"}

// String returns u as it is written, "" for the default.
func (u Until) String() string { return untilNames[u] }

// For is a loop over a command or a dependency. Exactly one of List, From, Var
// and Matrix is set.
type For struct {
	Pos    diag.Pos
	List   []any  // literal items; not templates
	From   string // "sources", "generates", or an unknown word (no iterations)
	Var    string // name of the variable to loop over
	Split  string // separator for a string variable; "" means white space
	As     string // name of the item variable; "" means ITEM
	Matrix []MatrixRow
}

// MatrixRow is one dimension of a matrix: literal items or a reference.
type MatrixRow struct {
	Name  string
	Pos   diag.Pos
	Items []any
	Ref   string // template expression that gives a list; "" means Items
}

// Glob is one entry of sources or generates.
type Glob struct {
	Pattern Text // template
	Exclude bool
}

// Precondition must hold before the task's commands run.
type Precondition struct {
	Cmd Text // template
	Msg Text // template; zero means the default message
	// Short means that it was written as a string: the default message then
	// quotes the command.
	Short bool
}

// Required is one entry of requires.vars.
type Required struct {
	Name string
	Pos  diag.Pos
	Enum []string // allowed values; nil means any
	Ref  string   // template expression that gives the allowed values; "" means Enum
}

// Platform is one entry of platforms. Either may be "", meaning any.
type Platform struct {
	OS, Arch string
}

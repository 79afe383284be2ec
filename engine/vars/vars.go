// Package vars owns the values of a workflow's variables: it resolves names
// through the levels of the format, expands templates, runs dynamic variables
// through a [Shell], and builds the environment of commands. Only what is
// referred to is computed. It knows nothing of plans or of running tasks.
//
// # Levels
//
// What a task can see is one list, in order of increasing priority: the process
// environment, the special variables, global env, global vars (with the command
// line's), include vars, the included file's vars, the variables of the call,
// those of the task, and last what loops bind. A name means the last definition
// before the place that refers to it, so `X: '{{.X | default "d"}}'` sees the
// level below. See define.go.
//
// # What is computed, and how often
//
// Definitions are computed once per scope; those of a file that come out the same
// for every task are kept for all scopes. A dynamic variable sees all scalars
// before it as $NAME: when one is run, everything before it is computed first, in
// order. Equal commands in equal surroundings run once (dynamic.go). When that is,
// and what is computed at all, is said in start.go.
package vars

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/weftrun/weft/schema"
)

// Shell runs text the way `sh:` does and returns its standard output, with
// nothing trimmed. Implementations are safe for concurrent use.
type Shell interface {
	Output(ctx context.Context, text, dir string, env []string) (string, error)
}

// Options configure a Resolver. Workflow is required.
type Options struct {
	Workflow *schema.Workflow
	Environ  []string    // the process environment, NAME=value; must not change
	CLI      schema.Vars // NAME=value from the command line, in order
	CLIArgs  []string    // what stands after --: CLI_ARGS, CLI_ARGS_LIST
	Flags    Flags       // the other CLI_ variables
	Exe      string      // argv[0]: TASK_EXE
	UserDir  string      // the directory weft was started in: USER_WORKING_DIR
	Version  string      // weft's own: WEFT_VERSION
	Shell    Shell       // nil: no dynamic variable is ever run, see start.go
	// EnvPrecedence lets the workflow's env beat the process environment.
	EnvPrecedence bool
	// OnDynamic, if set, is told of every command of a dynamic variable that
	// was run; the result of a secret one is masked. It must be safe for
	// concurrent use.
	OnDynamic func(cmd, result string)
	// OnSecret, if set, is told of the value of every secret variable that was
	// computed, more than once maybe; without a name, if nothing refers to it yet. It must be safe for concurrent use.
	OnSecret func(name, value string)
}

// Flags are the command line's flags that templates can see.
type Flags struct{ Force, Silent, Verbose, Offline, AssumeYes bool }

// Resolver resolves the variables of one workflow. It is safe for concurrent
// use, once LoadDotenv has returned.
type Resolver struct {
	o         Options
	results   results
	templates templates
	osEnv     func() map[string]string // Environ by name

	mu       sync.Mutex // guards dotenv and early, and the building of the two below
	dotenv   schema.Vars
	early    bool // root dotenv files are being found: nothing of the command line counts
	globals  atomic.Pointer[block]
	includes sync.Map // *schema.Include → *block
	traits   fileTraits

	plain atomic.Pointer[environment] // of tasks that declare nothing
}

// New returns a Resolver. It computes nothing.
func New(o Options) *Resolver {
	r := &Resolver{o: o}
	r.osEnv = sync.OnceValue(func() map[string]string { return byName(o.Environ) })
	return r
}

// ClearCache forgets what dynamic variables came to; scopes made from now on
// run them again.
func (r *Resolver) ClearCache() {
	r.results.clear()
	r.forget()
}

// forget drops everything that is kept for all scopes.
func (r *Resolver) forget() {
	r.globals.Store(nil)
	r.includes.Clear()
	r.traits.forget()
	r.plain.Store(nil)
}

// Mode tells how much is computed.
type Mode uint8

const (
	Full Mode = iota // dynamic variables run, errors are returned
	Fast             // dynamic variables have no value, templates that fail stay as written
)

// Call says for which call of which task a Scope is.
type Call struct {
	Task  *schema.Task // nil outside of any task
	Name  string       // full name, stars replaced by what they matched
	Alias string       // the name as called
	Match []string     // what the stars matched
	Vars  schema.Vars  // bound by the caller, see [Scope.BindCall]; not modified
}

// Scope is what one call of a task can see. It is for one goroutine at a time;
// scopes made from one another by With count as one.
type Scope struct {
	*frame
	bound []Binding // of loops and the like
	outer *Scope    // what With was called on
}

// Binding is a name with its value.
type Binding struct {
	Name  string
	Value any
}

// Scope returns the scope of a call. Nothing is computed.
func (r *Resolver) Scope(c Call, m Mode) *Scope {
	s := &struct {
		Scope
		frame
	}{}
	s.frame = frame{r: r, call: c, mode: m}
	s.Scope.frame = &s.frame
	return &s.Scope
}

// Global returns the scope outside of any task.
func (r *Resolver) Global(m Mode) *Scope { return r.Scope(Call{}, m) }

// With returns a scope in which the names of bs mean their values, whatever
// else defines them. Only texts expanded in the new scope see them: definitions
// of variables do not.
func (s *Scope) With(bs ...Binding) *Scope {
	return &Scope{frame: s.frame, bound: bs, outer: s}
}

// Apart returns a scope that sees what s sees, and in which texts may be expanded
// that Uses is not to know of.
func (s *Scope) Apart() *Scope {
	f, w := *s.frame, *s.work()
	w.texts = nil
	f.w = &w
	return &Scope{frame: &f, bound: s.bound, outer: s.outer}
}

// WithCallVar returns a scope for the same call with one variable more, at the
// level of the call's, so that the task's variables see it. Nothing that s has
// computed is kept, nor what With bound.
func (s *Scope) WithCallVar(name string, value any) *Scope {
	c := s.call
	c.Vars = append(c.Vars[:len(c.Vars):len(c.Vars)], schema.Var{Name: name, Value: value})
	return s.r.Scope(c, s.mode)
}

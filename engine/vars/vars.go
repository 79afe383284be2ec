// Package vars computes the values of a workflow's variables: it resolves names through the
// levels of the format, expands templates, runs dynamic variables through a [Shell], and
// builds the environment of commands. It computes only what is referred to. It knows nothing
// of plans or of running tasks.
//
// # Levels
//
// The definitions that a task can see form one list, in order of increasing priority: the
// process environment, the special variables, global env, global vars (with those of the
// command line), include vars, the included file's vars, the variables of the call, those of
// the task, and those that loops bind. A name refers to the last definition before the
// place where it is used, so `X: '{{.X | default "d"}}'` refers to the level below. See
// define.go.
//
// # What is computed, and how often
//
// A definition is computed once per scope. If it is in a file and has the same value for
// every task, all scopes share the value. A dynamic variable sees all scalars before it as
// $NAME: before it is run, everything before it is computed, in order. Equal commands with
// equal directories and environments are run once (dynamic.go). start.go defines what is computed,
// and when.
package vars

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/weftrun/weft/schema"
)

// Shell runs text as `sh:` does and returns its standard output, without trimming it.
// Implementations are safe for concurrent use.
type Shell interface {
	Output(ctx context.Context, text, dir string, env []string) (string, error)
}

// Options configures a Resolver. Workflow is required.
type Options struct {
	Workflow *schema.Workflow
	Environ  []string      // the process environment, NAME=value; must not change
	CLI      schema.Vars   // NAME=value from the command line, in order
	CLIArgs  []string      // arguments after --: CLI_ARGS, CLI_ARGS_LIST
	Flags    Flags         // the other CLI_ variables
	Exe      string        // argv[0]: TASK_EXE
	UserDir  string        // the directory weft was started in: USER_WORKING_DIR
	Version  func() string // returns weft's own: WEFT_VERSION; nil: ""
	Shell    Shell         // nil if no dynamic variable is to be run, see start.go
	// EnvPrecedence gives the workflow's env priority over the process environment.
	EnvPrecedence bool
	// OnDynamic, if set, is called for every command of a dynamic variable that was run.
	// The result of a secret variable is masked. It must be safe for concurrent use.
	OnDynamic func(cmd, result string)
	// OnSecret, if set, is called with the value of every secret variable that was
	// computed, perhaps several times. The name is "" if nothing refers to the variable
	// yet. It must be safe for concurrent use.
	OnSecret func(name, value string)
}

// Flags holds the flags of the command line that templates can see.
type Flags struct{ Force, Silent, Verbose, Offline, AssumeYes bool }

// Resolver resolves the variables of one workflow. It is safe for concurrent
// use, once LoadDotenv has returned.
type Resolver struct {
	o         Options
	results   results
	templates templates
	osEnv     func() map[string]string // Environ by name

	mu            sync.Mutex // guards the next two, and is locked while globals is built
	dotenv        schema.Vars
	findingDotenv bool // the paths of root dotenv files are expanded: without the command line
	globals       atomic.Pointer[block]
	includes      sync.Map // *schema.Include → *block
	traits        fileTraits

	plain atomic.Pointer[environment] // of tasks that declare no environment
}

// New returns a Resolver. It computes nothing.
//
//go:noinline
func New(o Options) *Resolver {
	r := &Resolver{o: o}
	r.osEnv = sync.OnceValue(func() map[string]string { return byName(o.Environ) })
	return r
}

// ClearCache drops the values of dynamic variables: scopes that are made from now on run
// them again.
func (r *Resolver) ClearCache() {
	r.results.mu.Lock()
	r.results.m = nil
	r.results.mu.Unlock()
	r.forget()
}

// forget drops all values that scopes share.
func (r *Resolver) forget() {
	r.globals.Store(nil)
	r.includes.Clear()
	r.traits.globals.Store(nil)
	r.traits.includes.Clear()
	r.plain.Store(nil)
}

// Mode selects how much is computed.
type Mode uint8

const (
	Full Mode = iota // dynamic variables run, errors are returned
	Fast             // dynamic variables have no value, and templates that fail stay as they are written
)

// Call is the call of a task that a Scope belongs to.
type Call struct {
	Task  *schema.Task // nil outside of any task
	Name  string       // full name, with each star replaced by what it matched
	Alias string       // the name in the call
	Match []string     // what the stars matched
	Vars  schema.Vars  // bound by the caller, see [Scope.BindCall]; not modified
}

// Scope is the set of variables that a call of a task can see. It is for one goroutine at a
// time, and so are all scopes together that With has made from each other.
type Scope struct {
	*frame
	bound []Binding // by loops and the like
	outer *Scope    // that With was called on
}

// Binding is a name with its value.
type Binding struct {
	Name  string
	Value any
}

// Scope returns the scope of a call. It computes nothing.
//
//go:noinline
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

// With returns a scope in which bs override all other definitions of their names. Only texts
// that are expanded in the new scope see them; definitions of variables do not.
func (s *Scope) With(bs ...Binding) *Scope {
	return &Scope{frame: s.frame, bound: bs, outer: s}
}

// WithVar is With for a binding that references of the call see, too, from now on.
func (s *Scope) WithVar(b Binding) *Scope {
	in := s.With(b)
	s.work().ofRefs = in
	return in
}

// Untracked returns a scope that sees what s sees. Uses of s does not include texts that are
// expanded in it.
func (s *Scope) Untracked() *Scope {
	f, w := *s.frame, *s.work()
	w.texts = nil
	f.w = &w
	return &Scope{frame: &f, bound: s.bound, outer: s.outer}
}

// WithCallVar returns a scope for the same call with an additional variable of the call, so
// that the task's variables see it. It has none of the values that s has computed, and no
// bindings of With.
func (s *Scope) WithCallVar(name string, value any) *Scope {
	c := s.call
	c.Vars = append(c.Vars[:len(c.Vars):len(c.Vars)], schema.Var{Name: name, Value: value})
	return s.r.Scope(c, s.mode)
}

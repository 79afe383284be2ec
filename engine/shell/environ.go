package shell

import (
	"hash/maphash"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"mvdan.cc/sh/v3/expand"

	"github.com/weftrun/weft/engine/proc"
)

// environ is an environment for the interpreter. The last entry of a name counts; entries
// without a name are ignored. It is immutable.
type environ struct {
	of      []string // the list it was made from
	index   envIndex
	program []string // for a program that is started directly, without its group's variables
}

// newEnviron converts env, without the variables of groups.
func newEnviron(env []string) *environ {
	e := &environ{of: env}
	e.index.init(len(env))
	for _, kv := range env {
		if i := strings.IndexByte(kv, '='); i > 0 && !ofGroup(kv[:i]) {
			e.index.put(kv, i)
		}
	}
	e.program = make([]string, 0, len(e.index.list))
	for _, kv := range e.index.list {
		switch name, _, _ := strings.Cut(kv, "="); name {
		case "PWD", "IFS", "OPTIND":
			// The interpreter has variables of its own by these names, which
			// are not exported.
		default:
			e.program = append(e.program, kv)
		}
	}
	return e
}

// with returns the environment of a program that is started directly: e with what replaces
// parts of it, and the variables of its group.
func (e *environ) with(extra, group []string) (base, more []string) {
	if len(extra) == 0 {
		return e.program, group
	}
	more = slices.Concat(extra, group)
	for _, kv := range extra {
		if name, _, _ := strings.Cut(kv, "="); e.index.get(name) != "" {
			return nil, lastOfEach(e.program, more)
		}
	}
	return e.program, more
}

// lastOfEach returns the last entry of each name of two lists.
func lastOfEach(a, b []string) []string {
	var x envIndex
	x.init(len(a) + len(b))
	for _, kv := range slices.Concat(a, b) {
		if i := strings.IndexByte(kv, '='); i > 0 {
			x.put(kv, i)
		}
	}
	return x.list
}

// exported is an exported variable with a value.
func exported(value string) expand.Variable {
	return expand.Variable{Set: true, Exported: true, Kind: expand.String, Str: value}
}

// Get implements expand.Environ.
func (e *environ) Get(name string) expand.Variable {
	kv := e.index.get(name)
	if kv == "" {
		return expand.Variable{}
	}
	return exported(kv[len(name)+1:])
}

// Each implements expand.Environ.
func (e *environ) Each(f func(name string, v expand.Variable) bool) {
	for _, kv := range e.index.list {
		name, value, _ := strings.Cut(kv, "=")
		if !f(name, exported(value)) {
			return
		}
	}
}

// ofGroup reports whether a variable is defined by the group of a program.
func ofGroup(name string) bool {
	return strings.HasPrefix(name, "WEFT_") && slices.Contains(proc.Variables(), name)
}

// quiet is an environ with the variables of a script and of its group. It lists no variables unless
// loud is positive: after every script the interpreter copies its variables, which are not used,
// and that takes much of the time of a short script.
type quiet struct {
	*environ
	own   []string // of the script and its group, which replaces that of environ
	extra bool     // own has variables of the script
	loud  atomic.Int32
}

// Get implements expand.Environ.
func (q *quiet) Get(name string) expand.Variable {
	if q.extra || ofGroup(name) {
		for _, kv := range q.own {
			if k, v, _ := strings.Cut(kv, "="); k == name {
				return exported(v)
			}
		}
	}
	return q.environ.Get(name)
}

// Each implements expand.Environ, if q is loud.
func (q *quiet) Each(f func(name string, v expand.Variable) bool) {
	if q.loud.Load() == 0 {
		return
	}
	more := true
	q.environ.Each(func(name string, v expand.Variable) bool {
		more = f(name, v)
		return more
	})
	for _, kv := range q.own {
		if !more {
			return
		}
		name, value, _ := strings.Cut(kv, "=")
		more = f(name, exported(value))
	}
}

// programEnv returns the environment of a program that the interpreter starts: the variables
// that are exported according to their last entry in env.
func programEnv(env expand.Environ) []string {
	var x envIndex
	x.init(96)
	var gone []string // exported by an earlier entry, but not by the last
	env.Each(func(name string, v expand.Variable) bool {
		switch {
		case v.Exported && v.Kind == expand.String && v.IsSet() && !strings.HasPrefix(name, jobPrefix):
			x.put(name+"="+v.Str, len(name))
			if i := slices.Index(gone, name); i >= 0 {
				gone = slices.Delete(gone, i, i+1)
			}
		case x.get(name) != "":
			gone = append(gone, name)
		}
		return true
	})
	if len(gone) == 0 {
		return x.list
	}
	return slices.DeleteFunc(x.list, func(kv string) bool {
		name, _, _ := strings.Cut(kv, "=")
		return slices.Contains(gone, name)
	})
}

// envIndex is a list of "name=value" with a hash table of open addressing. A map in its
// place takes three more allocations and twice the memory: see BenchmarkEnviron.
type envIndex struct {
	list  []string
	slots []uint32 // index into list + 1; 0: free
	seed  maphash.Seed
}

func (x *envIndex) init(n int) {
	size := 64
	for size < 2*n {
		size *= 2
	}
	x.list = make([]string, 0, n)
	x.slots = make([]uint32, size)
	x.seed = maphash.MakeSeed()
}

// slot returns the slot of a name.
func (x *envIndex) slot(name string) *uint32 {
	for i := int(maphash.String(x.seed, name)) & (len(x.slots) - 1); ; i = (i + 1) & (len(x.slots) - 1) {
		s := x.slots[i]
		if s == 0 {
			return &x.slots[i]
		}
		if kv := x.list[s-1]; len(kv) > len(name) && kv[len(name)] == '=' && kv[:len(name)] == name {
			return &x.slots[i]
		}
	}
}

// put adds or replaces an entry whose name is n bytes long.
func (x *envIndex) put(kv string, n int) {
	if 2*len(x.list) >= len(x.slots) {
		x.grow()
	}
	s := x.slot(kv[:n])
	if *s != 0 {
		x.list[*s-1] = kv
		return
	}
	x.list = append(x.list, kv)
	*s = uint32(len(x.list))
}

func (x *envIndex) grow() {
	old := x.list
	x.slots = make([]uint32, 2*len(x.slots))
	x.list = make([]string, 0, 2*len(old))
	for _, kv := range old {
		if i := strings.IndexByte(kv, '='); i > 0 {
			x.put(kv, i)
		}
	}
}

func (x *envIndex) get(name string) string {
	if s := x.slot(name); *s != 0 {
		return x.list[*s-1]
	}
	return ""
}

// environs is a cache of conversions, by the address of the list: the scripts of a run share
// a few environments.
type environs struct{ cache[*string, *environ] }

const maxEnvirons = 256

func (c *environs) get(env []string) *environ {
	if len(env) == 0 {
		return newEnviron(nil)
	}
	// The entry keeps the list alive, so its address is not used for another one.
	e := c.cache.get(&env[0])
	if e == nil || len(e.of) != len(env) {
		e = newEnviron(env)
		c.put(&env[0], e, maxEnvirons)
	}
	return e
}

// cache remembers values by their keys. It is safe for concurrent use; the zero value is empty.
type cache[K comparable, V any] struct {
	mu sync.Mutex // guards m
	m  map[K]V
}

func (c *cache[K, V]) get(key K) V {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.m[key]
}

// put remembers a value. If there are most of them already, the others are forgotten.
func (c *cache[K, V]) put(key K, v V, most int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.m == nil || len(c.m) >= most {
		c.m = map[K]V{}
	}
	c.m[key] = v
}

package affected

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/weftrun/weft/engine"
	"github.com/weftrun/weft/engine/glob"
	"github.com/weftrun/weft/engine/plan"
)

// Limits of the search, which stop endless calls: a task that calls itself with
// other arguments each time.
const (
	maxRepeats = 1_000 // of a task among those that call it
	maxNodes   = 200_000
)

var errManyCalls = errors.New("the calls do not end")

// node is one task with its arguments.
type node struct {
	call      plan.Call
	footprint *engine.Footprint // nil if there is err
	err       error
	from      *node   // that needs or calls it first; nil for a requested task
	callers   []*node // the tasks that need or call it, or may read its files
	why       string  // why it is affected; "": not affected so far
	cause     *node   // that is affected directly
}

// graph is the calls of an Options with those that they lead to.
type graph struct {
	o          *Options
	texts      *texts
	names      *glob.Tree // of the files that have changed
	gitignores []string   // those of these that say what git ignores

	nodes  []*node
	byCall map[string]*node
}

func newGraph(o *Options) *graph {
	g := &graph{o: o, texts: newTexts(o), byCall: map[string]*node{}}
	paths := make([]string, 0, len(o.Changes.Files))
	for p := range o.Changes.Files {
		paths = append(paths, p)
		if path.Base(p) == ".gitignore" {
			g.gitignores = append(g.gitignores, p)
		}
	}
	slices.Sort(g.gitignores)
	g.names = glob.NewNameTree(paths, o.Environ)
	return g
}

// node returns the node of a call by from, which may be nil, and adds it if necessary; nil if that
// would never end.
func (g *graph) node(c plan.Call, from *node) *node {
	key := c.Name
	for _, v := range c.Vars {
		key += fmt.Sprintf("\x00%s\x00%d\x00%#v\x00%s", v.Name, v.Kind, v.Value, v.Text)
	}
	n := g.byCall[key]
	if n == nil {
		repeats := 0
		for p := from; p != nil; p = p.from {
			if p.call.Name == c.Name {
				repeats++
			}
		}
		if repeats >= maxRepeats || from != nil && len(g.nodes) >= maxNodes {
			return nil
		}
		n = &node{call: c, from: from}
		g.byCall[key], g.nodes = n, append(g.nodes, n)
	}
	return n
}

// expand finds the footprints of all nodes, and adds those of the tasks that they call.
func (g *graph) expand(ctx context.Context) error {
	for i := 0; i < len(g.nodes); i++ {
		n := g.nodes[i]
		n.footprint, n.err = g.o.Footprints(ctx, n.call)
		if n.err == nil {
			for _, c := range n.footprint.Calls {
				if called := g.node(c, n); called != nil {
					called.callers = append(called.callers, n)
				} else {
					n.footprint, n.err = nil, errManyCalls
					break
				}
			}
			continue
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
	g.connectFiles()
	return nil
}

// connectFiles adds to each task's callers the tasks that may read its generated files: through a
// node for each pattern, since many tasks may have the same.
func (g *graph) connectFiles() {
	var made outputs
	tasks := g.nodes
	for _, n := range tasks {
		if n.footprint != nil {
			for _, p := range n.footprint.Generates {
				if !p.Exclude {
					made.add(join(n.footprint.Dir, p.Glob), n)
				}
			}
		}
	}
	made.sort()
	readers := map[string]*node{}
	for _, n := range tasks {
		if n.footprint == nil {
			continue
		}
		for _, p := range n.footprint.Sources {
			if p.Exclude {
				continue
			}
			pattern := join(n.footprint.Dir, p.Glob)
			readers[pattern] = made.connect(pattern, readers[pattern], n)
		}
	}
}

// judge determines which nodes are affected.
func (g *graph) judge(ctx context.Context) error {
	var queue []*node
	for _, n := range g.nodes {
		why, err := g.directly(ctx, n)
		if err != nil {
			return err
		}
		if why != "" {
			n.why, n.cause = why, n
			queue = append(queue, n)
		}
	}
	spread(queue, func(*node) bool { return true })
	if !g.o.Changes.Any() {
		return nil
	}
	queue = nil
	for _, n := range g.nodes {
		if why := g.undeclared(n); n.why == "" && why != "" {
			n.why, n.cause = why, n
			queue = append(queue, n)
		}
	}
	spread(queue, func(n *node) bool { return n.footprint != nil && len(n.footprint.Sources) == 0 })
	return nil
}

// spread makes callers of the nodes in queue affected, and theirs, as far as to allows: the nearest
// cause is reported.
func spread(queue []*node, to func(*node) bool) {
	for i := 0; i < len(queue); i++ {
		n := queue[i]
		for _, caller := range n.callers {
			if caller.why == "" && to(caller) {
				caller.cause = n.cause
				caller.why = fmt.Sprintf("task %q: %s", n.cause.call.Name, n.cause.why)
				queue = append(queue, caller)
			}
		}
	}
}

// join returns a pattern as an absolute path.
func join(dir, pattern string) string {
	if strings.HasPrefix(pattern, "/") {
		return path.Clean(pattern)
	}
	return path.Join(dir, pattern)
}

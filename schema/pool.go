package schema

import (
	"fmt"
	"slices"

	"github.com/weftrun/weft/schema/diag"
	"github.com/weftrun/weft/schema/yaml"
)

// Pool is a task's share of a pool while it runs. The zero Pool is none.
type Pool struct {
	Name string
	Take int32 // of the pool's size; 1 at least
}

// NamedPool is one of the root's `pools`.
type NamedPool struct {
	Name string
	Pos  diag.Pos
	Size int
}

// Pool returns the pool of that name, or nil.
//
//go:noinline
func (w *Workflow) Pool(name string) *NamedPool {
	if i := slices.IndexFunc(w.Pools, func(p NamedPool) bool { return p.Name == name }); i >= 0 {
		return &w.Pools[i]
	}
	return nil
}

const (
	poolForm  = `{"anyOf":[{"type":["string","null"]},{"$ref":"#/$defs/pool"}]}`
	poolsForm = `{"type":["object","null"],"additionalProperties":{"type":"integer","minimum":1}}`
)

var poolKeys = []key[*Pool]{
	{"name", len(textForm), len("Name of the pool, as in pools at the root."), func(d *decoder, n *yaml.Node, p *Pool) { p.Name = d.poolName(n) }},
	{"take", len(`{"type":"integer","minimum":1}`), len("How much of it the task takes; by default 1."), func(d *decoder, n *yaml.Node, p *Pool) { p.Take = int32(d.positive(n)) }},
}

// readPool reads `pool`: a name, or a map.
func (d *decoder) readPool(n *yaml.Node, t *Task) {
	if isNull(n) {
		return
	}
	r := made(&t.Running)
	r.Pool.Take, r.PoolPos = 1, d.pos(n)
	if n.Kind != yaml.MappingNode {
		r.Pool.Name = d.poolName(n)
		return
	}
	if readMap(d, n, "pool", poolKeys, &r.Pool); r.Pool.Name == "" {
		d.fail(n, "add the name of a pool: name: NAME", "pool: the map has no name")
	}
}

// poolName reads the name of a pool, which is not a template.
func (d *decoder) poolName(n *yaml.Node) string {
	t := d.text(n)
	if IsTemplate(t.S) {
		d.fail(n, "write the literal name", "pool: %q: the pool must be known before anything runs", t.S)
		return ""
	}
	return t.S
}

// readPools reads the root key `pools`.
func (d *decoder) readPools(n *yaml.Node, doc *document) {
	d.eachPair(n, "a map of names to sizes", func(k, v *yaml.Node) {
		d.key = "pools"
		p := NamedPool{Name: k.Value, Pos: d.pos(k), Size: d.positive(v)}
		if known := doc.Pool(p.Name); known != nil {
			d.repeats(k, "pools", known.Pos)
			*known = p
			return
		}
		if d.fewer(k, len(doc.Pools)) {
			doc.Pools = append(doc.Pools, p)
		}
	})
}

// addPools adds the pools of an included file to those of doc: all files share a pool of the same name.
func (doc *document) addPools(pools []NamedPool, list *diag.List) {
	for _, p := range pools {
		switch known := doc.Pool(p.Name); {
		case known == nil:
			doc.Pools = append(doc.Pools, p)
		case known.Size != p.Size:
			list.Add(&diag.Diagnostic{Pos: p.Pos, Kind: diag.Conflict, What: fmt.Sprintf("pool %q has the size %d here and %d at %s", p.Name, p.Size, known.Size, known.Pos),
				Why: "all files share a pool of the same name", Fix: "use the same size, or another name"})
		}
	}
}

// PoolProblem returns the problem with the pool of a task, or nil.
func (w *Workflow) PoolProblem(t *Task) *diag.Diagnostic {
	if t.Running == nil || t.Running.Pool.Name == "" {
		return nil
	}
	pool, pos := t.Running.Pool, t.Running.PoolPos
	named := w.Pool(pool.Name)
	switch {
	case named == nil:
		p := &diag.Diagnostic{Pos: pos, Kind: diag.Other, What: fmt.Sprintf("task %q: there is no pool %q", t.Name, pool.Name),
			Fix: fmt.Sprintf("declare its size at the root: pools: {%s: 1}", pool.Name)}
		if best := closest(pool.Name, textsOf(w.Pools, func(p *NamedPool) string { return p.Name })); best != "" {
			p.Fix = fmt.Sprintf("did you mean %q?", best)
		}
		return p
	case int(pool.Take) > named.Size:
		return &diag.Diagnostic{Pos: pos, Kind: diag.Other, What: fmt.Sprintf("task %q takes %d of pool %q, which has %d", t.Name, pool.Take, pool.Name, named.Size),
			Why: "so it can never start", Fix: fmt.Sprintf("take less, or enlarge the pool (%s)", named.Pos)}
	}
	return nil
}

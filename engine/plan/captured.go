package plan

import (
	"slices"
	"strings"
	"sync"

	"github.com/weftrun/weft/schema"
	"github.com/weftrun/weft/schema/diag"
)

// captured are the names of tasks whose output some text or stdin of the workflow
// asks for.
type captured struct {
	once  sync.Once
	names map[string]bool
	all   bool // some are only known when they are asked for
}

// Captured reports whether something in the workflow may ask for what t writes to
// its standard output, once it has ended. It is safe for concurrent use.
func (x *Expander) Captured(t *schema.Task) bool {
	c := &x.captured
	c.once.Do(func() { c.find(x.o.Workflow) })
	if c.all {
		return true
	}
	return c.names != nil && (c.names[t.Name] || c.names[t.LocalName] || c.names[t.Label.S] || isTemplate(t.Label.S) || strings.Contains(t.Name, "*") ||
		slices.ContainsFunc(t.Aliases, func(a string) bool { return c.names[a] || c.names[a[strings.LastIndexByte(a, ':')+1:]] }))
}

func (c *captured) find(w *schema.Workflow) {
	name := func(s string) {
		c.all = c.all || isTemplate(s)
		if c.names == nil {
			c.names = map[string]bool{}
		}
		c.names[s] = true
	}
	files := map[*diag.File]bool{} // whether it can ask at all
	for _, t := range w.Tasks {
		asks, known := files[t.File]
		if !known {
			asks = mayNameOutputs(t.File)
			files[t.File] = asks
		}
		if !asks {
			continue
		}
		f := facts{task: t, details: &noDetails}
		schema.EachText(t, func(p schema.Place, text schema.Text) {
			f.text(&p, text)
			f.noteOutputs(&p, text)
		})
		for _, o := range f.details.outputs {
			if o.Literal { // others are an error where they stand
				name(o.Task)
			}
		}
		for _, in := range f.details.streams {
			if in.Kind == schema.StdinOutput {
				name(in.Text.S)
			}
		}
	}
}

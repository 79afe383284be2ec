package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/weftrun/weft/engine/plan"
	"github.com/weftrun/weft/schema/diag"
)

// graph handles --graph: it shows what would run before what. It leaves out tasks that
// commands call, which are known only when the command is reached.
func (r *runner) graph(ctx context.Context, calls []plan.Call) error {
	draw := map[string]func(*plan.Plan) string{"tree": drawTree, "dot": dot, "mermaid": mermaid}[r.opts.graph]
	if draw == nil && r.opts.graph != "json" {
		if r.opts.graph == "html" {
			return flagError("--graph=html is not yet available; use tree, dot, mermaid or json")
		}
		return flagError(fmt.Sprintf("--graph=%s: no such format; use tree, dot, mermaid or json", r.opts.graph))
	}
	p, err := r.engine.Plan(ctx, calls)
	if err != nil {
		return err
	}
	if draw != nil {
		r.out.Show(draw(p))
		return nil
	}
	r.writeJSON(graphJSON(p))
	return nil
}

// drawTree draws the needs of each step below it. A step that was drawn before is only named.
func drawTree(p *plan.Plan) string {
	var b strings.Builder
	drawn := make([]bool, len(p.Steps))
	var draw func(i int32, indent string)
	draw = func(i int32, indent string) {
		again := drawn[i] && len(p.Needs[i]) > 0
		b.WriteString(diag.Printable(p.Steps[i].Label))
		if again {
			b.WriteString(" (see above)")
		}
		b.WriteByte('\n')
		drawn[i] = true
		if again {
			return
		}
		for j, n := range p.Needs[i] {
			branch, below := "├── ", "│   "
			if j == len(p.Needs[i])-1 {
				branch, below = "└── ", "    "
			}
			b.WriteString(indent + branch)
			if n.When == plan.Together {
				b.WriteString("stream of ")
			}
			draw(n.Step, indent+below)
		}
	}
	for _, root := range p.Roots {
		draw(root, "")
	}
	return b.String()
}

// dot returns the plan for Graphviz, with arrows from steps to their needs.
func dot(p *plan.Plan) string {
	var b strings.Builder
	p.WriteDOT(&b) // writing to a Builder cannot fail
	return b.String()
}

// mermaidText escapes characters that would end a label, or have a meaning in one: HTML,
// Markdown (in backquotes) and directives (%%{…}%%).
var mermaidText = strings.NewReplacer(`"`, "#quot;", "#", "#35;", "<", "#lt;", ">", "#gt;", "&", "#amp;", "`", "#96;", "%", "#37;")

// mermaid returns the plan as a Mermaid flow chart.
func mermaid(p *plan.Plan) string {
	var b strings.Builder
	b.WriteString("graph LR\n")
	for i, s := range p.Steps {
		fmt.Fprintf(&b, "  s%d[\"%s\"]\n", i+1, mermaidText.Replace(diag.Printable(strings.ReplaceAll(s.Label, "\n", " "))))
	}
	for i, needs := range p.Needs {
		for _, n := range needs {
			arrow := "-->"
			if n.When == plan.Together {
				arrow = "-. stream .->"
			}
			fmt.Fprintf(&b, "  s%d %s s%d\n", i+1, arrow, n.Step+1)
		}
	}
	return b.String()
}

// jsonStep is one step of --graph=json, in order of execution at one slot.
type jsonStep struct {
	ID       int    `json:"id"`
	Task     string `json:"task"`
	Label    string `json:"label"`
	Needs    []int  `json:"needs"`
	Streams  []int  `json:"streams,omitempty"`  // those of needs that it reads while they run
	Position string `json:"position,omitempty"` // of the task
	Skipped  bool   `json:"skipped,omitempty"`
}

type jsonGraph struct {
	Steps []jsonStep `json:"steps"`
	Roots []int      `json:"roots"`
}

func graphJSON(p *plan.Plan) jsonGraph {
	g := jsonGraph{Steps: make([]jsonStep, len(p.Steps)), Roots: make([]int, len(p.Roots))}
	for i, s := range p.Steps {
		step := jsonStep{ID: i + 1, Task: s.Name, Label: s.Label, Needs: make([]int, len(p.Needs[i])), Position: s.TaskPos().String(), Skipped: s.Skip != plan.NotSkipped}
		for j, n := range p.Needs[i] {
			step.Needs[j] = int(n.Step) + 1
			if n.When == plan.Together {
				step.Streams = append(step.Streams, int(n.Step)+1)
			}
		}
		g.Steps[i] = step
	}
	for i, root := range p.Roots {
		g.Roots[i] = int(root) + 1
	}
	return g
}

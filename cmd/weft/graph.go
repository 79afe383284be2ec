package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/weftrun/weft/engine/plan"
	"github.com/weftrun/weft/schema/diag"
)

// graph handles --graph: it shows the order of steps. It omits tasks that commands call, which are
// known only when the command is reached.
func (r *runner) graph(ctx context.Context, calls []plan.Call) error {
	draw := map[string]func(*plan.Plan) string{"tree": drawTree, "dot": dot, "mermaid": mermaid}[r.opts.graph]
	if draw == nil && r.opts.graph != "json" && r.opts.graph != "html" {
		return flagError(fmt.Sprintf("--graph=%s: no such format; use tree, dot, mermaid, json or html", r.opts.graph))
	}
	p, err := r.engine.Plan(ctx, calls)
	if err != nil {
		return err
	}
	if draw != nil {
		r.out.Show(draw(p))
		return nil
	}
	if r.opts.graph == "html" {
		return planPage(r.out, plannedSteps(p), r.opts.calls, r.secrets.Mask)
	}
	r.writeJSON(graphJSON(p))
	return nil
}

// drawTree draws each step with its needs below. A step that was already drawn is only named.
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
			switch word := n.Word(); word {
			case "":
			case plan.Stream:
				b.WriteString("stream of ")
			case plan.ToReceiver:
				b.WriteString("messages to ")
			case plan.Order:
				b.WriteString("after ")
			default:
				b.WriteString("until " + word + ": ")
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
			arrow, word := "-->", n.Word()
			switch word {
			case "":
			case plan.Stream, plan.ToReceiver, plan.Order:
				arrow = "-. " + word + " .->"
			default:
				arrow = "-- " + word + " -->"
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
	Streams  []int  `json:"streams,omitempty"`  // needs that it reads while they run
	Messages []int  `json:"messages,omitempty"` // needs that it sends messages to
	Ready    []int  `json:"ready,omitempty"`    // needs that must be ready
	Started  []int  `json:"started,omitempty"`  // needs that must have started
	Ended    []int  `json:"ended,omitempty"`    // needs that must have ended, successfully or not
	After    []int  `json:"after,omitempty"`    // no needs, but waited for
	Position string `json:"position,omitempty"` // of the task
	Skipped  bool   `json:"skipped,omitempty"`
}

type jsonGraph struct {
	Version int        `json:"version"`
	Steps   []jsonStep `json:"steps"`
	Roots   []int      `json:"roots"`
}

func graphJSON(p *plan.Plan) jsonGraph {
	g := jsonGraph{Version: 1, Steps: make([]jsonStep, len(p.Steps)), Roots: make([]int, len(p.Roots))}
	for i, s := range p.Steps {
		step := jsonStep{ID: i + 1, Task: s.Name, Label: s.Label, Needs: make([]int, 0, len(p.Needs[i])), Position: s.TaskPos().String(), Skipped: s.Skip != plan.NotSkipped}
		for _, n := range p.Needs[i] {
			id := int(n.Step) + 1
			if n.When == plan.After {
				step.After = append(step.After, id)
				continue
			}
			step.Needs = append(step.Needs, id)
			if n.Messages {
				step.Messages = append(step.Messages, id)
			}
			switch n.When {
			case plan.Together:
				if !n.Messages {
					step.Streams = append(step.Streams, id)
				}
			case plan.Ready:
				step.Ready = append(step.Ready, id)
			case plan.Started:
				step.Started = append(step.Started, id)
			case plan.Ended:
				step.Ended = append(step.Ended, id)
			}
		}
		g.Steps[i] = step
	}
	for i, root := range p.Roots {
		g.Roots[i] = int(root) + 1
	}
	return g
}

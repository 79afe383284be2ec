package plan

import (
	"bytes"
	"io"
	"slices"
	"strings"

	"github.com/dominikbraun/graph"
	"github.com/dominikbraun/graph/draw"

	"github.com/weftrun/weft/schema"
	"github.com/weftrun/weft/schema/diag"
)

// Graph returns the plan as a graph of step numbers, from 1, with an edge from
// each step to what it needs. It is for drawing and explaining: building it
// costs far more than the plan itself. Streams are dashed.
func (p *Plan) Graph() graph.Graph[int, int] {
	g := graph.New(graph.IntHash, graph.Directed())
	for i, s := range p.Steps {
		g.AddVertex(i+1, graph.VertexAttribute("label", quoteDOT(s.Label)), graph.VertexAttribute("shape", "box"))
	}
	for i, needs := range p.Needs {
		for _, n := range needs {
			if n.When == Together {
				g.AddEdge(i+1, int(n.Step)+1, graph.EdgeAttribute("style", "dashed"), graph.EdgeAttribute("label", "stream"))
				continue
			}
			g.AddEdge(i+1, int(n.Step)+1) // a need that is named twice is one edge
		}
	}
	return g
}

// quoteDOT is s as it stands between quotes in DOT; its lines stay lines.
func quoteDOT(s string) string {
	return strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(diag.PrintableText(s))
}

// WriteDOT writes the plan in the language of Graphviz. Equal plans have equal
// texts: the statements are sorted.
func (p *Plan) WriteDOT(w io.Writer) error {
	var b bytes.Buffer
	if err := draw.DOT(p.Graph(), &b, draw.GraphAttribute("rankdir", "LR")); err != nil {
		return err
	}
	var head, body []string
	for line := range strings.Lines(b.String()) {
		switch line = strings.TrimSpace(line); {
		case line == "" || line == "}":
		case strings.HasPrefix(line, `"`) && strings.HasSuffix(line, ";"):
			body = append(body, "\t"+line)
		default:
			head = append(head, line)
		}
	}
	slices.Sort(body)
	_, err := io.WriteString(w, strings.Join(append(head, body...), "\n")+"\n}\n")
	return err
}

// shortestCycle returns the names on the shortest way from the task name to one
// that needs it, through the needs of the tasks on path, or nil when path is
// the shortest: how the cycle was met depends on where the walk began.
func shortestCycle(w *schema.Workflow, path []*Step, name string) []string {
	g := graph.New(graph.StringHash, graph.Directed())
	for _, s := range path {
		g.AddVertex(s.Name)
	}
	var callers []string
	for _, s := range path {
		schema.EachText(s.Task, func(p schema.Place, text schema.Text) {
			if phaseOf(&p) != needed || p.Kind() != schema.TextTask {
				return
			}
			t, _, err := w.Lookup(text.S)
			if err != nil {
				return
			}
			if t.Name == name {
				callers = append(callers, s.Name)
			}
			g.AddEdge(s.Name, t.Name)
		})
	}
	var shortest []string
	for _, caller := range callers {
		way, err := graph.ShortestPath(g, name, caller)
		if err == nil && len(way) < len(path) && (shortest == nil || len(way) < len(shortest)) {
			shortest = way
		}
	}
	return shortest
}

package plan

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/dominikbraun/graph"

	"github.com/weftrun/weft/schema"
	"github.com/weftrun/weft/schema/diag"
)

// Graph returns the plan as a graph of step numbers, from 1, with an edge from
// each step to what it needs. It is for drawing and explaining: building it
// costs far more than the plan itself. Streams and messages are dashed, mere orders are dotted, and
// edges are labelled with the conditions of needs.
func (p *Plan) Graph() graph.Graph[int, int] {
	g := graph.New(graph.IntHash, graph.Directed())
	for i, s := range p.Steps {
		g.AddVertex(i+1, graph.VertexAttribute("label", quoteDOT(s.Label)), graph.VertexAttribute("shape", "box"))
	}
	for i, needs := range p.Needs {
		for _, n := range needs {
			var how []func(*graph.EdgeProperties)
			word := n.Word()
			if word != "" {
				how = append(how, graph.EdgeAttribute("label", word))
			}
			switch word {
			case Stream, ToReceiver:
				how = append(how, graph.EdgeAttribute("style", "dashed"))
			case Order:
				how = append(how, graph.EdgeAttribute("style", "dotted"))
			}
			g.AddEdge(i+1, int(n.Step)+1, how...) // a need that is named twice is one edge
		}
	}
	return g
}

// quoteDOT quotes s for DOT, keeping its line breaks.
func quoteDOT(s string) string {
	return strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(diag.PrintableText(s))
}

// WriteDOT writes the plan in the language of Graphviz. Equal plans have equal
// texts: the statements are sorted.
func (p *Plan) WriteDOT(w io.Writer) error {
	g := p.Graph()
	edges, err := g.AdjacencyMap()
	if err != nil {
		return err
	}
	var lines []string
	for from, to := range edges {
		_, vertex, err := g.VertexWithProperties(from)
		if err != nil {
			return err
		}
		lines = append(lines, fmt.Sprintf("\t\"%d\" [ %s weight=%d ];\n", from, attributesDOT(vertex.Attributes), vertex.Weight))
		for need, e := range to {
			lines = append(lines, fmt.Sprintf("\t\"%d\" -> \"%d\" [ %s weight=%d ];\n", from, need, attributesDOT(e.Properties.Attributes), e.Properties.Weight))
		}
	}
	slices.Sort(lines)
	_, err = io.WriteString(w, "strict digraph {\nrankdir=\"LR\";\n"+strings.Join(lines, "")+"}\n")
	return err
}

// attributesDOT formats attributes for DOT, sorted by name.
func attributesDOT(attributes map[string]string) string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(attributes)) {
		fmt.Fprintf(&b, "%s=\"%s\", ", name, attributes[name])
	}
	return b.String()
}

// shortestCycle returns the names on the shortest path from the task name to one that needs it,
// through the needs of the tasks on path, or nil when path is the shortest: the path by which the
// cycle was found depends on the start of the walk.
func shortestCycle(w *schema.Workflow, path []*Step, name string) []string {
	g := graph.New(graph.IntHash, graph.Directed()) // of the same type as Graph, so that there is one graph in the program
	var names []string
	vertex := map[string]int{}
	for _, s := range path {
		if _, ok := vertex[s.Name]; !ok {
			vertex[s.Name] = len(names)
			g.AddVertex(len(names))
			names = append(names, s.Name)
		}
	}
	from, known := vertex[name]
	var callers []int
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
				callers = append(callers, vertex[s.Name])
			}
			if to, ok := vertex[t.Name]; ok {
				g.AddEdge(vertex[s.Name], to)
			}
		})
	}
	if !known {
		return nil
	}
	var shortest []string
	for _, caller := range callers {
		way, err := graph.ShortestPath(g, from, caller)
		if err == nil && len(way) < len(path) && (shortest == nil || len(way) < len(shortest)) {
			shortest = shortest[:0]
			for _, v := range way {
				shortest = append(shortest, names[v])
			}
		}
	}
	return shortest
}

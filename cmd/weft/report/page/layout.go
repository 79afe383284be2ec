package page

import (
	"slices"
	"sort"
)

// sweeps is the number of passes that order the layers, forwards and backwards.
const sweeps = 8

// edges are edges between vertices 0 to n-1: those from vertex v lead to to[at[v]:at[v+1]].
type edges struct{ at, to []int32 }

// makeEdges returns the edges that each adds, in order of v. Edges to vertices that do not exist,
// and loops, are omitted.
//
//go:noinline
func makeEdges(n int, each func(v int, add func(to int))) edges {
	e := edges{at: make([]int32, 1, n+1)}
	for v := range n {
		each(v, func(to int) {
			if to >= 0 && to < n && to != v {
				e.to = append(e.to, int32(to))
			}
		})
		e.at = append(e.at, int32(len(e.to)))
	}
	return e
}

func (e *edges) of(v int32) []int32 { return e.to[e.at[v]:e.at[v+1]] }

// reversed returns the edges in the opposite direction.
func (e *edges) reversed() edges {
	n := len(e.at) - 1
	r := edges{at: make([]int32, n+1), to: make([]int32, len(e.to))}
	for _, to := range e.to {
		r.at[to+1]++
	}
	for v := range n {
		r.at[v+1] += r.at[v]
	}
	next := slices.Clone(r.at)
	for v := range int32(n) {
		for _, to := range e.of(v) {
			r.to[next[to]] = v
			next[to]++
		}
	}
	return r
}

// layout assigns each vertex of a graph a layer and a place in it. A layer is the length of the
// longest path to a vertex without needs (Eades and Wormald's layering); within it, vertices are
// ordered by the mean place of their neighbours in the layers before, and then after, in eight
// sweeps, as in Sugiyama's method. Cycles, which no valid run has, are cut where they are met
// first.
func layout(needs edges) (layer, order []int32) {
	n := len(needs.at) - 1
	users := needs.reversed()
	layer = layers(needs, users)
	rows := make([][]int32, 0, 16)
	order = make([]int32, n)
	for v := range int32(n) {
		for int(layer[v]) >= len(rows) {
			rows = append(rows, nil)
		}
		order[v] = int32(len(rows[layer[v]]))
		rows[layer[v]] = append(rows[layer[v]], v)
	}
	s := sweep{order: order, mean: make([]float32, n)}
	for range sweeps / 2 {
		for _, row := range rows {
			s.sort(row, needs)
		}
		for i := len(rows) - 1; i >= 0; i-- {
			s.sort(rows[i], users)
		}
	}
	return layer, order
}

// layers returns the layer of each vertex.
func layers(needs, users edges) []int32 {
	n := len(needs.at) - 1
	layer, open, done := make([]int32, n), make([]int32, n), make([]bool, n)
	var queue []int32
	for v := range int32(n) {
		open[v] = int32(len(needs.of(v)))
		if open[v] == 0 {
			queue = append(queue, v)
		}
	}
	for next := int32(0); ; {
		for len(queue) > 0 {
			v := queue[0]
			queue = queue[1:]
			done[v] = true
			for _, u := range users.of(v) {
				if done[u] {
					continue
				}
				layer[u] = max(layer[u], layer[v]+1)
				if open[u]--; open[u] == 0 {
					queue = append(queue, u)
				}
			}
		}
		for next < int32(n) && done[next] {
			next++
		}
		if next == int32(n) {
			return layer
		}
		open[next] = 0 // part of a cycle
		queue = append(queue, next)
	}
}

// sweep orders the vertices of the layers, one layer at a time.
type sweep struct {
	order []int32   // place of each vertex in its layer
	mean  []float32 // mean place of the neighbours
}

// sort orders row, a layer, by the places of the neighbours.
func (s *sweep) sort(row []int32, neighbours edges) {
	for _, v := range row {
		all := neighbours.of(v)
		s.mean[v] = float32(s.order[v])
		if len(all) == 0 {
			continue
		}
		sum := float32(0)
		for _, u := range all {
			sum += float32(s.order[u])
		}
		s.mean[v] = sum / float32(len(all))
	}
	sort.SliceStable(row, func(i, j int) bool { return s.mean[row[i]] < s.mean[row[j]] })
	for i, v := range row {
		s.order[v] = int32(i)
	}
}

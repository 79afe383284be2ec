package schema

import (
	"fmt"
	"sync"

	"gopkg.in/yaml.v3"

	"github.com/weftrun/weft/schema/diag"
)

// key is one row of a table of keys: what a map of the file may say about a T.
// The tables drive decoding, the warning about unknown keys and the published
// JSON Schema.
type key[T any] struct {
	name   string
	schema string // JSON Schema of the value: a fragment, or "#name" of a shared definition
	doc    string // one line for editors
	read   func(d *decoder, t *T, n *yaml.Node)
}

// table is the keys of one type of map, by name.
type table[T any] struct {
	what string // how the map is called in messages
	rows []key[T]
	by   func() map[string]*key[T]
}

func newTable[T any](what string, rows func() []key[T]) *table[T] {
	t := &table[T]{what: what}
	t.by = sync.OnceValue(func() map[string]*key[T] {
		t.rows = rows()
		m := make(map[string]*key[T], len(t.rows))
		for i := range t.rows {
			m[t.rows[i].name] = &t.rows[i]
		}
		return m
	})
	return t
}

// decode reads the mapping n into v by the table.
func (t *table[T]) decode(d *decoder, n *yaml.Node, v *T) {
	by := t.by()
	d.pairs(n, func(k, value *yaml.Node) {
		k = d.follow(k)
		if row := by[k.Value]; row != nil && k.Kind == yaml.ScalarNode {
			row.read(d, v, value)
			return
		}
		t.unknown(d, k)
	})
}

func (t *table[T]) unknown(d *decoder, k *yaml.Node) {
	if k.Kind != yaml.ScalarNode {
		d.problem(k, "a key must be a string, not "+kindOf(k), "")
		return
	}
	names := make([]string, 0, len(t.rows))
	for _, row := range t.rows {
		names = append(names, row.name)
	}
	fix := ""
	if best := closest(k.Value, names); best != "" {
		fix = fmt.Sprintf("did you mean %q?", best)
	}
	what := fmt.Sprintf("unknown key %q", k.Value)
	if t.what != "" {
		what += " in " + t.what
	}
	d.warn(k, diag.UnknownKey, what, fix)
}

// closest returns the name nearest to word: at most half of its letters
// may differ (Levenshtein), or one contains the other's beginning.
func closest(word string, names []string) string {
	best, least := "", max(2, len(word)/2)+1
	for _, n := range names {
		if d := distance(word, n); d < least {
			best, least = n, d
		}
	}
	if best == "" && len(word) >= 3 {
		for _, n := range names {
			if len(n) >= 3 && (hasPrefix(word, n) || hasPrefix(n, word)) {
				return n
			}
		}
	}
	return best
}

func hasPrefix(s, p string) bool { return len(s) >= len(p) && s[:len(p)] == p }

// distance is the Levenshtein distance of a and b, in bytes.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j+1]+1, row[j]+1)
		}
	}
	return row[len(b)]
}

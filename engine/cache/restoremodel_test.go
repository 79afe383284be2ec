package cache

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"path"
	"slices"
	"strings"
	"testing"
)

// plain is the path of an entry of a tree.
func plain(p string) string { return strings.TrimRight(p, "*@/?") }

// randomTree is a small tree, with few names, so that two of them often collide.
func randomTree(random *rand.Rand) map[string]string {
	tree := map[string]string{}
	for range random.IntN(7) {
		p := string(rune('a' + random.IntN(3)))
		for random.IntN(3) > 0 && len(p) < 6 {
			p += "/" + string(rune('a'+random.IntN(3)))
		}
		if slices.ContainsFunc(slices.Collect(maps.Keys(tree)), func(q string) bool {
			q = plain(q)
			return p == q || strings.HasPrefix(p, q+"/") || strings.HasPrefix(q, p+"/")
		}) {
			continue
		}
		switch random.IntN(8) {
		case 0:
			tree[p+"/"] = ""
		case 1:
			tree[p+"@"] = string(rune('a' + random.IntN(3)))
		case 2:
			tree[p+"*"] = fmt.Sprint("program ", random.IntN(3))
		default:
			tree[p] = fmt.Sprint("file ", random.IntN(3))
		}
	}
	return tree
}

// TestRestoreModel restores random outputs over random trees, of which random files are stale: the
// outputs exist, and everything that is neither an output nor stale is unchanged; or nothing is
// changed.
func TestRestoreModel(t *testing.T) {
	const rounds = 100
	random := rand.New(rand.NewPCG(3, 16))
	r := newRig(t)
	restored, blocked := 0, 0
	for n := range rounds {
		outs, before := randomTree(random), randomTree(random)
		r.clear()
		r.tree(outs)
		var outputs, stale []string
		for p := range outs {
			outputs = append(outputs, plain(p))
		}
		r.save(n, outputs...)
		r.clear()
		r.tree(before)
		before = r.look()
		for p := range before {
			if random.IntN(4) > 0 {
				stale = append(stale, plain(p))
			}
		}
		err := r.d.Restore(context.Background(), &Restoring{Root: r.root, Result: r.lookup(n), Stale: stale})
		after := r.look()
		if err != nil {
			blocked++
			if _, ok := errors.AsType[*Blocked](err); !ok {
				t.Errorf("%d: %v", n, err)
			}
			if !maps.Equal(before, after) {
				t.Errorf("%d: %v; changed:\n%s\n%s", n, err, show(before), show(after))
			}
			continue
		}
		restored++
		if why := wrong(before, after, outs, stale); why != "" {
			t.Errorf("%d: %s\nbefore:\n%s\noutputs:\n%s\nstale: %q\nafter:\n%s", n, why, show(before), show(outs), stale, show(after))
		}
	}
	if restored < rounds/3 || blocked < rounds/20 {
		t.Errorf("%d restored, %d blocked", restored, blocked)
	}
}

// wrong returns what is wrong after a restore, or "".
func wrong(before, after, outs map[string]string, stale []string) string {
	parents := map[string]bool{} // of the expected files
	for p := range outs {
		for d := path.Dir(plain(p)); d != "."; d = path.Dir(d) {
			parents[d] = true
		}
	}
	for p, content := range outs {
		got, ok := after[p]
		if dir, is := strings.CutSuffix(p, "/"); is && !ok { // a directory with files of others
			for q := range after {
				ok = ok || strings.HasPrefix(q, dir+"/")
			}
		}
		if !ok || got != content {
			return fmt.Sprintf("output %q is %q", p, got)
		}
	}
	for p, content := range before {
		name := plain(p)
		isStale := slices.Contains(stale, name)
		_, isOutput := outs[p]
		switch got, ok := after[p]; {
		case isOutput:
		case strings.HasSuffix(p, "/"): // an empty directory may be replaced, or filled
		case isStale && ok:
			return fmt.Sprintf("stale %q is there", p)
		case !isStale && (!ok || got != content) && !replaced(name, outs):
			return fmt.Sprintf("%q, which is not stale, is %q", p, got)
		}
	}
	for p := range after {
		_, was := before[p]
		if _, is := outs[p]; !is && !was {
			return fmt.Sprintf("%q has appeared", p)
		}
	}
	return ""
}

// replaced reports whether the path is that of an output.
func replaced(name string, outs map[string]string) bool {
	for p := range outs {
		if plain(p) == name {
			return true
		}
	}
	return false
}

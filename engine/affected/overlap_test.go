package affected

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path"
	"strings"
	"testing"

	"github.com/weftrun/weft/engine/glob"
)

func TestOverlap(t *testing.T) {
	for _, c := range []struct {
		source, made string
		want         bool
	}{
		{"/p/a.c", "/p/a.c", true}, {"/p/a.c", "/p/b.c", false}, {"/p/a.c", "/p", true}, {"/p/a.c", "/p/a", false},
		{"/p/*.c", "/p/a.c", true}, {"/p/*.c", "/p/a.o", false}, {"/p/*.c", "/p/*.o", false}, {"/p/*.c", "/p/a*", true},
		{"/p/**/*.go", "/p/gen/x/y.go", true}, {"/p/**/*.go", "/p/bin/app", true}, {"/p/**/*.go", "/q/a.go", false},
		{"/p/a/*.go", "/p/b/**/*.go", false}, {"/p/a/b.go", "/p/**", true}, {"/p/?.c", "/p/ab.c", false},
		{"/p/{a,b}/x.c", "/p/a/x.c", true}, {"/p/[ab].c", "/p/a.c", true}, {"/p/a.c", "/p/$OUT", true}, {"/p/x/y", "/p/*/z", false},
		{"/p/gen.go", "/p/gen", false}, {"/p/gen/a.go", "/p/gen", true}, {"/a", "/**/b", false}, {"/x/b/c", "/**/b", true},
		{"/p/[a/b]c", "/p/z", true},
	} {
		var made outputs
		maker, found := new(node), false
		made.add(c.made, maker)
		made.sort()
		made.each(c.source, func(n *node) { found = n == maker })
		if found != c.want {
			t.Errorf("%s of what is %s: %v", c.source, c.made, found)
		}
	}
}

// Patterns that match a common file overlap, and each finds the same as comparing all pairs.
func TestOverlapFinds(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	pick := func(list ...string) string { return list[random.IntN(len(list))] }
	pattern := func(segs ...string) string {
		p := ""
		for range 1 + random.IntN(4) {
			p += "/" + pick(segs...)
		}
		return p
	}
	for range 2_000 {
		source := pattern("a", "b", "ab", "*", "**", "a*", "?b", "*b")
		var made outputs
		makers := map[*node]string{}
		for range 6 {
			n, p := new(node), pattern("a", "b", "ab", "*", "**", "a*", "?b", "*b")
			makers[n] = p
			made.add(p, n)
		}
		made.sort()
		found := map[*node]bool{}
		made.each(source, func(n *node) { found[n] = true })
		file := pattern("a", "b", "ab", "bb", "aab")
		for n, p := range makers {
			if want := overlap(segments(source), append(segments(p), "**")); found[n] != want {
				t.Fatalf("%s of what is %s: %v, compared: %v", source, p, found[n], want)
			}
			if matches(t, source, file) && (matches(t, p, file) || matches(t, path.Join(p, "**", "*"), file)) && !found[n] {
				t.Fatalf("%s matches %s and %s", file, source, p)
			}
		}
	}
}

func matches(t *testing.T, pattern, file string) bool {
	found, err := glob.NewNameTree([]string{file}, nil).Names(context.Background(), "/", []glob.Pattern{{Glob: pattern}}, false)
	if err != nil {
		t.Fatal(err)
	}
	return len(found) > 0
}

func TestFixed(t *testing.T) {
	for pattern, want := range map[string]string{"/a/b": "/a/", "/a/b*": "/a/", "/a/*/c": "/a/", "/*": "/", "/a/$X/b": "/a/"} {
		if got := fixed(pattern); got != want {
			t.Errorf("%s: %s, want %s", pattern, got, want)
		}
	}
	if !meets("/a/b/", "/a") || !meets("/a/", "/a/b") || meets("/ab/", "/a") || !meets("/", "/x") {
		t.Error("directories")
	}
}

// Ten thousand tasks that each generate a file, of which a hundred read everything.
func BenchmarkConnect(b *testing.B) {
	for b.Loop() {
		var made outputs
		for i := range 10_000 {
			made.add(fmt.Sprintf("/repo/packages/p%d/dist/**/*.js", i), new(node))
		}
		made.sort()
		for i := range 10_000 {
			source := fmt.Sprintf("/repo/packages/p%d/src/**/*.ts", i)
			if i%100 == 0 {
				source = strings.Replace(source, fmt.Sprintf("p%d/src/", i), "", 1)
			}
			made.each(source, func(*node) {})
		}
	}
}

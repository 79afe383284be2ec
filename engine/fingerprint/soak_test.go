//go:build unix

package fingerprint

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/weftrun/weft/engine/glob"
)

// TestTrees makes trees of files with links, loops, unreadable entries and odd names, edits them at
// random, and compares the matches of patterns, and the verdict after each edit, with a naive
// implementation of the rules. In every second tree each edit is old when it is checked. WEFT_TREES is the number of trees, WEFT_SEED the first of their
// seeds.
func TestTrees(t *testing.T) {
	const child = "WEFT_TREES_CHILD"
	if os.Geteuid() == 0 && os.Getenv(child) == "" {
		// Root can read everything, unless it lacks that capability.
		setpriv, err := exec.LookPath("setpriv")
		if err != nil {
			t.Skip("root can read everything, and there is no setpriv")
		}
		cmd := exec.Command(setpriv, "--bounding-set=-dac_override,-dac_read_search", os.Args[0], "-test.run=^TestTrees$", "-test.timeout=0")
		cmd.Env = append(os.Environ(), child+"=1")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	trees, first := 12, uint64(1)
	if n, err := strconv.Atoi(os.Getenv("WEFT_TREES")); err == nil {
		trees = n
	}
	if n, err := strconv.ParseUint(os.Getenv("WEFT_SEED"), 10, 64); err == nil {
		first = n
	}
	for seed := first; seed < first+uint64(trees) && !t.Failed(); seed++ {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) { soak(t, seed) })
	}
}

func soak(t *testing.T, seed uint64) {
	// Links go up to two levels out of the tree.
	g := &gardener{t: t, r: rand.New(rand.NewPCG(seed, 13)), root: filepath.Join(t.TempDir(), "up", "up")}
	if err := os.MkdirAll(g.root, 0o755); err != nil {
		t.Fatal(err)
	}
	defer g.open()
	for range 5 + g.r.IntN(30) {
		g.edit()
	}
	p := &project{t: t, root: g.root}
	pats := g.patterns()
	p.in = Inputs{Key: "k", Root: g.root, Dir: g.root, Sources: patterns(pats...)}
	var last map[string]string // at the last success; nil before
	var log []string
	for range 15 {
		now := snapshot(g.root, pats)
		if got := p.glob(pats); !slices.Equal(got, files(now)) {
			t.Fatalf("%q after\n%s\n got %q\nwant %q", pats, strings.Join(log, "\n"), got, files(now))
		}
		s := p.store()
		c := p.check(s)
		want := last != nil && maps.Equal(now, last) && !slices.Contains(slices.Collect(maps.Values(now)), unreadable)
		if c.Fresh != want {
			t.Fatalf("%q after\n%s\nfresh: %v, why: %v\nnow  %q\nlast %q", pats, strings.Join(log, "\n"), c.Fresh, c.Why(t.Context()), now, last)
		}
		if !c.Fresh {
			c.Begin()
			p.must(c.Commit(t.Context(), nil))
			last = now
		}
		s.PutListings(c.by.files.Listings(func(string) bool { return false }))
		s.Close()
		log = append(log, g.edit())
		if seed%2 == 0 { // so that directory listings are kept, and used
			p.age()
		}
	}
}

// glob returns the paths that the patterns match.
func (p *project) glob(pats []string) []string {
	got, err := glob.NewTree(nil).Names(p.t.Context(), p.root, patterns(pats...), false)
	p.must(err)
	return got
}

// gardener makes and edits a tree.
type gardener struct {
	t    *testing.T
	r    *rand.Rand
	root string
}

var (
	gardenNames = []string{"a", "b", "c.txt", "d.txt", ".h", ".h.txt", "sp ace.txt", "br[1].txt", "qu'ote", "new\nline.txt", "é.txt", "#x", "-", "a*b.txt", "$V"}
	gardenGlobs = []string{"**/*", "**/*.txt", "*", "*.txt", "*/*", "a/**/*", "a/**", "**/a/*", "*/**/*.txt", "?", "a/b/*.txt", "c.txt", "a/c.txt", ".h/*", "{a,b}/*.txt", "{a,b,.h}/**/*.txt", "{a,b}/{c,d}.txt", "{c,d}.txt", "**/?.txt", "**", "[a-b]/*.txt", "**/[cd].txt"}
)

func pick[T any](r *rand.Rand, of []T) T { return of[r.IntN(len(of))] }

func (g *gardener) patterns() []string {
	pats := []string{pick(g.r, gardenGlobs)}
	for g.r.IntN(2) == 0 {
		p := pick(g.r, gardenGlobs)
		if g.r.IntN(2) == 0 {
			p = "!" + p
		}
		pats = append(pats, p)
	}
	return pats
}

// place is a path in the tree, three levels deep at most.
func (g *gardener) place() string {
	p := pick(g.r, gardenNames)
	for range g.r.IntN(3) {
		p = pick(g.r, gardenNames[:5]) + "/" + p
	}
	return p
}

// edit makes a change, or tries to: an obstacle stays.
func (g *gardener) edit() string {
	p := g.place()
	abs := filepath.Join(g.root, p)
	mode := pick(g.r, []os.FileMode{0, 0o111, 0o444, 0o644, 0o755, 0o755})
	switch g.r.IntN(13) {
	case 0, 1, 2:
		content := strconv.Itoa(g.r.IntN(3))
		if st, err := os.Stat(abs); err == nil && st.IsDir() {
			return "nothing"
		}
		os.MkdirAll(filepath.Dir(abs), 0o755)
		os.WriteFile(abs, []byte(content), 0o644)
		return "write " + p + " " + content
	case 3:
		os.MkdirAll(abs, 0o755)
		return "mkdir " + p
	case 4, 5:
		if g.links() >= 4 {
			return "nothing" // links to one another multiply the paths
		}
		os.MkdirAll(filepath.Dir(abs), 0o755)
		target := pick(g.r, []string{"nowhere", filepath.Base(p), ".", "..", "../..", "a", "../a", "b", "c.txt", "user@host.1:2", filepath.Join(g.root, g.place())})
		if st, err := os.Lstat(abs); err == nil && st.Mode()&os.ModeSymlink != 0 {
			os.Remove(abs)
		}
		os.Symlink(target, abs)
		return "link " + p + " " + target
	case 6:
		os.RemoveAll(abs)
		return "remove " + p
	case 7:
		to := g.place()
		os.Rename(abs, filepath.Join(g.root, to))
		return "rename " + p + " " + to
	case 8:
		g.open()
		return "make readable"
	}
	if g.r.IntN(2) == 0 {
		p = pick(g.r, gardenNames[:2]) // a directory, mostly
		abs = filepath.Join(g.root, p)
	}
	if st, err := os.Lstat(abs); err == nil && st.Mode()&os.ModeSymlink == 0 {
		os.Chmod(abs, mode)
	}
	return "chmod " + p + " " + mode.String()
}

// links counts the links in the tree.
func (g *gardener) links() (n int) {
	filepath.WalkDir(g.root, func(_ string, d os.DirEntry, err error) error {
		if err == nil && d.Type()&os.ModeSymlink != 0 {
			n++
		}
		return nil
	})
	return n
}

// open makes everything readable.
func (g *gardener) open() { openAll(g.root) }

func openAll(p string) {
	st, err := os.Lstat(p)
	switch {
	case err != nil:
	case st.IsDir():
		if st.Mode().Perm()&0o700 != 0o700 {
			os.Chmod(p, 0o755)
		}
		entries, _ := os.ReadDir(p)
		for _, e := range entries {
			openAll(filepath.Join(p, e.Name()))
		}
	case st.Mode().IsRegular() && st.Mode().Perm()&0o400 == 0:
		os.Chmod(p, 0o644)
	}
}

const unreadable = "unreadable"

// snapshot returns the matches of patterns, found slowly by the rules: for each path its relevant
// properties.
func snapshot(root string, pats []string) map[string]string {
	all := map[string]string{}
	for _, p := range pats {
		glob, exclude := strings.CutPrefix(p, "!")
		found := naive(root, glob)
		for _, f := range found {
			if exclude {
				delete(all, f)
			} else {
				all[f] = describe(filepath.Join(root, f))
			}
		}
	}
	return all
}

// files are the paths of a snapshot that are files.
func files(s map[string]string) []string {
	out := []string{}
	for f, what := range s {
		if !strings.HasPrefix(what, "leads nowhere") {
			out = append(out, f)
		}
	}
	slices.Sort(out)
	return out
}

func describe(p string) string {
	text, _ := os.Readlink(p)
	st, err := os.Stat(p)
	if err != nil {
		return "leads nowhere: " + text
	}
	b, err := os.ReadFile(p)
	if err != nil {
		return unreadable
	}
	return fmt.Sprintf("%q %v %s", text, st.Mode().Perm()&0o111 != 0, b)
}

// naive returns the matches of one pattern, relative to root.
func naive(root, glob string) (found []string) {
	n := naively{root: root, found: map[string]bool{}}
	prefix, name, recursive := strings.Cut("/"+glob, "/**/")
	prefix = strings.TrimPrefix(prefix, "/")
	switch {
	case recursive && !strings.ContainsAny(name, "/{}") && !strings.ContainsAny(prefix, "*?[{}"):
		st, err := os.Lstat(filepath.Join(root, prefix))
		switch {
		case err != nil || !st.IsDir() && st.Mode()&os.ModeSymlink == 0:
			return nil
		case st.IsDir() && !n.linked(prefix):
			n.recursive(prefix, name)
		default:
			n.shell("", strings.Split(glob, "/"))
		}
	case strings.Contains(glob, "{"):
		for _, alternative := range braces(glob) {
			if !strings.Contains(alternative, "*") {
				if _, err := os.Lstat(filepath.Join(root, alternative)); os.IsNotExist(err) || err != nil && strings.Contains(err.Error(), "not a directory") {
					return nil
				}
			}
			n.shell("", strings.Split(alternative, "/"))
		}
	default:
		n.shell("", strings.Split(glob, "/"))
	}
	return slices.Collect(maps.Keys(n.found))
}

func braces(glob string) []string {
	before, rest, ok := strings.Cut(glob, "{")
	if !ok {
		return []string{glob}
	}
	list, after, _ := strings.Cut(rest, "}")
	var out []string
	for _, word := range strings.Split(list, ",") {
		for _, tail := range braces(after) {
			out = append(out, before+word+tail)
		}
	}
	return out
}

type naively struct {
	root  string
	found map[string]bool
}

func (n *naively) entries(dir string) []os.DirEntry {
	entries, _ := os.ReadDir(filepath.Join(n.root, dir))
	return slices.DeleteFunc(entries, func(e os.DirEntry) bool { return e.Name() == ".weft" })
}

// linked reports whether there is a link to a directory below dir.
func (n *naively) linked(dir string) bool {
	for _, e := range n.entries(dir) {
		p := path.Join(dir, e.Name())
		if st, err := os.Stat(filepath.Join(n.root, p)); e.Type()&os.ModeSymlink != 0 && err == nil && st.IsDir() || e.IsDir() && n.linked(p) {
			return true
		}
	}
	return false
}

func (n *naively) recursive(dir, name string) {
	for _, e := range n.entries(dir) {
		p := path.Join(dir, e.Name())
		if e.IsDir() {
			n.recursive(p, name)
		} else if ok, _ := path.Match(name, e.Name()); ok {
			n.take(p)
		}
	}
}

// shell matches segments by the rules of a shell with globstar.
func (n *naively) shell(dir string, segs []string) {
	seg, rest := segs[0], segs[1:]
	if seg == "**" {
		if len(rest) > 0 {
			n.shell(dir, rest)
		}
		for _, e := range n.entries(dir) {
			p := path.Join(dir, e.Name())
			switch {
			case strings.HasPrefix(e.Name(), "."):
			case n.isDir(p):
				if !n.loops(dir, p) {
					n.shell(p, segs)
				}
			case len(rest) == 0:
				n.take(p)
			}
		}
		return
	}
	if !strings.ContainsAny(seg, "*?[") {
		p := path.Join(dir, seg)
		if len(rest) > 0 {
			n.shell(p, rest)
		} else {
			n.take(p)
		}
		return
	}
	for _, e := range n.entries(dir) {
		p := path.Join(dir, e.Name())
		if ok, _ := path.Match(seg, e.Name()); !ok || e.Name()[0] == '.' && seg[0] != '.' {
			continue
		}
		if len(rest) == 0 {
			n.take(p)
		} else if n.isDir(p) && !n.loops(dir, p) {
			n.shell(p, rest)
		}
	}
}

// take takes a file, or a dangling link.
func (n *naively) take(p string) {
	abs := filepath.Join(n.root, p)
	if _, err := os.Lstat(abs); err == nil && !n.isDir(p) {
		n.found[p] = true
	}
}

func (n *naively) isDir(p string) bool {
	st, err := os.Stat(filepath.Join(n.root, p))
	return err == nil && st.IsDir()
}

// loops reports whether p, in dir, is a link to a directory that contains it.
func (n *naively) loops(dir, p string) bool {
	if st, err := os.Lstat(filepath.Join(n.root, p)); err != nil || st.Mode()&os.ModeSymlink == 0 {
		return false
	}
	to, err := os.Stat(filepath.Join(n.root, p))
	if err != nil {
		return true
	}
	for at := filepath.Join(n.root, dir); ; at = filepath.Dir(at) {
		if st, err := os.Stat(at); err == nil && os.SameFile(st, to) {
			return true
		}
		if at == filepath.Dir(at) {
			return false
		}
	}
}

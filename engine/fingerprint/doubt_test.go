package fingerprint

import (
	"context"
	"os"
	"path/filepath"
	"testing"
)

// TestFound: what is found to be the content of a file counts, though its times say that
// it is what it was, until they change; in a listing and by itself.
func TestFound(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "a")
	if err := os.WriteFile(name, []byte("one"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, pattern := range []string{"*", "a"} {
		tree := NewTree(nil)
		read := func() Digest {
			t.Helper()
			tree.Dirty()
			found, err := tree.Contents(context.Background(), dir, []Pattern{{Glob: pattern}}, false)
			if err != nil || len(found) != 1 {
				t.Fatal(found, err)
			}
			return found[name]
		}
		now := read()
		// As if it had been this, and its times did not show that it is not any more.
		was := Digest{1}
		believe := func() {
			st, err := statPath(name, true)
			if err != nil {
				t.Fatal(err)
			}
			h := hashed{st: st, digest: was}
			if d, ok := tree.doubts[name]; ok {
				h.st.ctime = d.ctime
			}
			if pattern == "a" {
				tree.remember(item{nowhere, &dent{name: name}}, h)
			} else {
				d := tree.list(dir+"/", nil)
				tree.remember(item{d, d.entry("a")}, h)
			}
		}
		for range 2 {
			believe()
			if read() != was {
				t.Fatal("the times are not believed")
			}
			tree.Found(name, was)
			if read() != was {
				t.Error("what is known is doubted")
			}
			tree.Found(name, now)
			if read() != now {
				t.Error("what is known is not doubted")
			}
			tree.Found(name, now)
		}
		if len(tree.doubts) != 1 {
			t.Errorf("%d doubts", len(tree.doubts))
		}
	}
}

package glob

import (
	"context"
	"os"
	"path/filepath"
	"testing"
)

// TestSetContent: the content that was set counts, although the times of the file are unchanged,
// until they change; in a listing and by itself.
func TestSetContent(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "a")
	if err := os.WriteFile(name, []byte("one"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, pattern := range []string{"*", "a"} {
		tree := NewTree(nil)
		read := func() Digest {
			t.Helper()
			tree.MarkDirty()
			found, err := tree.Digests(context.Background(), dir, []Pattern{{Glob: pattern}}, false)
			if err != nil || len(found) != 1 {
				t.Fatal(found, err)
			}
			return found[name]
		}
		now := read()
		// As if this had been its content, and its times did not show the change.
		was := Digest{1}
		believe := func() {
			st, err := statPath(name, true)
			if err != nil {
				t.Fatal(err)
			}
			c := Content{Stat: st, Digest: was}
			if same, ok := tree.sameTimes[name]; ok {
				c.Stat.Ctime = same.ctime
			}
			if pattern == "a" {
				tree.remember(File{named, &entry{name: name}}, c)
			} else {
				d := tree.list(dir+"/", nil, false)
				tree.remember(File{d, d.entry("a")}, c)
			}
		}
		for range 2 {
			believe()
			if read() != was {
				t.Fatal("the times do not count")
			}
			tree.SetContent(name, was)
			if read() != was {
				t.Error("the times do not count though the content is known")
			}
			tree.SetContent(name, now)
			if read() != now {
				t.Error("the times count though the content is another")
			}
			tree.SetContent(name, now)
		}
		if len(tree.sameTimes) != 1 {
			t.Errorf("%d files with the same times", len(tree.sameTimes))
		}
	}
}

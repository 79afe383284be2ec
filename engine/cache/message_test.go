package cache

import (
	"bytes"
	"errors"
	"path"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/weftrun/weft/internal/wire"
)

// a, b and empty are digests for tests.
var (
	digestA = DigestOf([]byte("a"))
	digestB = DigestOf([]byte("bb"))
	empty   = DigestOf(nil)
)

// messages has every message with every field set, and its decoder.
func messages() map[string]struct {
	encoded []byte
	want    any
	decode  func([]byte) (any, error)
} {
	type test = struct {
		encoded []byte
		want    any
		decode  func([]byte) (any, error)
	}
	action := &Action{Command: digestA, InputRoot: empty, Salt: []byte("weft/1\x00s"), Platform: Platform{{"ISA", "x86-64"}, {"OSFamily", "linux"}}}
	command := &Command{
		Arguments: []string{"weft", "", "x"}, Env: []EnvironmentVariable{{"A", ""}, {"B", "b"}},
		OutputFiles: []string{"f"}, OutputDirectories: []string{"d"}, Platform: Platform{{"ISA", "arm-a64"}},
		WorkingDirectory: "w", OutputPaths: []string{"d", "f"},
	}
	directory := &Directory{
		Files:       []FileNode{{"a", digestA, false}, {"ü", empty, true}},
		Directories: []DirectoryNode{{"d", digestB}},
		Symlinks:    []SymlinkNode{{"l", "../a"}},
	}
	result := &ActionResult{
		Files:       []OutputFile{{"bin/app", digestA, true, NodeProperties{0o755, true}}, {"z", empty, false, NodeProperties{0, true}}, {"zz", empty, false, NodeProperties{}}},
		Directories: []OutputDirectory{{"d", digestB, digestA}},
		Symlinks:    []OutputSymlink{{"bin/l", "app"}},
		ExitCode:    -1, Stdout: digestB,
		Metadata: ExecutedActionMetadata{Worker: "weft/1"},
	}
	log := &Log{Marks: []Mark{{0, 0, 1}, {0, 2, 0}, {1 << 40, 1, 0}}, Outputs: []byte(`{"a":1}`), Stdout: digestA}
	result.SetLog(log)
	tree := &Tree{Root: *directory, Children: []Directory{{}, *directory}}
	return map[string]test{
		"Action":       {action.Append(nil), action, func(b []byte) (any, error) { return DecodeAction(b) }},
		"Command":      {command.Append(nil), command, func(b []byte) (any, error) { return DecodeCommand(b) }},
		"Directory":    {directory.Append(nil), directory, func(b []byte) (any, error) { return DecodeDirectory(b) }},
		"Tree":         {tree.Append(nil), tree, func(b []byte) (any, error) { return DecodeTree(b) }},
		"ActionResult": {result.Append(nil), result, func(b []byte) (any, error) { return DecodeActionResult(b) }},
		"Log": {result.Append(nil), log, func(b []byte) (any, error) {
			r, err := DecodeActionResult(b)
			if err != nil {
				return nil, err
			}
			return r.Log()
		}},
	}
}

func TestRoundTrip(t *testing.T) {
	for name, m := range messages() {
		if got, err := m.decode(m.encoded); err != nil || !reflect.DeepEqual(got, m.want) {
			t.Errorf("%s: got %+v, %v; want %+v", name, got, err, m.want)
		}
		// The added fields are unknown, and are skipped.
		if got, err := m.decode(wire.AppendText(bytes.Clone(m.encoded), 1000, "x")); err != nil || !reflect.DeepEqual(got, m.want) {
			t.Errorf("%s with an unknown field: got %+v, %v", name, got, err)
		}
		if _, err := m.decode(m.encoded[:len(m.encoded)-1]); !errors.Is(err, wire.ErrMalformed) {
			t.Errorf("%s that is cut off: %v", name, err)
		}
	}
}

func TestMalformed(t *testing.T) {
	digest := func(hash string, size int64) []byte {
		return wire.AppendMessage(nil, 6, func(b []byte) []byte { return wire.AppendInt(wire.AppendText(b, 1, hash), 2, size) })
	}
	hash := digestA.Hex()
	for name, b := range map[string][]byte{
		"short hash":          digest(hash[:63], 1),
		"long hash":           digest(hash+"0", 1),
		"upper case":          digest(strings.ToUpper(hash), 1),
		"no hexadecimal":      digest(strings.Repeat("x", 64), 1),
		"hash of zeros":       digest(strings.Repeat("0", 64), 1),
		"no hash":             digest("", 1),
		"negative size":       digest(hash, -1),
		"digest is a number":  wire.AppendUint(nil, 6, 1),
		"file is a number":    wire.AppendUint(nil, 2, 1),
		"path is a number":    wire.AppendMessage(nil, 2, func(b []byte) []byte { return wire.AppendUint(b, 1, 1) }),
		"more than MaxResult": wire.AppendText(nil, 1000, make([]byte, MaxResult)),
		"too many elements":   bytes.Repeat(wire.AppendElement(nil, 12, ""), maxElements+1),
	} {
		if r, err := DecodeActionResult(b); !errors.Is(err, wire.ErrMalformed) {
			t.Errorf("%s: got %+v, %v", name, r, err)
		}
	}
}

// TestLinksOfOlderServers: links are in one of three lists.
func TestLinksOfOlderServers(t *testing.T) {
	var b []byte
	for _, field := range []int{10, 11, 12} {
		b = wire.AppendMessage(b, field, (&OutputSymlink{Path: string(rune('a' + field)), Target: "t"}).Append)
	}
	r, err := DecodeActionResult(b)
	if want := []OutputSymlink{{"k", "t"}, {"l", "t"}, {"m", "t"}}; err != nil || !reflect.DeepEqual(r.Symlinks, want) {
		t.Errorf("got %+v, %v", r, err)
	}
}

func TestDigest(t *testing.T) {
	if got, want := empty.String(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855/0"; got != want || empty.IsZero() || !(Digest{}).IsZero() {
		t.Errorf("the empty blob is %s", got)
	}
	if got := digestB.Append(nil); string(got) != "\n@"+digestB.Hex()+"\x10\x02" {
		t.Errorf("got %q", got)
	}
}

// FuzzMessages: a decoded message can be encoded, and decodes to the same value.
func FuzzMessages(f *testing.F) {
	for _, m := range messages() {
		f.Add(m.encoded)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		again(t, b, DecodeAction, (*Action).Append)
		again(t, b, DecodeCommand, (*Command).Append)
		again(t, b, DecodeDirectory, (*Directory).Append)
		again(t, b, DecodeTree, (*Tree).Append)
		again(t, b, DecodeActionResult, (*ActionResult).Append)
		again(t, b, decode[Log], (*Log).Append)
	})
}

func again[M any](t *testing.T, b []byte, decode func([]byte) (*M, error), append func(*M, []byte) []byte) {
	m, err := decode(b)
	if err != nil {
		return
	}
	encoded := append(m, nil)
	n, err := decode(encoded)
	if err != nil || !bytes.Equal(append(n, nil), encoded) {
		t.Errorf("%T: %x becomes %x, then %+v, %v", m, b, encoded, n, err)
	}
}

// FuzzOutputs: for any result, the accepted outputs are below the root, each path once, with no
// link that leads out of it; or none is accepted.
func FuzzOutputs(f *testing.F) {
	f.Add("a/b", "a/l", "../b", "d", uint8(0))
	f.Add("../x", "/abs", "x/../../y", ".GIT/config", uint8(1))
	f.Add("a", "a/b", "..", ".weft", uint8(2))
	f.Fuzz(func(t *testing.T, file, link, target, dir string, which uint8) {
		r := &ActionResult{}
		if which&1 == 0 {
			r.Files = []OutputFile{{Path: file, Digest: digestA}}
		}
		if which&2 == 0 {
			r.Symlinks = []OutputSymlink{{Path: link, Target: target}}
		}
		if which&4 == 0 {
			r.Directories = []OutputDirectory{{Path: dir, Tree: emptyTree()}}
		}
		r, err := DecodeActionResult(r.Append(nil))
		if err != nil {
			t.Fatal(err)
		}
		outs, err := r.outputs(nil)
		if err != nil {
			return
		}
		seen := map[string]bool{}
		for _, o := range outs {
			if seen[o.path] || !filepath.IsLocal(o.path) || path.Clean(o.path) != o.path {
				t.Errorf("%q is taken", o.path)
			}
			seen[o.path] = true
			for name := range strings.SplitSeq(strings.ToLower(o.path), "/") {
				if name == ".git" || name == ".hg" || name == ".weft" {
					t.Errorf("%q is taken", o.path)
				}
			}
			if o.link != nil && (path.IsAbs(o.link.Target) || strings.HasPrefix(path.Join("r", path.Dir(o.path), o.link.Target)+"/", "../") || !strings.HasPrefix(path.Join("r", path.Dir(o.path), o.link.Target)+"/", "r/")) {
				t.Errorf("the link %q to %q is taken", o.path, o.link.Target)
			}
		}
	})
}

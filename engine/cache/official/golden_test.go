package official

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	repb "github.com/bazelbuild/remote-apis/build/bazel/remote/execution/v2"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/weftrun/weft/engine/cache"
)

// step is one of ../testdata/steps.json.
type step struct {
	Name  string
	Files []struct {
		Path, Target string
		Content      *string
		Executable   bool
	}
	Many      int
	Dirs      []string
	Dir, Salt string
	Commands  []string
	Generates []cache.Pattern
	Outputs   []cache.Value
	Captured  bool
	Inputs    []string
	Keys      []string
	Inherited []cache.Inherited
	Env       map[string]string

	Limit  string
	Worker *struct {
		Runner, Installed string
		Platform          []cache.Property
		Env               map[string]string
		Timeout           string
		Volatile          bool
	}
}

// key is the key of a step, made from the text of the specification with the official types.
type key struct{ action, command, root *repb.Digest }

// keyOf returns the key of s on a machine, here or elsewhere.
func keyOf(t *testing.T, s *step, isa, family string, elsewhere bool) key {
	act := cache.Act{Dir: s.Dir, Generates: s.Generates, Outputs: s.Outputs, Captured: s.Captured, Keys: s.Keys, Inherited: s.Inherited}
	for _, c := range s.Commands {
		act.Commands = append(act.Commands, []byte(c))
	}
	for _, i := range s.Inputs {
		act.Inputs = append(act.Inputs, []byte(i))
	}
	tree := newFolder()
	if elsewhere {
		act.Limit = duration(t, s.Limit)
	}
	for _, f := range s.Files {
		outside := strings.HasPrefix(f.Path, "../")
		if !elsewhere && (outside || f.Target != "" && f.Content != nil) {
			act.Elsewhere = append(act.Elsewhere, cache.File{Path: f.Path, Digest: cache.DigestOf([]byte(*f.Content)), Executable: f.Executable, Target: f.Target})
		}
		at := tree.below(path.Dir(f.Path))
		switch name := path.Base(f.Path); {
		case outside:
		case f.Target != "":
			at.links = append(at.links, &repb.SymlinkNode{Name: name, Target: f.Target})
		default:
			at.files = append(at.files, &repb.FileNode{Name: name, Digest: digestOf([]byte(*f.Content)), IsExecutable: f.Executable})
		}
	}
	for i := range s.Many {
		at := tree.below(fmt.Sprintf("many/%d", i/100))
		at.files = append(at.files, &repb.FileNode{Name: fmt.Sprint(i), Digest: digestOf([]byte{byte(i)})})
	}
	for _, d := range s.Dirs {
		tree.below(d)
	}
	in := tree.below(".weft/in")
	in.files = append(in.files, &repb.FileNode{Name: "act", Digest: digestOf(act.Append(nil))})

	platform := &repb.Platform{Properties: []*repb.Platform_Property{{Name: "ISA", Value: isa}, {Name: "OSFamily", Value: family}}}
	command := &repb.Command{
		Arguments:         []string{"weft", "--act", ".weft/in/act"},
		OutputFiles:       []string{".weft/out/result"},
		OutputDirectories: []string{".weft/out/cas"},
		OutputPaths:       []string{".weft/out/cas", ".weft/out/result"},
		Platform:          platform,
	}
	action := &repb.Action{Salt: []byte("weft/1\x00" + s.Salt)}
	env := maps.Clone(s.Env)
	if elsewhere {
		w := s.Worker
		command.Platform, command.Arguments[0] = &repb.Platform{}, ".weft/in/weft"
		for _, p := range w.Platform {
			command.Platform.Properties = append(command.Platform.Properties, &repb.Platform_Property{Name: p.Name, Value: p.Value})
		}
		slices.SortFunc(command.Platform.Properties, func(a, b *repb.Platform_Property) int {
			return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.Value, b.Value))
		})
		if w.Installed != "" {
			command.Arguments[0] = w.Installed
		} else {
			in.files = append(in.files, &repb.FileNode{Name: "weft", Digest: digestOf([]byte(w.Runner)), IsExecutable: true})
		}
		env = maps.Clone(w.Env)
		if env == nil {
			env = map[string]string{}
		}
		maps.Copy(env, s.Env)
		if limit := cmp.Or(act.Limit, duration(t, w.Timeout)); limit > 0 {
			action.Timeout = durationpb.New(limit + 30*time.Second)
		}
		action.DoNotCache = w.Volatile
	}
	for name, value := range env {
		command.EnvironmentVariables = append(command.EnvironmentVariables, &repb.Command_EnvironmentVariable{Name: name, Value: value})
	}
	slices.SortFunc(command.EnvironmentVariables, func(a, b *repb.Command_EnvironmentVariable) int { return strings.Compare(a.Name, b.Name) })
	k := key{command: digestOf(encoded(t, command)), root: tree.digest(t)}
	action.CommandDigest, action.InputRootDigest, action.Platform = k.command, k.root, command.Platform
	k.action = digestOf(encoded(t, action))
	return k
}

func duration(t *testing.T, text string) time.Duration {
	if text == "" {
		return 0
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// folder is a directory of inputs.
type folder struct {
	files []*repb.FileNode
	links []*repb.SymlinkNode
	dirs  map[string]*folder
}

func newFolder() *folder { return &folder{dirs: map[string]*folder{}} }

// below returns the folder at a path, which it makes if there is none. A path outside has none.
func (f *folder) below(p string) *folder {
	if p == "." {
		return f
	}
	if p == ".." || strings.HasPrefix(p, "../") {
		return newFolder()
	}
	for name := range strings.SplitSeq(p, "/") {
		if f.dirs[name] == nil {
			f.dirs[name] = newFolder()
		}
		f = f.dirs[name]
	}
	return f
}

func (f *folder) digest(t *testing.T) *repb.Digest {
	d := &repb.Directory{Files: f.files, Symlinks: f.links}
	for name, inner := range f.dirs {
		d.Directories = append(d.Directories, &repb.DirectoryNode{Name: name, Digest: inner.digest(t)})
	}
	sortByName(d.Files)
	sortByName(d.Directories)
	sortByName(d.Symlinks)
	return digestOf(encoded(t, d))
}

func sortByName[T interface{ GetName() string }](list []T) {
	slices.SortFunc(list, func(a, b T) int { return strings.Compare(a.GetName(), b.GetName()) })
}

func digestOf(b []byte) *repb.Digest {
	h := sha256.Sum256(b)
	return &repb.Digest{Hash: hex.EncodeToString(h[:]), SizeBytes: int64(len(b))}
}

func encoded(t *testing.T, m proto.Message) []byte {
	t.Helper()
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestGoldenKeys: the official types make the same keys as package cache, which compares its keys
// with the same file.
func TestGoldenKeys(t *testing.T) {
	var steps []step
	b, err := os.ReadFile("../testdata/steps.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &steps); err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	text := func(d *repb.Digest) string { return fmt.Sprintf("%s/%d", d.Hash, d.SizeBytes) }
	for i := range steps {
		s := &steps[i]
		k := keyOf(t, s, "x86-64", "linux", false)
		fmt.Fprintf(&got, "%s: action %s command %s root %s\n", s.Name, text(k.action), text(k.command), text(k.root))
		if s.Worker != nil {
			k := keyOf(t, s, "", "", true)
			fmt.Fprintf(&got, "%s, elsewhere: action %s command %s root %s\n", s.Name, text(k.action), text(k.command), text(k.root))
		}
	}
	want, err := os.ReadFile("../testdata/golden.txt")
	if err != nil || got.String() != string(want) {
		t.Errorf("%v; got\n%s\nwant\n%s", err, got.String(), want)
	}
}

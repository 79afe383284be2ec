package plan

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"path/filepath"
	"slices"
	"sort"
	"strings"

	"github.com/weftrun/weft/schema"
)

// HistoryKey identifies the same step in other runs: by the Taskfile, which is named relative to
// root, an absolute path, by the task's name in it, the label and the variables of the call, but
// for values that are secret. Steps of one run may have the same.
func (s *Step) HistoryKey(root string) uint64 {
	f := s.Task.Pos.File
	name := f.Path
	if n := len(root); len(name) > n && name[n] == filepath.Separator && name[:n] == root {
		name = filepath.ToSlash(name[n+1:])
	} else if rel, err := filepath.Rel(root, name); err == nil && !f.Remote {
		name = filepath.ToSlash(rel)
	}
	var space [256]byte
	b := appendCounted(space[:0], name)
	b = appendCounted(b, s.localName())
	b = appendCounted(b, s.Label)
	for _, v := range byName(s.vars()) {
		b = appendCounted(b, v.Name)
		b = append(b, byte(v.Kind))
		text, isText := v.Value.(string)
		switch {
		case v.Secret:
			text = ""
		case v.Kind != schema.Static:
			text = v.Text
		case !isText:
			text = fmt.Sprintf("%#v", v.Value)
		}
		b = appendCounted(b, text)
	}
	sum := sha256.Sum256(b)
	return binary.BigEndian.Uint64(sum[:])
}

// localName returns the name of the task in its file, with the stars of a wildcard replaced by
// their matches.
func (s *Step) localName() string {
	namespace := strings.TrimSuffix(s.Task.Name, s.Task.LocalName)
	if local, ok := strings.CutPrefix(s.Name, namespace); ok {
		return local
	}
	return s.Name
}

// byName returns vs sorted by name. vs is not changed.
func byName(vs schema.Vars) schema.Vars {
	less := func(i, j int) bool { return vs[i].Name < vs[j].Name }
	if len(vs) > 1 && !sort.SliceIsSorted(vs, less) {
		vs = slices.Clone(vs)
		sort.Slice(vs, less)
	}
	return vs
}

//go:noinline
func appendCounted(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

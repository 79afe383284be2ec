package cache

import (
	"github.com/weftrun/weft/internal/statefile"
)

// messages returns the existing blobs of an Action that are not kept yet: the Action, its Command,
// the directories of its inputs and the contents of weft's own directory. Other inputs are not
// blobs.
func (c *collection) messages(action Digest) []Digest {
	m := &messageWalk{collection: c, seen: map[shortHash]bool{}}
	b, ok := m.read(action, true)
	if !ok {
		return nil
	}
	a, err := DecodeAction(b)
	if err != nil {
		return m.found
	}
	m.read(a.Command, false)
	m.directory(a.InputRoot, false)
	return m.found
}

type messageWalk struct {
	*collection
	found []Digest
	seen  map[shortHash]bool
}

// read records a blob and returns its content, unless it is missing or was recorded before. The
// size of an Action is not known.
func (m *messageWalk) read(blob Digest, anySize bool) ([]byte, bool) {
	s := shorten(blob)
	if m.seen[s] || m.keeps(s) || blob.Size > MaxResult {
		return nil, false
	}
	m.seen[s] = true
	dir, err := m.blobs.at(blob.Hash[0], false)
	if err != nil {
		return nil, false
	}
	b, err := dir.ReadFile(blob.Hex(), MaxResult)
	if err != nil || DigestOf(b).Hash != blob.Hash || !anySize && blob.Size != int64(len(b)) {
		return nil, false
	}
	m.found = append(m.found, Digest{blob.Hash, int64(len(b))})
	return b, true
}

func (m *messageWalk) directory(blob Digest, ours bool) {
	b, ok := m.read(blob, false)
	if !ok {
		return
	}
	d, err := DecodeDirectory(b)
	if err != nil {
		return
	}
	if ours {
		for _, f := range d.Files {
			m.read(f.Digest, false)
		}
	}
	for _, sub := range d.Directories {
		m.directory(sub.Digest, ours || sub.Name == statefile.DirName)
	}
}

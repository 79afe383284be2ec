package fingerprint

import (
	"context"
	"path"
)

// Changed says that something may have been made, changed or removed at a path: the
// directory is listed again, and looked at, by who asks next. It is Dirty for those who
// know where.
func (t *Tree) Changed(name string) {
	t.forget(path.Dir(name) + "/")
	t.forget(name + "/")
}

// forget makes the listing of a directory one of an age that is over.
func (t *Tree) forget(prefix string) {
	t.mu.Lock()
	s := t.slots[prefix]
	t.mu.Unlock()
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.d != nil {
		old := s.d
		old.mu.Lock()
		again := &directory{prefix: old.prefix, self: old.self, young: old.young, ents: old.ents, err: old.err}
		old.mu.Unlock()
		s.d = again // of age 0
	}
}

// Contents are digests of the files that patterns match, by absolute path. Files whose
// stat is known are not read again. The only error is that of ctx.
func (t *Tree) Contents(ctx context.Context, dir string, ps []Pattern, gitignore bool) (map[string]Digest, error) {
	found, err := t.find(ctx, dir, ps, gitignore)
	if err != nil {
		return nil, err
	}
	hashes := make([]hashed, len(found.items))
	todo := make([]int32, len(found.items))
	for i := range todo {
		todo[i] = int32(i)
	}
	if err := t.read(ctx, found.items, todo, hashes); err != nil {
		return nil, err
	}
	contents := make(map[string]Digest, len(found.items))
	for i, it := range found.items {
		contents[it.path()] = hashes[i].digest
	}
	return contents, nil
}

// Content is the digest of one file, as Contents has it; the zero Digest if there is
// none to be read.
func Content(ctx context.Context, name string) Digest {
	st, err := statPath(name, true)
	if err != nil {
		if target, e := readlink(name); e == nil {
			return linkDigest(target)
		}
	}
	switch {
	case err != nil || st.mode&typeMask == typeDir:
		return Digest{}
	case !st.regular():
		return notContent
	}
	buf := buffers.Get().(*[128 << 10]byte)
	defer buffers.Put(buf)
	return hashFile(ctx, name, buf[:])
}

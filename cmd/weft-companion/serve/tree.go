package serve

import (
	"errors"

	"github.com/weftrun/weft/engine/cache"
	"github.com/weftrun/weft/internal/wire"
)

const (
	maxTree  = 64 << 20 // bytes of a message that describes a directory
	bigTree  = 1 << 20  // from which only one is in memory at a time
	maxDepth = 256      // of directories that have messages of their own
)

// completeTree returns a refusal if a file in a tree, which is here, is not here. Its directories
// are in the message itself.
func (s *store) completeTree(tree cache.Digest) error {
	return s.withMessage(tree, func(b []byte) error {
		return eachField(b, func(d *wire.Decoder) error { // a Tree: the root, and its children
			if f := d.Field(); f != 1 && f != 2 {
				return nil
			}
			_, err := s.completeEntries(d.Bytes())
			return err
		})
	})
}

// completeDirectory returns a refusal if something below a directory, which is here, is not here.
// seen has the directories that need no look.
func (s *store) completeDirectory(dir cache.Digest, seen map[key]bool, depth int) error {
	if seen[dir.Hash] {
		return nil
	}
	if depth > maxDepth {
		return refuse(malformed, "a directory is more than %d deep", maxDepth)
	}
	seen[dir.Hash] = true
	var below []cache.Digest
	err := s.withMessage(dir, func(b []byte) (err error) {
		below, err = s.completeEntries(b)
		return err
	})
	for _, d := range below {
		if err == nil && !s.has(d) {
			err = refuse(incomplete, "the result names the directory %s, which does not exist", d)
		}
		if err == nil {
			err = s.completeDirectory(d, seen, depth+1)
		}
	}
	return err
}

// completeEntries checks that the files of a Directory are here, and returns its directories.
func (s *store) completeEntries(b []byte) (dirs []cache.Digest, err error) {
	err = eachField(b, func(d *wire.Decoder) error {
		field := d.Field()
		if field != 1 && field != 2 {
			return nil
		}
		digest, err := nodeDigest(d.Bytes())
		switch {
		case err != nil:
			return err
		case field == 2:
			dirs = append(dirs, digest)
		case !s.has(digest):
			return refuse(incomplete, "the result names the blob %s, which does not exist", digest)
		}
		return nil
	})
	return dirs, err
}

// nodeDigest returns the digest of a FileNode or DirectoryNode.
func nodeDigest(b []byte) (digest cache.Digest, err error) {
	var hash string
	err = eachField(b, func(d *wire.Decoder) error {
		if d.Field() != 2 {
			return nil
		}
		return eachField(d.Bytes(), func(d *wire.Decoder) error {
			switch d.Field() {
			case 1:
				hash = d.String()
			case 2:
				digest.Size = d.Int()
			}
			return nil
		})
	})
	if err != nil {
		return digest, err
	}
	return newDigest(hash, digest.Size)
}

// withMessage calls use with the content of a blob. Few large ones are in memory at a time.
func (s *store) withMessage(d cache.Digest, use func([]byte) error) error {
	if d.Size > bigTree {
		s.trees.Lock()
		defer s.trees.Unlock()
	}
	b, err := s.read(d, maxTree)
	var r *refusal
	if errors.As(err, &r) && r.why == absent {
		return refuse(incomplete, "the result names the blob %s, which does not exist", d)
	}
	if err != nil {
		return err
	}
	return use(b)
}

// eachField calls use for each field of a message.
func eachField(b []byte, use func(*wire.Decoder) error) error {
	d := wire.NewDecoder(b)
	for d.Next() {
		if err := use(d); err != nil {
			return err
		}
	}
	if d.Err() != nil {
		return refuse(malformed, "the description of a directory is malformed: %v", d.Err())
	}
	return nil
}

package serve

import (
	"crypto/sha256"
	"fmt"
	"hash"
	"math/rand/v2"
	"os"

	"github.com/weftrun/weft/engine/cache"
)

// upload is a blob that is being received: a file without a name that counts. It is used by one
// goroutine at a time, and ends with commit or discard.
type upload struct {
	store    *store
	want     cache.Digest
	sized    bool // the size of want is known
	file     *os.File
	name     string
	hash     hash.Hash
	n        int64 // bytes received
	reserved int64 // bytes set aside and not yet written
}

// unsizedShare is how much is set aside at a time for a blob whose size is not known.
const unsizedShare = 1 << 20

// create begins to receive the blob d, whose size is −1 if it is not known. Space for all of it is
// set aside. The error may be a refusal.
func (s *store) create(d cache.Digest) (*upload, error) {
	if d.Size > s.o.maxBlob {
		return nil, refuse(tooLarge, "a blob may have at most %d bytes, not %d", s.o.maxBlob, d.Size)
	}
	u := &upload{store: s, want: d, sized: d.Size >= 0, hash: sha256.New()}
	if u.sized {
		if err := u.reserve(d.Size); err != nil {
			return nil, err
		}
	}
	u.name = fmt.Sprintf("%016x", rand.Uint64())
	s.changing()
	file, err := s.tmp.OpenFile(u.name, os.O_WRONLY|os.O_CREATE|os.O_EXCL)
	if err != nil {
		u.store.space.release(u.reserved)
		return nil, err
	}
	u.file = file
	return u, nil
}

func (u *upload) reserve(n int64) error {
	err := u.store.space.reserve(n)
	if err != nil {
		u.store.collectSoon()
		return err
	}
	u.reserved += n
	return nil
}

// Write receives b. The error of more than was announced is a refusal; after an error there is
// nothing to do but to discard.
func (u *upload) Write(b []byte) (int, error) {
	more := int64(len(b))
	switch {
	case u.sized && u.n+more > u.want.Size:
		return 0, refuse(wrongContent, "the blob %.12s… has more than %d bytes", u.want.Hex(), u.want.Size)
	case u.n+more > u.store.o.maxBlob:
		return 0, refuse(tooLarge, "a blob may have at most %d bytes", u.store.o.maxBlob)
	case more > u.reserved:
		if err := u.reserve(max(more-u.reserved, unsizedShare)); err != nil {
			return 0, err
		}
	}
	n, err := u.file.Write(b)
	u.hash.Write(b[:n])
	u.n += int64(n)
	u.reserved -= int64(n)
	u.store.space.release(int64(n))
	if err != nil {
		u.store.collectSoon()
	}
	return n, err
}

// commit keeps the blob, if it matches its digest; otherwise the error is a refusal. In any
// case the upload is over.
func (u *upload) commit() error {
	err := u.verify()
	if err == nil {
		err = u.publish()
	}
	if err != nil {
		u.discard()
		return err
	}
	u.store.space.release(u.reserved)
	u.store.o.metrics.received.Add(u.n)
	u.store.collectIfLarge()
	return nil
}

func (u *upload) verify() error {
	if u.sized && u.n != u.want.Size {
		return refuse(wrongContent, "the blob %.12s… has %d bytes, not %d", u.want.Hex(), u.want.Size, u.n)
	}
	if got := key(u.hash.Sum(nil)); got != u.want.Hash {
		return refuse(wrongContent, "the data for the blob %.12s… has the digest %.12s…", u.want.Hex(), got)
	}
	return nil
}

func (u *upload) publish() error {
	if err := u.file.Chmod(0o444); err != nil {
		return err
	}
	if err := u.file.Close(); err != nil {
		return err
	}
	u.store.changing()
	return u.store.blobs.add(u.want.Hash, u.store.tmp, u.name, u.n)
}

// discard ends an upload of which nothing is kept.
func (u *upload) discard() {
	u.file.Close()
	u.store.changing()
	u.store.tmp.Remove(u.name)
	u.store.space.release(u.reserved)
	u.reserved = 0
}

// put keeps b as the blob d, if it is that; otherwise the error is a refusal.
func (s *store) put(d cache.Digest, b []byte) error {
	if int64(len(b)) != d.Size {
		return refuse(wrongContent, "the blob %.12s… has %d bytes, not %d", d.Hex(), d.Size, len(b))
	}
	if s.has(d) {
		return nil
	}
	u, err := s.create(d)
	if err != nil {
		return err
	}
	if _, err := u.Write(b); err != nil {
		u.discard()
		return err
	}
	return u.commit()
}

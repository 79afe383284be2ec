package cache

import (
	"crypto/sha256"
	"fmt"
	"hash"
	"io"
	"os"
)

// Has reports whether a blob with the right size is kept. If so, a concurrent [Disk.GC] does not
// remove it soon. Its content is verified when it is read.
func (d *Disk) Has(blob Digest) bool { return blob.Size == 0 || d.has(blob) }

// OpenUnverified opens a blob, whose content the caller must compare with the digest while it reads
// it. The error of one that is missing, or has another size, is a [*Damage].
func (d *Disk) OpenUnverified(blob Digest) (*os.File, error) {
	if blob.Size == 0 {
		return os.Open(os.DevNull)
	}
	f, _, err := d.openBlob(blob)
	return f, err
}

// Incoming is a blob that is being received from somewhere that may send anything. It is kept if it
// matches its digest. It must be ended by Commit or Discard, and is used by one goroutine at a time.
type Incoming struct {
	w    *newBlob
	want Digest
	hash hash.Hash
	n    int64
}

// Receive begins to receive a blob, which has at least one byte.
func (d *Disk) Receive(blob Digest) (*Incoming, error) {
	w, err := d.newBlob()
	if err != nil {
		return nil, err
	}
	return &Incoming{w: w, want: blob, hash: sha256.New()}, nil
}

// Received returns the number of bytes received.
func (in *Incoming) Received() int64 { return in.n }

// Write receives the next bytes. If there are more than the digest says, none of b is received and
// the error is a [*Damage].
func (in *Incoming) Write(b []byte) (int, error) {
	if int64(len(b)) > in.want.Size-in.n {
		return 0, &Damage{in.want, fmt.Sprintf("has more than %d bytes", in.want.Size)}
	}
	n, err := in.w.file.Write(b)
	in.hash.Write(b[:n])
	in.n += int64(n)
	return n, err
}

// Restart forgets what was received.
func (in *Incoming) Restart() error {
	in.hash.Reset()
	in.n = 0
	if _, err := in.w.file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	return in.w.file.Truncate(0)
}

// Verify returns a [*Damage] unless exactly the bytes of the blob were received.
func (in *Incoming) Verify() error {
	if in.n != in.want.Size {
		return &Damage{in.want, fmt.Sprintf("has %d bytes instead of %d", in.n, in.want.Size)}
	}
	if [sha256.Size]byte(in.hash.Sum(nil)) != in.want.Hash {
		return &Damage{in.want, "has other content"}
	}
	return nil
}

// Commit keeps the blob if it is whole, and otherwise discards it and returns a [*Damage].
func (in *Incoming) Commit() error { return in.w.finish(in.want, in.Verify()) }

// Discard ends the reception without keeping anything.
func (in *Incoming) Discard() { in.w.discard() }

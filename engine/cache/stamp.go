package cache

import (
	"crypto/sha256"
	"encoding/binary"
	"io/fs"
	"time"
)

// Where the file system can share content between files, a blob need not be read to be
// restored, if it was verified since it was written. This is recorded in its time of modification:
// whole seconds are the time of verification, and the nanoseconds are computed from the digest, the
// inode, and the boot of the system. A write to the file sets another time, and so does a copy that
// does not keep times, while a copy that keeps them has another inode. After a power failure, which
// may have left any content, the boot differs. A file without a valid stamp is verified again, which for
// a small one takes less time than setting and checking its stamp.

// stampedFrom is the size of the smallest blob that is stamped, in bytes.
const stampedFrom = 16 << 10

// stamp returns the time that marks the file with the inode as verified to be the blob. ok is false
// if the blob is too small, or the system does not provide the necessary data.
func (d *Disk) stamp(now time.Time, blob Digest, inode uint64) (t time.Time, ok bool) {
	if blob.Size < stampedFrom || d.boot == "" || inode == 0 {
		return now, false
	}
	b := append([]byte(d.boot), blob.Hash[:]...)
	b = binary.LittleEndian.AppendUint64(b, inode)
	sum := sha256.Sum256(b)
	ns := binary.LittleEndian.Uint64(sum[:]) % uint64(time.Second)
	return time.Unix(now.Unix(), int64(ns)), true
}

// verified reports whether the file was verified to be the blob, and not written since.
func (d *Disk) verified(st fs.FileInfo, blob Digest) bool {
	t, ok := d.stamp(st.ModTime(), blob, inodeOf(st))
	return ok && st.Size() == blob.Size && t.Equal(st.ModTime())
}

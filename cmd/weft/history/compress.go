package history

import (
	"fmt"
	"math/rand/v2"
	"os"

	"github.com/weftrun/weft/internal/quickzip"
	"github.com/weftrun/weft/internal/statefile"
)

// compress switches to compressed events: a new file replaces the first one, with its content.
func (r *recording) compress() (err error) {
	temp := fmt.Sprintf("%06d.%016x%s", r.number, rand.Uint64(), statefile.TemporarySuffix)
	f, err := r.d.OpenFile(temp, os.O_RDWR|os.O_CREATE|os.O_EXCL)
	if err != nil {
		return err
	}
	old := r.file
	statefile.LockFile(f, false) // no other process knows the file
	r.file, r.locked = f, true
	defer old.Close()
	r.zip = quickzip.NewWriter(f)
	before := make([]byte, r.size)
	if _, err = old.ReadAt(before, 0); err == nil {
		r.zip.Write(before)
		err = r.zip.Flush()
	}
	if err == nil {
		err = r.d.Move(temp, r.d, fileName(r.number, compressed))
	}
	if err != nil {
		r.d.Remove(temp)
		return err
	}
	return r.d.Remove(fileName(r.number, events))
}

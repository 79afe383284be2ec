package history

import (
	"errors"
	"os"
	"strings"
	"time"

	"github.com/weftrun/weft/internal/statefile"
)

const (
	lockName = "lock"
	// lockTimeout is how long the end of a run waits for that of others.
	lockTimeout = 2 * time.Second

	maxSize = 64 << 20 // bytes of all kept runs
	// largeRun is the size of a run, in bytes, after which the total size is checked. After smaller
	// ones it is checked occasionally.
	largeRun          = 1 << 20
	sizeCheckInterval = 16

	// excessFraction limits the number of excess runs before they are removed: a fraction of the
	// kept ones.
	excessFraction = 8

	unfinishedFor = time.Hour // age of a temporary file left by a killed run
)

var errBusy = errors.New("other runs are using the history")

// locked calls f while no other process changes the shared files. It waits for them up to patience.
func locked(d *statefile.Dir, patience time.Duration, f func() error) error {
	lock, err := d.OpenFile(lockName, os.O_RDWR|os.O_CREATE)
	if err != nil {
		return err
	}
	defer lock.Close()
	deadline := time.Now().Add(patience)
	for pause := time.Millisecond; ; pause = min(2*pause, 20*time.Millisecond) {
		err := statefile.LockFile(lock, false)
		if err == nil || statefile.Unlockable(err) {
			return f()
		}
		if !errors.Is(err, statefile.ErrLocked) {
			return err
		}
		if time.Now().After(deadline) {
			return errBusy
		}
		time.Sleep(pause)
	}
}

// prune removes the oldest runs until at most keep remain, with at most most bytes; logs before
// events. Sizes are ignored if most is negative. It returns the remaining runs. The caller has the
// lock.
func prune(d *statefile.Dir, all []files, keep int, most int64) []files {
	kept := all[:0:0]
	surplus := len(all) - keep
	for i := range all {
		if surplus > 0 && removeRun(d, &all[i]) {
			surplus--
		} else {
			kept = append(kept, all[i])
		}
	}
	if most < 0 {
		return kept
	}
	left := most
	sizes := make([]int64, len(kept)) // of the events
	for i := range kept {
		for k := range kinds {
			if !kept[i].has[k] {
				continue
			}
			size, _, _ := d.Stat(fileName(kept[i].number, k))
			left -= size
			if k != log {
				sizes[i] += size
			}
		}
	}
	for i := 0; i < len(kept) && left < 0; i++ {
		name := fileName(kept[i].number, log)
		size, _, err := d.Stat(name)
		if err == nil && !inUse(d, kept[i].eventsName()) && d.Remove(name) == nil {
			left += size
			kept[i].has[log] = false
		}
	}
	for i := 0; i < len(kept) && left < 0; {
		if !removeRun(d, &kept[i]) {
			i++
			continue
		}
		left += sizes[i]
		kept = append(kept[:i], kept[i+1:]...)
		sizes = append(sizes[:i], sizes[i+1:]...)
	}
	return kept
}

// removeRun removes the files of a run, unless it is being recorded. It reports whether it did.
func removeRun(d *statefile.Dir, f *files) bool {
	if name := f.eventsName(); name != "" && inUse(d, name) {
		return false
	}
	for _, k := range [...]kind{log, events, compressed} {
		if f.has[k] && d.Remove(fileName(f.number, k)) != nil {
			return false
		}
	}
	return true
}

// sweep removes temporary files of killed runs.
func sweep(d *statefile.Dir) {
	names, _ := d.Names()
	before := time.Now().Add(-unfinishedFor)
	for _, name := range names {
		if !strings.HasSuffix(name, statefile.TemporarySuffix) {
			continue
		}
		if _, at, err := d.Stat(name); err == nil && at.Before(before) {
			d.Remove(name)
		}
	}
}

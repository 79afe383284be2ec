package cache

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/weftrun/weft/internal/statefile"
)

// Index records which entries of the cache belong to a project, and to which task: the cache
// itself, which many projects share, knows no tasks. It is a file in the state directory of the
// project. Its loss loses only that information. It is safe for concurrent use, also by several
// processes.
//
// The file has a line for each entry: when it was stored or restored, in seconds since 1970; the
// digest of its Action; the quoted name of its task. Lines are appended, and one that a crash
// has cut off is skipped. Surplus entries are dropped when the file has grown.
type Index struct{ Place statefile.Place }

// Indexed is an entry of the cache that a task has stored or restored.
type Indexed struct {
	Task   string // full name
	Action Digest
	Time   time.Time // of its last use, in seconds; another one within a day is not recorded
}

const (
	indexName    = "cached"
	maxIndex     = 4 << 20   // bytes that are read
	largeIndex   = 512 << 10 // bytes from which it is made smaller
	maxTaskName  = 4 << 10   // bytes; a task with a longer one has no entries
	keptEntries  = 2000      // of all tasks, when it is made smaller
	keptOfOne    = 64        // of one task, then
	indexedAgain = 24 * time.Hour
)

// Entries returns all entries, each once, in the order in which they were used last. A missing file
// has none.
func (x *Index) Entries() ([]Indexed, error) {
	d, err := x.Place.Open()
	if err != nil {
		return nil, absent(err)
	}
	defer d.Close()
	b, err := d.ReadFile(indexName, maxIndex)
	return lastTimes(parseIndex(b)), absent(err)
}

// lastTimes returns each entry once, with its last time.
func lastTimes(entries []Indexed) []Indexed {
	type name struct {
		task   string
		action Digest
	}
	seen := map[name]bool{}
	last := make([]Indexed, 0, len(entries))
	for _, e := range slices.Backward(entries) {
		if n := (name{e.Task, e.Action}); !seen[n] {
			seen[n] = true
			last = append(last, e)
		}
	}
	slices.Reverse(last)
	return last
}

// absent returns err, or nil if it means that there is no file.
func absent(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// Note adds an entry, unless the state directory is missing or not writable: then nothing is known
// of the project anyway. The only error is a [statefile.Unsafe].
func (x *Index) Note(e Indexed) error {
	if len(e.Task) > maxTaskName {
		return nil
	}
	err := x.change(func(d *statefile.Dir, f *os.File, b []byte) error {
		entries := parseIndex(b)
		for _, old := range entries {
			if old.Task == e.Task && old.Action == e.Action && e.Time.Sub(old.Time) < indexedAgain {
				return nil
			}
		}
		if len(b) >= largeIndex {
			return d.WriteFile(indexName, formatIndex(newest(append(entries, e))))
		}
		line := e.append(nil)
		if len(b) > 0 && b[len(b)-1] != '\n' {
			line = append([]byte{'\n'}, line...)
		}
		_, err := f.WriteAt(line, int64(len(b)))
		return err
	})
	if _, unsafe := errors.AsType[*statefile.Unsafe](err); unsafe {
		return err
	}
	return nil
}

// Drop removes the entries that drop selects.
func (x *Index) Drop(drop func(Indexed) bool) error {
	return absent(x.change(func(d *statefile.Dir, _ *os.File, b []byte) error {
		entries := parseIndex(b)
		kept := slices.DeleteFunc(slices.Clone(entries), drop)
		if len(kept) == len(entries) {
			return nil
		}
		return d.WriteFile(indexName, formatIndex(kept))
	}))
}

// change calls do with the file and its content, while no other process changes it.
func (x *Index) change(do func(d *statefile.Dir, f *os.File, b []byte) error) error {
	d, err := x.Place.Open()
	if err != nil {
		return err
	}
	defer d.Close()
	for {
		f, err := d.OpenFile(indexName, os.O_RDWR|os.O_CREATE)
		if err != nil {
			return err
		}
		if err := statefile.LockFile(f, true); err != nil && !statefile.Unlockable(err) {
			f.Close()
			return err
		}
		if !d.Is(indexName, f) { // it was replaced
			f.Close()
			continue
		}
		err = changeLocked(d, f, do)
		f.Close() // which unlocks it
		return err
	}
}

func changeLocked(d *statefile.Dir, f *os.File, do func(*statefile.Dir, *os.File, []byte) error) error {
	size, err := statefile.Size(f, maxIndex)
	if err != nil {
		return err
	}
	b := make([]byte, size)
	if _, err := f.ReadAt(b, 0); err != nil && err != io.EOF {
		return err
	}
	return do(d, f, b)
}

// newest returns the entries that are kept when there are too many, each once.
func newest(entries []Indexed) []Indexed {
	ofTask := map[string]int{}
	var kept []Indexed
	for _, e := range slices.Backward(lastTimes(entries)) {
		if ofTask[e.Task] < keptOfOne && len(kept) < keptEntries {
			ofTask[e.Task]++
			kept = append(kept, e)
		}
	}
	slices.Reverse(kept)
	return kept
}

// append appends the line of e to b.
func (e *Indexed) append(b []byte) []byte {
	b = strconv.AppendInt(b, e.Time.Unix(), 10)
	b = append(b, ' ')
	b = append(b, e.Action.String()...)
	b = append(b, ' ')
	b = strconv.AppendQuote(b, e.Task)
	return append(b, '\n')
}

func formatIndex(entries []Indexed) (b []byte) {
	for i := range entries {
		b = entries[i].append(b)
	}
	return b
}

// parseIndex returns the entries in b, and skips other lines.
func parseIndex(b []byte) (entries []Indexed) {
	for line := range strings.Lines(string(b)) {
		when, rest, _ := strings.Cut(line, " ")
		digest, quoted, _ := strings.Cut(rest, " ")
		hash, size, _ := strings.Cut(digest, "/")
		var e Indexed
		at, err := strconv.ParseInt(when, 10, 64)
		if err != nil || e.Action.setHash([]byte(hash)) != nil {
			continue
		}
		quoted, whole := strings.CutSuffix(quoted, "\n")
		if e.Action.Size, err = strconv.ParseInt(size, 10, 64); err != nil || !whole || e.Action.Size < 0 {
			continue
		}
		if e.Task, err = strconv.Unquote(quoted); err != nil {
			continue
		}
		e.Time = time.Unix(at, 0)
		entries = append(entries, e)
	}
	return entries
}

package cache

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
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
type Index struct {
	Place statefile.Place

	mu    sync.Mutex // guards known
	known readIndex
}

// readIndex is what of the file was read or written before, so that a run with many entries reads it
// once.
type readIndex struct {
	file  os.FileInfo // nil: nothing was read
	size  int64       // in bytes
	last  string      // its last line
	times map[indexKey]time.Time
}

// indexKey identifies an entry.
type indexKey struct {
	task   string
	action Digest
}

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
	seen := map[indexKey]bool{}
	last := make([]Indexed, 0, len(entries))
	for _, e := range slices.Backward(entries) {
		if k := (indexKey{e.Task, e.Action}); !seen[k] {
			seen[k] = true
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
	x.mu.Lock()
	defer x.mu.Unlock()
	err := x.change(func(d *statefile.Dir, f *os.File) error {
		known := &x.known
		if err := known.read(f); err != nil {
			*known = readIndex{}
			return err
		}
		k := indexKey{e.Task, e.Action}
		if at, ok := known.times[k]; ok && e.Time.Sub(at) < indexedAgain {
			return nil
		}
		if known.size >= largeIndex {
			*known = readIndex{}
			b, err := content(f, 0)
			if err != nil {
				return err
			}
			return d.WriteFile(indexName, formatIndex(newest(append(parseIndex(b), e))))
		}
		line := string(e.append(nil))
		cut := ""
		if known.size > 0 && !strings.HasSuffix(known.last, "\n") {
			cut = "\n"
		}
		if _, err := f.WriteAt([]byte(cut+line), known.size); err != nil {
			*known = readIndex{}
			return err
		}
		known.size += int64(len(cut) + len(line))
		known.last, known.times[k] = line, e.Time
		return nil
	})
	if _, unsafe := errors.AsType[*statefile.Unsafe](err); unsafe {
		return err
	}
	return nil
}

// read reads what has been added to the file, which no other process changes, or all of another
// file.
func (k *readIndex) read(f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if k.file == nil || !os.SameFile(k.file, info) || info.Size() < k.size {
		*k = readIndex{}
	}
	b, err := content(f, k.size-int64(len(k.last)))
	if err != nil {
		return err
	}
	added, ok := strings.CutPrefix(string(b), k.last)
	if !ok { // another file has got the number of the one that was read
		*k = readIndex{}
		if b, err = content(f, 0); err != nil {
			return err
		}
		added = string(b)
	}
	k.file = info
	if k.times == nil {
		k.times = map[indexKey]time.Time{}
	}
	for _, e := range parseIndex([]byte(added)) {
		k.times[indexKey{e.Task, e.Action}] = e.Time
	}
	if added != "" {
		k.size += int64(len(added))
		k.last = strings.Clone(added[strings.LastIndexByte(strings.TrimSuffix(added, "\n"), '\n')+1:])
	}
	return nil
}

// content returns the content of f from an offset.
func content(f *os.File, from int64) ([]byte, error) {
	size, err := statefile.Size(f, maxIndex)
	if err != nil || size <= from {
		return nil, err
	}
	b := make([]byte, size-from)
	if _, err := f.ReadAt(b, from); err != nil && err != io.EOF {
		return nil, err
	}
	return b, nil
}

// Drop removes the entries that drop selects.
func (x *Index) Drop(drop func(Indexed) bool) error {
	return absent(x.change(func(d *statefile.Dir, f *os.File) error {
		b, err := content(f, 0)
		if err != nil {
			return err
		}
		entries := parseIndex(b)
		var kept []Indexed
		for _, e := range entries {
			if !drop(e) {
				kept = append(kept, e)
			}
		}
		if len(kept) == len(entries) {
			return nil
		}
		return d.WriteFile(indexName, formatIndex(kept))
	}))
}

// change calls do with the file, while no other process changes it.
func (x *Index) change(do func(d *statefile.Dir, f *os.File) error) error {
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
		err = do(d, f)
		f.Close() // which unlocks it
		return err
	}
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

package history

import (
	"cmp"
	"encoding/binary"
	"math/bits"
	"slices"
	"sort"
	"sync"
	"time"

	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/internal/statefile"
)

// The durations file has a record for each step with known durations, sorted by key. All numbers
// are little-endian:
//
//	 0  key
//	 8  the last five durations until success, in ms, the newest first; 0 for none
//	28  time of the last change of the record, in hours since 1970
const (
	durationsName     = "durations"
	recordSize        = 32
	lastTimes         = 5
	maxDurations      = 8 << 20 // bytes
	maxAge            = 90 * 24 // hours without a change after which a record is dropped
	confirmAfter      = 7 * 24  // hours after which a record is changed even if nothing is new
	ignoredDifference = 5       // differences in ms that are ignored
	rare              = 100     // one of so many steps may differ by more
	rareDifference    = 100     // differences in ms of these that are ignored
)

// Durations provides the durations of steps that succeeded. The file is read on the first use. It
// is safe for concurrent use.
type Durations struct {
	store *Store
	read  sync.Once
	table table
}

// Durations returns the recorded durations of steps.
func (s *Store) Durations() *Durations { return &Durations{store: s} }

// Any reports whether any duration is known.
func (d *Durations) Any() bool {
	d.read.Do(func() {
		dir, err := d.store.open()
		if err != nil {
			return
		}
		defer dir.Close()
		d.table = readTable(dir)
	})
	return len(d.table) > 0
}

// Of returns the median of the last durations of the step with a key, as in events; 0 if unknown.
func (d *Durations) Of(key string) time.Duration {
	if !d.Any() {
		return 0
	}
	k, ok := event.ParseKey(key)
	if !ok {
		return 0
	}
	return d.table.median(k)
}

// OfKey is [Durations.Of] for the number in a key.
func (d *Durations) OfKey(key uint64) time.Duration {
	if !d.Any() {
		return 0
	}
	return d.table.median(key)
}

// sample is the duration of a step.
type sample struct {
	key uint64
	ms  uint32
}

// table is the content of the durations file.
type table []byte

func readTable(d *statefile.Dir) table {
	b, err := d.ReadFile(durationsName, maxDurations)
	if err != nil {
		return nil
	}
	return table(b).valid()
}

// valid returns t if its records are sorted, or else an empty table.
func (t table) valid() table {
	t = t[:len(t)/recordSize*recordSize]
	for i := recordSize; i < len(t); i += recordSize {
		if t.key(i) <= t.key(i-recordSize) {
			return nil
		}
	}
	return t
}

func (t table) key(at int) uint64 { return binary.LittleEndian.Uint64(t[at:]) }

// find returns where the record of a step is, or would be. Keys are hashes, so it begins where that
// is if they are evenly distributed, and then if they are beyond the record that is there.
func (t table) find(key uint64) (at int, found bool) {
	records := len(t) / recordSize
	guess, _ := bits.Mul64(key, uint64(records))
	low := int(guess)
	if low < records {
		if there := t.key(low * recordSize); there <= key {
			between, _ := bits.Mul64(key-there, uint64(records))
			low = min(low+int(between), records-1)
		} else {
			between, _ := bits.Mul64(there-key, uint64(records))
			low = max(low-int(between), 0)
		}
	}
	high := low
	for step := 4; low > 0 && t.key(low*recordSize) > key; step *= 2 {
		low, high = max(0, low-step), low
	}
	for step := 4; high < records && t.key(high*recordSize) < key; step *= 2 {
		low, high = high, min(records, high+step)
	}
	i, found := sort.Find(min(high+1, records)-low, func(i int) int { return cmp.Compare(key, t.key((low+i)*recordSize)) })
	return (low + i) * recordSize, found
}

// from returns the part of t from the record of a step on, or from its insertion point. It is the
// faster the closer that is.
func (t table) from(key uint64) table {
	step := recordSize
	for ; step < len(t) && t.key(step) <= key; step *= 2 {
		t = t[step:]
	}
	at, _ := t[:min(step, len(t))].find(key)
	return t[at:]
}

// median returns the median of the times of a step, or 0.
func (t table) median(key uint64) time.Duration {
	i, found := t.find(key)
	if !found {
		return 0
	}
	return t.medianAt(i)
}

// medianAt returns the median of the times in a record, or 0.
func (t table) medianAt(i int) time.Duration {
	var times [lastTimes]uint32
	n := 0
	for k := range lastTimes {
		ms := binary.LittleEndian.Uint32(t[i+8+4*k:])
		if ms == 0 {
			continue
		}
		at := n
		for ; at > 0 && times[at-1] > ms; at-- {
			times[at] = times[at-1]
		}
		times[at] = ms
		n++
	}
	if n == 0 {
		return 0
	}
	return (time.Duration(times[(n-1)/2]) + time.Duration(times[n/2])) * time.Millisecond / 2
}

// add returns a table with samples added, in the order in which they were taken, at a time in
// hours since 1970. Records that have not changed for long are dropped.
func (t table) add(samples []sample, now uint32) table {
	samples = byKey(samples)
	sum := make(table, 0, len(t)+len(samples)*recordSize)
	for len(t) > 0 || len(samples) > 0 {
		var record [recordSize]byte
		switch {
		case len(samples) == 0 || len(t) > 0 && t.key(0) < samples[0].key:
			copy(record[:], t)
			t = t[recordSize:]
			if changed := binary.LittleEndian.Uint32(record[28:]); now > maxAge && changed < now-maxAge {
				continue
			}
		default:
			key := samples[0].key
			if len(t) > 0 && t.key(0) == key {
				copy(record[:], t)
				t = t[recordSize:]
			}
			binary.LittleEndian.PutUint64(record[:], key)
			binary.LittleEndian.PutUint32(record[28:], now)
			for len(samples) > 0 && samples[0].key == key {
				copy(record[12:28], record[8:24])
				binary.LittleEndian.PutUint32(record[8:], max(1, samples[0].ms))
				samples = samples[1:]
			}
		}
		sum = append(sum, record[:]...)
	}
	return sum
}

// byKey returns samples in the order of their keys; those of one step stay in order. Keys are hashes:
// it sorts by their first bits, 11 at a time, after which few are in the wrong place. samples are
// overwritten.
func byKey(samples []sample) []sample {
	if slices.IsSortedFunc(samples, func(a, b sample) int { return cmp.Compare(a.key, b.key) }) {
		return samples
	}
	const digit = 1 << 11
	to := make([]sample, len(samples))
	for _, shift := range [...]int{64 - 2*11, 64 - 11} {
		var next [digit + 1]int // by the value of the bits, where the next one with it goes
		for _, s := range samples {
			next[int(s.key>>shift%digit)+1]++
		}
		for i := range digit {
			next[i+1] += next[i]
		}
		for _, s := range samples {
			at := &next[s.key>>shift%digit]
			to[*at] = s
			*at++
		}
		samples, to = to, samples
	}
	for i, s := range samples {
		for ; i > 0 && samples[i-1].key > s.key; i-- {
			samples[i] = samples[i-1]
		}
		samples[i] = s
	}
	return samples
}

// known reports whether t begins with the record of a step, and the record is complete and recent.
func (t table) known(key uint64, now uint32) bool {
	return len(t) > 0 && t.key(0) == key && binary.LittleEndian.Uint32(t[24:]) > 0 && now-binary.LittleEndian.Uint32(t[28:]) <= confirmAfter
}

// confirms reports whether the duration in a sample is similar to those in the record at the start of
// t, but for a difference in ms.
func (t table) confirms(s sample, difference uint64) bool {
	median := uint64(t.medianAt(0).Milliseconds())
	return 4*uint64(s.ms) <= 5*(median+difference) && 4*median <= 5*(uint64(s.ms)+difference)
}

// learns reports whether samples, sorted by key, add anything to t. Of many steps a few always take
// some milliseconds more than before, because something else was running: that alone adds nothing.
func (t table) learns(samples []sample, now uint32) bool {
	differ := 0
	for _, s := range samples {
		t = t.from(s.key)
		if !t.known(s.key, now) {
			return true
		}
		if t.confirms(s, ignoredDifference) {
			continue
		}
		if differ++; differ*rare >= len(samples) || !t.confirms(s, rareDifference) {
			return true
		}
	}
	return false
}

// newTimes returns samples, sorted by key, if they add anything to the file, or else nil. samples
// are overwritten.
func newTimes(d *statefile.Dir, samples []sample, at time.Time) []sample {
	if len(samples) == 0 {
		return nil
	}
	samples = byKey(samples)
	if readTable(d).learns(samples, hour(at)) {
		return samples
	}
	return nil
}

// addDurations adds samples to the file. The caller has the lock.
func addDurations(d *statefile.Dir, samples []sample, at time.Time) error {
	sum := readTable(d).add(samples, hour(at))
	if len(sum) > maxDurations {
		return nil // an old file is better than an unreadable one
	}
	return d.WriteFile(durationsName, sum)
}

func hour(t time.Time) uint32 { return uint32(t.Unix() / 3600) }

package serve

import (
	"fmt"
	"math"
	"time"
)

const (
	// inUse is how long what was used is kept in any case: a client that was told of a blob counts
	// on it.
	inUse = 10 * time.Minute
	// collectEvery is how often the collector looks, unless it is woken.
	collectEvery = time.Minute
)

// collect builds the index, and then removes what was not used for longest whenever there is too
// much. It is the goroutine of a store.
func (s *store) collect() {
	for _, f := range [...]*files{s.blobs, s.results} {
		if err := f.scan(s.stop); err != nil {
			s.o.log.say("the stored files cannot be listed: %v", err)
			return
		}
	}
	tick := time.NewTicker(collectEvery)
	defer tick.Stop()
	for {
		if much := s.excess(); much > 0 {
			s.remove(much, time.Now().Add(-inUse))
		}
		s.checked.expire(time.Now())
		select {
		case <-s.wake:
		case <-tick.C:
		case <-s.stop:
			return
		}
	}
}

// collectSoon wakes the collector.
func (s *store) collectSoon() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// collectIfLarge wakes the collector if the store has become too large.
func (s *store) collectIfLarge() {
	if s.total() > s.o.size {
		s.collectSoon()
	}
}

// total returns how many bytes are kept.
func (s *store) total() int64 { return s.blobs.bytes.Load() + s.results.bytes.Load() }

// excess returns how many bytes are to be removed: from more than the size down to nine tenths of
// it, and what the disk lacks, with the same again so that it does not lack it at once.
func (s *store) excess() (much int64) {
	if total := s.total(); total > s.o.size {
		much = total - s.o.size/10*9
	}
	if lacking := s.space.lacking(0); lacking > 0 {
		much = max(much, 2*lacking)
	}
	return much
}

// remove removes at least so many bytes of what was not used for longest, but nothing that was used
// after a time. Who reads a removed file has it open.
func (s *store) remove(much int64, before time.Time) {
	started := time.Now()
	limit := s.ageLimit(much, seconds(before))
	var gone, freed int64
	// Of what was used in the second of the limit, some may stay. Results go first, as they are
	// not younger than their blobs.
	for _, pass := range [...]struct {
		limit uint32
		f     *files
	}{{max(limit, 1) - 1, s.results}, {max(limit, 1) - 1, s.blobs}, {limit, s.results}, {limit, s.blobs}} {
		n, bytes, err := pass.f.removeUntil(pass.limit, much-freed, s.changing, s.stop)
		gone, freed = gone+n, freed+bytes
		if err != nil {
			s.o.log.say("a file cannot be removed: %v", err)
			break
		}
	}
	s.o.metrics.evicted.Add(gone)
	s.o.metrics.evictedBytes.Add(freed)
	if gone > 0 {
		s.o.log.say("removed %d files, %s, in %s; %s are left", gone, formatSize(freed), time.Since(started).Round(time.Millisecond), formatSize(s.total()))
	}
	if freed < much {
		s.o.log.quietly("%s more should be removed, but were used in the last %s", formatSize(much-freed), inUse)
	}
}

// ageLimit returns the time in seconds up to which files are removed so that they have so many
// bytes, at most before. Two passes over the index find it in half a megabyte of memory: one
// counts bytes by the upper half of the time, and one by the lower.
func (s *store) ageLimit(much int64, before uint32) uint32 {
	sums := make([]int64, 1<<16)
	count := func(part func(used uint32) (at uint32, ok bool)) {
		clear(sums)
		for _, f := range [...]*files{s.results, s.blobs} {
			f.each(func(e entry) {
				if at, ok := part(e.used); ok && e.used <= before {
					sums[at] += e.size
				}
			})
		}
	}
	find := func() uint32 {
		for at, sum := range sums {
			if much -= sum; much <= 0 {
				much += sum
				return uint32(at)
			}
		}
		return math.MaxUint16
	}
	count(func(used uint32) (uint32, bool) { return used >> 16, true })
	upper := find()
	count(func(used uint32) (uint32, bool) { return used & math.MaxUint16, used>>16 == upper })
	return min(upper<<16|find(), before)
}

// each calls do with all that is known of a file.
func (f *files) each(do func(entry)) {
	for i := range f.shards {
		s := &f.shards[i]
		s.mu.Lock()
		for _, e := range s.known {
			do(e)
		}
		s.mu.Unlock()
	}
}

// removeUntil removes files that were not used after limit, until they had so many bytes or stop
// is closed. It returns how many files and bytes it has removed.
func (f *files) removeUntil(limit uint32, much int64, changing func(), stop <-chan struct{}) (n, bytes int64, err error) {
	for i := range f.shards {
		for _, k := range f.shards[i].unused(limit) {
			select {
			case <-stop:
				return n, bytes, nil
			default:
			}
			if bytes >= much {
				return n, bytes, nil
			}
			changing()
			size, err := f.removeUnused(k, limit)
			if err != nil {
				return n, bytes, fmt.Errorf("%s: %w", k, err)
			}
			if size >= 0 {
				n, bytes = n+1, bytes+size
			}
		}
	}
	return n, bytes, nil
}

// unused returns the keys of the files that were not used after limit.
func (s *shard) unused(limit uint32) (keys []key) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for k, e := range s.known {
		if e.used <= limit {
			keys = append(keys, k)
		}
	}
	return keys
}

// removeUnused removes a file, unless it was used after limit. It returns its size; −1 if it was
// not removed.
func (f *files) removeUnused(k key, limit uint32) (size int64, err error) {
	s := &f.shards[k[0]]
	s.mu.Lock()
	defer s.mu.Unlock()
	e, ok := s.known[k]
	if !ok || e.used > limit {
		return -1, nil
	}
	return e.size, f.removeLocked(s, k, nil)
}

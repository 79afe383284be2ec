package serve

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// metrics counts what the server does, since its start. It is safe for concurrent use.
type metrics struct {
	resultHits, resultMisses atomic.Int64
	blobHits, blobMisses     atomic.Int64
	received, sent           atomic.Int64 // bytes of blobs, not compressed
	evicted, evictedBytes    atomic.Int64
	damaged                  atomic.Int64 // blobs
	connections              atomic.Int64 // open now

	mu       sync.Mutex // guards the fields below
	calls    map[callLabel]callSum
	refusals map[reason]int64
}

// callLabel is the label by which calls are counted. A method is one of few that the server knows.
type callLabel struct{ method, code string }

type callSum struct {
	count int64
	took  time.Duration
}

func newMetrics() *metrics {
	return &metrics{calls: map[callLabel]callSum{}, refusals: map[reason]int64{}}
}

// called counts a call that has ended.
func (m *metrics) called(method, code string, took time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	l := callLabel{method, code}
	s := m.calls[l]
	m.calls[l] = callSum{s.count + 1, s.took + took}
}

// refused counts a call or connection that was refused.
func (m *metrics) refused(why reason) {
	m.mu.Lock()
	m.refusals[why]++
	m.mu.Unlock()
}

// looked counts a look-up of a blob.
func (m *metrics) looked(hit bool) {
	if hit {
		m.blobHits.Add(1)
	} else {
		m.blobMisses.Add(1)
	}
}

// write writes all in the text format of Prometheus.
func (m *metrics) write(w io.Writer, s *store) error {
	var b strings.Builder
	family := func(name, kind, help string, samples ...string) {
		fmt.Fprintf(&b, "# HELP weft_cache_%s %s\n# TYPE weft_cache_%s %s\n", name, help, name, kind)
		for _, sample := range samples {
			fmt.Fprintf(&b, "weft_cache_%s%s\n", name, sample)
		}
	}
	value := func(labels string, n int64) string { return fmt.Sprintf("%s %d", labels, n) }
	family("files", "gauge", "Stored entries.", value(`{kind="blob"}`, s.blobs.count.Load()), value(`{kind="result"}`, s.results.count.Load()))
	family("bytes", "gauge", "Size of the stored entries.", value(`{kind="blob"}`, s.blobs.bytes.Load()), value(`{kind="result"}`, s.results.bytes.Load()))
	family("size_bytes", "gauge", "Size above which entries are removed.", value("", s.o.size))
	family("connections", "gauge", "Open connections.", value("", m.connections.Load()))
	family("lookups_total", "counter", "Requested entries.",
		value(`{kind="result",outcome="hit"}`, m.resultHits.Load()), value(`{kind="result",outcome="miss"}`, m.resultMisses.Load()),
		value(`{kind="blob",outcome="hit"}`, m.blobHits.Load()), value(`{kind="blob",outcome="miss"}`, m.blobMisses.Load()))
	family("blob_bytes_total", "counter", "Bytes of blobs, not compressed.", value(`{direction="in"}`, m.received.Load()), value(`{direction="out"}`, m.sent.Load()))
	family("evicted_files_total", "counter", "Least recently used entries that were removed.", value("", m.evicted.Load()))
	family("evicted_bytes_total", "counter", "Size of the removed entries.", value("", m.evictedBytes.Load()))
	family("damaged_blobs_total", "counter", "Blobs that were removed because they did not match their digests.", value("", m.damaged.Load()))
	calls, seconds, refusals := m.tables()
	family("calls_total", "counter", "Ended calls.", calls...)
	family("call_seconds_total", "counter", "Duration of calls.", seconds...)
	family("refusals_total", "counter", "Calls and connections that were refused.", refusals...)
	_, err := io.WriteString(w, b.String())
	return err
}

// tables returns the samples that have labels of their own.
func (m *metrics) tables() (calls, seconds, refusals []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	labels := slices.SortedFunc(maps.Keys(m.calls), func(a, b callLabel) int {
		return strings.Compare(a.method+" "+a.code, b.method+" "+b.code)
	})
	for _, l := range labels {
		text := fmt.Sprintf("{method=%q,code=%q}", l.method, l.code)
		calls = append(calls, fmt.Sprintf("%s %d", text, m.calls[l].count))
		seconds = append(seconds, fmt.Sprintf("%s %.6f", text, m.calls[l].took.Seconds()))
	}
	for _, why := range slices.Sorted(maps.Keys(m.refusals)) {
		refusals = append(refusals, fmt.Sprintf("{reason=%q} %d", why, m.refusals[why]))
	}
	return calls, seconds, refusals
}

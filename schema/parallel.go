package schema

import (
	"reflect"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/weftrun/weft/internal/limit"
	"github.com/weftrun/weft/schema/diag"
	"github.com/weftrun/weft/schema/yaml"
)

// Why tasks are decoded in parallel. To run one of 10,000 tasks takes 13.7 ms with
// two processors, and 18.8 ms if one reads the whole file first (medians of 61
// rounds). The nodes of a chunk are dropped when its tasks are made, so that they
// stay in the processor's cache: it takes less of the processors' time, too.

const (
	parallelFrom = 16 << 10 // size from which a file is decoded in parallel, in bytes
	chunkSize    = 4 << 10  // about how much is decoded at once, in bytes
)

// chunk holds decoded tasks of a part of a file.
type chunk struct {
	tasks []*Task
	findings
}

// findings are results of decoding besides the content.
type findings struct {
	list diag.List
	// suspicious are warnings for Check: text that works, but probably not as intended.
	suspicious []*diag.Diagnostic
	secrets    bool // a variable is secret
	users      bool // a command names the user that it runs as
}

// readParallel reads the file into doc in chunks of at least size bytes. It returns false,
// having left doc and d alone, when the file must be read as a whole.
func (d *decoder) readParallel(doc *document, size int) bool {
	parts := yaml.Split(d.file.Source, "tasks", size)
	if parts == nil {
		return false
	}
	chunks, ok := d.readChunks(parts)
	if !ok {
		return false
	}
	doc.Pos = d.pos(parts.Root)
	d.readRoot(parts.Root, doc)
	n := 0
	for i := range chunks {
		n += len(chunks[i].tasks)
	}
	doc.Tasks = make([]*Task, 0, n)
	for i := range chunks {
		c := &chunks[i]
		doc.Tasks = append(doc.Tasks, c.tasks...)
		d.list.Append(c.list)
		d.suspicious = append(d.suspicious, c.suspicious...)
		d.secrets, d.users = d.secrets || c.secrets, d.users || c.users
	}
	if err := parts.Err(); err != nil {
		d.list.Add(tooLarge(d.file, err))
	}
	return true
}

// readChunks decodes the tasks of every chunk, on all processors. It returns false
// when one of them cannot be read by itself.
func (d *decoder) readChunks(parts *yaml.Parts) (chunks []chunk, ok bool) {
	chunks = make([]chunk, parts.Len())
	var next atomic.Int32
	var failed atomic.Bool
	var done sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(chunks)) {
		done.Go(func() {
			var r yaml.Reader
			var w decoder
			for !failed.Load() && !w.stopped {
				i := int(next.Add(1)) - 1
				if i >= len(chunks) {
					return
				}
				n := parts.Read(&r, i)
				if n == nil {
					failed.Store(true)
					return
				}
				w = decoder{file: d.file, tags: d.tags, budget: limit.Nodes, grown: w.grown, tasks: w.tasks, commands: w.commands, options: w.options}
				var doc document
				w.readTasks(n, &doc)
				chunks[i] = chunk{doc.Tasks, w.findings}
			}
		})
	}
	done.Wait()
	return chunks, !failed.Load()
}

// slabSize is the size of a block of a slab, in bytes: a size class of the runtime.
const slabSize = 8<<10 - 8

// slab hands out values and short slices from larger blocks, since a file may
// hold very many of them.
type slab[T any] struct{ free []T }

// take returns an unshared zero slice of length n. It is not nil:
// an empty list in the file is not the same as none.
func (s *slab[T]) take(n int) []T {
	if n == 0 {
		return []T{}
	}
	if n > len(s.free) {
		size := s.size()
		if n >= size {
			return make([]T, n)
		}
		s.free = make([]T, size)
	}
	out := s.free[:n:n]
	s.free = s.free[n:]
	return out
}

// next returns the value that take(1) would return, without taking it.
func (s *slab[T]) next() *T {
	if len(s.free) == 0 {
		s.free = make([]T, s.size())
	}
	return &s.free[0]
}

// size returns how many values a block has.
func (s *slab[T]) size() int { return max(slabSize/int(reflect.TypeFor[T]().Size()), 1) }

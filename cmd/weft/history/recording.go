package history

import (
	"errors"
	"io/fs"
	"os"
	"time"

	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/internal/quickzip"
	"github.com/weftrun/weft/internal/statefile"
)

// batch is the number of bytes collected before a write.
const batch = 64 << 10

// encodedTogether is the number of events collected before they are encoded. One after the other would
// be encoded, and compressed, by a processor that has done something else in between.
const encodedTogether = 256

// recording is the record of one run in progress. After an error nothing more is written.
type recording struct {
	store   Store
	enc     *event.Encoder
	started time.Time
	flushed time.Time // time of the last write
	many    bool      // the events will be compressed

	d      *statefile.Dir   // nil: it is not open
	all    []files          // existing files when the directory was opened
	file   *os.File         // events file; nil before it is created
	zip    *quickzip.Writer // of the events; nil while they are not compressed
	number int
	locked bool
	failed bool
	size   int64 // bytes of written events; uncompressed, even while they are compressed

	events []event.Event // not yet encoded
	lines  []byte        // events not yet written, which precede those
	out    output
}

// newRecording returns a recording. It opens the directory if that exists, and lists it, while the
// run begins: at the end of a short one everything waits for it.
func newRecording(s Store, enc *event.Encoder, started time.Time) *recording {
	r := &recording{store: s, enc: enc, started: started, flushed: started}
	r.open((*Store).open) // if it fails, create reports it
	return r
}

// open opens the directory by how, and lists it.
func (r *recording) open(how func(*Store) (*statefile.Dir, error)) error {
	d, err := how(&r.store)
	if err != nil {
		return err
	}
	if r.all, err = listFiles(d); err != nil {
		d.Close()
		return err
	}
	r.d = d
	return nil
}

// reserve reserves a number and creates the events file in the open directory.
func (r *recording) reserve() (err error) {
	r.file, r.number, err = create(r.d, r.all)
	return err
}

// add adds an event other than output.
func (r *recording) add(ev event.Event) {
	if r.failed {
		return
	}
	if ended, ok := ev.(*event.CommandEnded); ok {
		r.commandEnded(ended)
	}
	r.join()
	if r.append(ev); len(r.events) < encodedTogether {
		return
	}
	r.encode()
	if len(r.lines) >= maxHeldBack || len(r.lines) >= batch && (r.file != nil || r.many) {
		r.write()
	}
}

//go:noinline
func (r *recording) append(ev event.Event) { r.events = append(r.events, ev) }

// encode encodes the collected events.
func (r *recording) encode() {
	for _, ev := range r.events {
		before := len(r.lines)
		r.lines = r.enc.Encode(r.lines, ev)
		if _, ok := ev.(*event.Output); ok {
			r.out.eventBytes += len(r.lines) - before
		}
	}
	clear(r.events)
	r.events = r.events[:0]
}

// create reserves a number and creates the events file, unless that was done.
func (r *recording) create() {
	if r.file != nil || r.failed {
		return
	}
	err := fs.ErrNotExist
	if r.d != nil {
		err = r.reserve()
	}
	if errors.Is(err, fs.ErrNotExist) { // there is no directory, or it has been removed since
		r.closeDir()
		if err = r.open((*Store).make); err == nil {
			err = r.reserve()
		}
	}
	if err != nil {
		r.fail()
		return
	}
	r.lock()
}

// lock locks the events file, so that others see that the run is in progress. A process that checks
// this may hold the lock for a moment.
func (r *recording) lock() {
	if !r.locked {
		err := statefile.LockFile(r.file, false)
		r.locked = err == nil || !errors.Is(err, statefile.ErrLocked)
	}
}

// tick writes if the interval has passed.
func (r *recording) tick(now time.Time) {
	if r.file == nil && now.Sub(r.started) < createAfter {
		return
	}
	if since := now.Sub(r.flushed); r.file == nil || since >= flushEvery || since < 0 {
		r.create()
		r.flush()
		r.flushed = now
	}
}

// flush writes all pending data, unless the files are not to be created yet.
func (r *recording) flush() {
	if r.file == nil || r.failed {
		return
	}
	r.join()
	r.lock()
	r.write()
	if r.zip != nil && r.zip.Flush() != nil {
		r.fail()
	}
}

// write writes the collected data. The log comes first, so that the output of every written event
// exists.
func (r *recording) write() {
	r.create()
	if r.failed {
		return
	}
	r.encode()
	n, err := 0, r.out.write(r.d, r.number)
	if err == nil && r.many && r.zip == nil {
		err = r.compress()
	}
	if err != nil {
		r.fail()
		return
	}
	if r.zip != nil {
		n, err = r.zip.Write(r.lines)
	} else {
		n, err = r.file.Write(r.lines)
	}
	r.size += int64(n)
	if r.lines = r.lines[:0]; cap(r.lines) > 4*batch {
		r.lines = nil
	}
	if err != nil {
		r.fail()
	}
}

// fail ends the recording after an error.
func (r *recording) fail() {
	r.failed = true
	r.endCompressor()
	r.events, r.lines, r.out.pending, r.out.tails = nil, nil, nil, nil
	if r.file != nil && r.size == 0 {
		r.d.Remove(fileName(r.number, events))
		if r.out.file != nil {
			r.d.Remove(fileName(r.number, log))
		}
		r.number = 0
	}
}

// finish writes the end of the run, and the shared files.
func (r *recording) finish(e *Entry, times []sample) {
	r.join()
	r.write()
	if r.endCompressor() != nil {
		r.failed = true
	}
	if r.number > 0 {
		e.Number = r.number
		appendEntry(r.d, e)
		r.share(times, e.Time)
	}
	r.close()
}

// share writes the durations, and removes old runs. An error does not prevent the rest, and is not
// reported.
func (r *recording) share(times []sample, at time.Time) {
	turn := r.number%sizeCheckInterval == 0
	sized := turn || r.size+r.out.size >= largeRun
	keep := r.store.keep()
	old := len(r.all) >= keep+keep/excessFraction
	times = newTimes(r.d, times, at)
	if len(times) == 0 && !old && !sized {
		return
	}
	locked(r.d, lockTimeout, func() error {
		if len(times) > 0 {
			addDurations(r.d, times, at)
		}
		if !old && !sized {
			return nil
		}
		most := int64(-1)
		if sized {
			most = maxSize - r.size - r.out.size
		}
		if turn {
			sweep(r.d)
		}
		kept := prune(r.d, r.all, keep-1, most)
		return shrinkIndex(r.d, keep, append(kept, files{number: r.number}))
	})
}

// endCompressor completes the compressed data, if there is a compressor.
func (r *recording) endCompressor() (err error) {
	if r.zip == nil {
		return nil
	}
	err, r.zip = r.zip.Close(), nil
	if info, err := r.file.Stat(); err == nil {
		r.size = info.Size()
	}
	return err
}

// close closes the files.
func (r *recording) close() {
	r.endCompressor()
	if r.out.file != nil {
		r.out.file.Close()
	}
	if r.file != nil {
		r.file.Close()
	}
	r.closeDir()
}

func (r *recording) closeDir() {
	if r.d != nil {
		r.d.Close()
		r.d = nil
	}
}

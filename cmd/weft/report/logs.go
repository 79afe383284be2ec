package report

import (
	"slices"

	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/internal/spool"
)

const (
	// LogHead and LogTail are the number of bytes kept of the beginning and of the end of a step's
	// output.
	LogHead = 256 << 10
	LogTail = 2<<20 - LogHead

	// logsInMemory is the number of bytes of all logs kept in memory.
	logsInMemory = 1 << 20
	// mostRuns is the maximum number of changes of command or stream in either part of a log.
	mostRuns = 16 << 10
)

// Logs keeps the output of a run's steps for reports of the whole run: in order of arrival, in one
// unnamed temporary file, at most [LogHead] and [LogTail] bytes of each step. The zero Logs is
// empty. It is not safe for concurrent use.
type Logs struct {
	bytes spool.Buffer
	size  int64 // of the file, including space reserved for tails
	steps map[event.StepID]*stepLog
	err   error
}

// Chunk is a piece of a log. If bytes are omitted, Cut is their number and the other fields are
// zero.
type Chunk struct {
	Data    []byte
	Command int
	Stream  event.Stream
	Cut     int64
}

// stepLog locates the log of one step.
type stepLog struct {
	size int64     // bytes written in total
	head []stretch // up to headSize
	tail []stretch // from headSize on; those before lost are overwritten
	lost int       // number of overwritten stretches in tail

	headSize int64
	ring     int64 // offset of the tail in the file; byte i of the log is at ring + (i-headSize)%LogTail
}

// stretch is consecutive bytes of one command on one stream.
type stretch struct {
	command    int
	stream     event.Stream
	at, length int64 // within the log of the step
	off        int64 // in the file; only in the head
}

// Handle adds output of a step. It keeps no reference to ev, and does not release it.
func (l *Logs) Handle(ev *event.Output) {
	if len(ev.Data) == 0 || l.err != nil {
		return
	}
	if l.steps == nil {
		l.steps = map[event.StepID]*stepLog{}
		l.bytes.InMemory = logsInMemory
	}
	s := l.steps[ev.Step]
	if s == nil {
		s = &stepLog{headSize: -1}
		l.steps[ev.Step] = s
	}
	data := ev.Data
	if s.headSize < 0 {
		n := min(int64(len(data)), LogHead-s.size)
		l.addHead(s, stretch{ev.Command, ev.Stream, s.size, n, l.size}, data[:n])
		data = data[n:]
		if s.size == LogHead || len(s.head) == mostRuns {
			s.headSize, s.ring = s.size, l.size
			l.size += LogTail
		}
	}
	for len(data) > 0 {
		n := min(len(data), LogTail)
		l.addTail(s, stretch{command: ev.Command, stream: ev.Stream, at: s.size, length: int64(n)}, data[:n])
		data = data[n:]
	}
}

// follows reports whether b continues a.
func (a *stretch) follows(b *stretch) bool {
	return a.command == b.command && a.stream == b.stream && a.off+a.length == b.off
}

func (l *Logs) addHead(s *stepLog, x stretch, data []byte) {
	l.write(data, l.size)
	l.size += x.length
	s.size += x.length
	if n := len(s.head); n > 0 && s.head[n-1].follows(&x) {
		s.head[n-1].length += x.length
		return
	}
	s.head = append(s.head, x)
}

func (l *Logs) addTail(s *stepLog, x stretch, data []byte) {
	at := (x.at - s.headSize) % LogTail
	n := min(int64(len(data)), LogTail-at)
	l.write(data[:n], s.ring+at)
	l.write(data[n:], s.ring)
	s.size += x.length
	x.off = x.at // makes follows true for neighbours
	if n := len(s.tail); n > s.lost && s.tail[n-1].follows(&x) {
		s.tail[n-1].length += x.length
	} else {
		s.tail = append(s.tail, x)
	}
	for s.lost < len(s.tail)-mostRuns || s.tail[s.lost].at+s.tail[s.lost].length <= s.size-LogTail {
		s.lost++
	}
	if s.lost > mostRuns {
		s.tail, s.lost = slices.Delete(s.tail, 0, s.lost), 0
	}
}

func (l *Logs) write(data []byte, at int64) {
	if l.err == nil {
		_, l.err = l.bytes.WriteAt(data, at)
	}
}

// Err returns the error of writing the temporary file because of which logs are incomplete, or nil.
func (l *Logs) Err() error { return l.err }

// Size returns the number of bytes the step has written, including those not kept.
func (l *Logs) Size(step event.StepID) int64 {
	if s := l.steps[step]; s != nil {
		return s.size
	}
	return 0
}

// Each calls f with the chunks of a step's log in the byte range [from, to), in order. If the range
// exceeds most bytes, its middle is omitted, which is reported as a chunk. f must not keep a
// chunk's Data. An error of f ends the iteration and is returned.
func (l *Logs) Each(step event.StepID, from, to, most int64, f func(Chunk) error) error {
	s := l.steps[step]
	if s == nil {
		return nil
	}
	to = min(to, s.size)
	var buf []byte
	at := from
	all := slices.Concat(s.head, s.tail[s.lost:])
	cutFrom, cutTo := to, to
	if to-from > most {
		head := min(LogHead, most/4)
		cutFrom, cutTo = from+head, to-(most-head)
	}
	part := func(x stretch, begin, end int64) error {
		if begin >= end {
			return nil
		}
		if begin > at {
			if err := f(Chunk{Cut: begin - at}); err != nil {
				return err
			}
		}
		for at = begin; at < end; {
			n := min(end-at, copyBlock)
			if int64(len(buf)) < n {
				buf = make([]byte, n)
			}
			if err := l.read(s, x, buf[:n], at); err != nil {
				return err
			}
			at += n
			if err := f(Chunk{Data: buf[:n], Command: x.command, Stream: x.stream}); err != nil {
				return err
			}
		}
		return nil
	}
	for _, x := range all {
		begin, end := max(x.at, from), min(x.at+x.length, to)
		if x.at >= s.headSize && s.headSize >= 0 {
			begin = max(begin, s.size-LogTail)
		}
		if err := part(x, begin, min(end, cutFrom)); err != nil {
			return err
		}
		if err := part(x, max(begin, cutTo), end); err != nil {
			return err
		}
	}
	if at < to {
		return f(Chunk{Cut: to - at})
	}
	return nil
}

// read reads bytes of x, beginning at log offset at of s.
func (l *Logs) read(s *stepLog, x stretch, p []byte, at int64) error {
	if s.headSize < 0 || x.at < s.headSize {
		_, err := l.bytes.ReadAt(p, x.off+at-x.at)
		return err
	}
	in := (at - s.headSize) % LogTail
	n := min(int64(len(p)), LogTail-in)
	if _, err := l.bytes.ReadAt(p[:n], s.ring+in); err != nil {
		return err
	}
	_, err := l.bytes.ReadAt(p[n:], s.ring)
	return err
}

// Reset forgets everything.
func (l *Logs) Reset() {
	l.bytes.Reset()
	*l = Logs{bytes: l.bytes}
}

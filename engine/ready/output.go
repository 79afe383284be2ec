package ready

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/weftrun/weft/engine/clock"
)

const (
	// mostLine is the maximum number of bytes of a line that are matched.
	mostLine = 64 << 10
	// mostKept is the maximum number of bytes of a line that are kept, and mostShown of those that are
	// shown.
	mostKept  = 4 << 10
	mostShown = 200
	// restsAfter is the pause after which an incomplete line is matched.
	restsAfter = 100 * time.Millisecond
)

// Output searches the output of a service for a line that matches, until one is found or it is
// closed; later output costs nothing.
type Output struct {
	// Mask masks the secrets in a text, which may be cut off; nil means that there are none.
	Mask func(string) string

	pattern *regexp.Regexp
	clock   *clock.Clock
	found   chan struct{} // closed when a line matches

	mu   sync.Mutex // guards the fields below and those of the streams
	done bool
	last []byte // the last line that is not empty, its beginning
}

// NewOutput returns an Output that looks for pattern; c is nil or its clock.
func NewOutput(pattern *regexp.Regexp, c *clock.Clock) *Output {
	return &Output{pattern: pattern, clock: c, found: make(chan struct{})}
}

// Stream returns a writer for one stream of the service. It never fails, and may be used
// while others are. Lines are those of the stream.
func (o *Output) Stream() io.Writer { return &stream{o: o} }

// Close stops looking.
func (o *Output) Close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.done = true
}

func (o *Output) wait(ctx context.Context) error {
	select {
	case <-o.found:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// seen returns the last line written, for messages.
func (o *Output) seen() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.last) == 0 {
		return fmt.Sprintf("it has written nothing; waiting for a line that matches %q", o.pattern)
	}
	return fmt.Sprintf("no line matches %q; the last one is %q", o.pattern, shown(o.last, o.Mask))
}

// shown returns the beginning of line, masked and safe to be shown.
func shown(line []byte, mask func(string) string) string {
	text := string(line[:min(len(line), mostKept)])
	if mask != nil {
		text = mask(text)
	}
	return strings.ToValidUTF8(text[:min(len(text), mostShown)], "\uFFFD")
}

// look checks a line, without its newline. The caller holds the mutex.
func (o *Output) look(line []byte) {
	line = bytes.TrimSuffix(line, []byte{'\r'})
	plain := withoutSequences(line)
	if len(bytes.TrimSpace(plain)) > 0 {
		o.last = append(o.last[:0], plain[:min(len(plain), mostKept)]...)
	}
	if o.pattern.Match(line) || len(plain) != len(line) && o.pattern.Match(plain) {
		o.done = true
		close(o.found)
	}
}

// stream is the output of a service on one of its descriptors.
type stream struct {
	o       *Output
	partial []byte       // the beginning of an unterminated line
	rests   *clock.Timer // until partial is checked; nil means that it is empty or was checked
}

// Write implements io.Writer.
func (s *stream) Write(p []byte) (int, error) {
	s.o.mu.Lock()
	defer s.o.mu.Unlock()
	if s.rests != nil {
		s.rests.Stop()
		s.rests = nil
	}
	for rest := p; !s.o.done; {
		i := bytes.IndexByte(rest, '\n')
		if i < 0 {
			s.keep(rest)
			break
		}
		line := rest[:min(i, mostLine)]
		if len(s.partial) > 0 {
			s.keep(line)
			line = s.partial
		}
		s.o.look(line)
		s.partial, rest = s.partial[:0], rest[i+1:]
	}
	switch {
	case s.o.done:
		s.partial = nil
	case len(s.partial) > 0:
		s.rests = s.o.clock.AfterFunc(restsAfter, s.rest)
	}
	return len(p), nil
}

// keep adds to the beginning of a line.
func (s *stream) keep(part []byte) {
	s.partial = append(s.partial, part[:min(len(part), mostLine-len(s.partial))]...)
}

// rest checks an incomplete line after a pause.
func (s *stream) rest() {
	s.o.mu.Lock()
	defer s.o.mu.Unlock()
	if !s.o.done {
		s.o.look(s.partial)
	}
}

// WithLastLine returns an error that wraps err, the end of a command, with the last line of its
// output that is not empty, if there is any. Mask masks the secrets in a text, which may be cut
// off; nil means that there are none.
func WithLastLine(err error, output []byte, mask func(string) string) error {
	output = bytes.TrimSpace(withoutSequences(output))
	if err == nil || len(output) == 0 {
		return err
	}
	return fmt.Errorf("%w (%s)", err, shown(output[bytes.LastIndexAny(output, "\r\n")+1:], mask))
}

// withoutSequences returns line without terminal control sequences.
func withoutSequences(line []byte) []byte {
	i := bytes.IndexByte(line, 0x1b)
	if i < 0 {
		return line
	}
	plain := bytes.Clone(line[:i])
	for rest := line[i:]; len(rest) > 0; {
		if n := sequence(rest); n > 0 {
			rest = rest[n:]
			continue
		}
		plain = append(plain, rest[0])
		rest = rest[1:]
	}
	return plain
}

// sequence returns the length of the control sequence, or of the title or link, that p begins
// with, or 0.
func sequence(p []byte) int {
	if len(p) < 2 || p[0] != 0x1b {
		return 0
	}
	switch p[1] {
	case '[':
		for i, c := range p[2:] {
			if c >= 0x40 && c <= 0x7e {
				return 2 + i + 1
			}
		}
	case ']':
		end := 2 + bytes.IndexAny(p[2:], "\a\x1b")
		switch {
		case end < 2:
			return 0
		case bytes.HasPrefix(p[end:], []byte("\x1b\\")):
			return end + 2
		case p[end] == '\a':
			return end + 1
		}
		return end
	}
	return 0
}

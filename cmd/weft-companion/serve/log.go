package serve

import (
	"fmt"
	"io"
	"log"
	"strings"
	"sync"
	"time"

	"github.com/weftrun/weft/schema/diag"
)

// logger writes lines for the operator of the server. No token is ever part of one. It is safe for
// concurrent use.
type logger struct {
	requests bool // each call is logged

	mu    sync.Mutex // guards the fields below
	w     io.Writer
	quiet map[string]time.Time // when a line that repeats itself was last written
}

// repeatEvery is how often a line that repeats itself is written.
const repeatEvery = time.Minute

func newLogger(w io.Writer, requests bool) *logger {
	return &logger{w: w, requests: requests, quiet: map[string]time.Time{}}
}

// say writes a line. What is outside of ASCII's printable characters is escaped if it could do
// harm on a terminal.
func (l *logger) say(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.write(format, args)
}

// quietly is say for what may happen all the time: each format is written at most once a minute.
func (l *logger) quietly(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	if last, ok := l.quiet[format]; ok && now.Sub(last) < repeatEvery {
		return
	}
	l.quiet[format] = now
	l.write(format, args)
}

// write is say for who holds mu.
func (l *logger) write(format string, args []any) {
	line := diag.Printable(fmt.Sprintf(format, args...))
	io.WriteString(l.w, time.Now().UTC().Format("2006-01-02T15:04:05.000Z ")+line+"\n")
}

// request logs a call, if that is wanted.
func (l *logger) request(c *call, code string) {
	if l.requests {
		l.say("%s %s %s %s: %s, %s", c.from, who(c.caller), c.method, describe(c.about), code, time.Since(c.started).Round(time.Microsecond))
	}
}

// who returns how a caller is called in the log.
func who(c caller) string {
	if !c.known {
		return "anonymous"
	}
	return fmt.Sprintf("%q", c.name)
}

// standard returns a logger of the standard library that writes here what net/http has to say.
func (l *logger) standard() *log.Logger { return log.New(quietWriter{l}, "", 0) }

// quietWriter has what is written in the log, at most once a minute: it is about clients that do
// not keep to the protocol.
type quietWriter struct{ l *logger }

func (w quietWriter) Write(b []byte) (int, error) {
	w.l.quietly("%s", strings.TrimSuffix(string(b), "\n"))
	return len(b), nil
}

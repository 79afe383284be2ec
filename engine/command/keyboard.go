package command

import (
	"bytes"
	"errors"
	"sync"
	"time"

	"github.com/weftrun/weft/engine/proc"
	"github.com/weftrun/weft/internal/tail"
)

const (
	// keysAfter is the time of silence after which to check whether a program waits for keys, and
	// keysAgain the interval of further checks.
	keysAfter = 100 * time.Millisecond
	keysAgain = time.Second
	// screenful is the amount of output kept of a program's screen.
	screenful = 64 << 10
)

var errNoKeys = errors.New("the program has ended")

// keyboard lends the user's terminal to a program that has set its own to single keys, like pagers
// and editors that read the terminal of their standard error. Meanwhile its output goes there
// unchanged, and output of others is held back.
type keyboard struct {
	y *relay
	g *proc.Group // foreground group for reading the terminal

	mu     sync.Mutex // guards the fields below
	drawn  tail.Buffer
	wrote  bool // since the last check
	ended  bool // its last output ended a line
	lent   func()
	asking bool // waiting for the terminal
	over   bool
	timer  *time.Timer
}

func newKeyboard(y *relay) *keyboard {
	s := y.report.s
	k := &keyboard{y: y, drawn: tail.Buffer{Max: screenful}, g: s.o.Processes.NewGroup(proc.GroupOptions{Name: s.Step.Name})}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.timer = time.AfterFunc(keysAfter, k.look)
	return k
}

// passes records output of the program, and writes it to the terminal if the program has it. It
// reports whether it did.
func (k *keyboard) passes(p []byte) bool {
	if k == nil {
		return false
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.wrote {
		k.wrote = true
		k.timer.Reset(keysAfter)
	}
	k.drawn.Write(p)
	k.ended = p[len(p)-1] == '\n'
	if k.lent == nil {
		return false
	}
	k.write(p)
	return true
}

// write writes p to the terminal, secrets masked.
func (k *keyboard) write(p []byte) {
	o := &k.y.report.s.o
	if o.Secrets.Any() {
		p = []byte(o.Secrets.Mask(string(p)))
	}
	o.Stdout.Write(p) // an error of the terminal ends the run elsewhere
}

// look checks whether the program waits for keys.
func (k *keyboard) look() {
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case k.over:
		return
	case k.wrote:
		k.wrote = false
		k.timer.Reset(keysAfter)
		return
	}
	k.timer.Reset(keysAgain)
	switch wants := k.y.source.WantsKeys(); {
	case wants && k.lent == nil && !k.asking:
		k.asking = true
		go k.lend()
	case !wants && k.lent != nil:
		k.giveBack()
	}
}

// lend waits for the terminal, and gives it to the program.
func (k *keyboard) lend() {
	stop, err := k.g.Keyboard(typist{k.y})
	k.mu.Lock()
	defer k.mu.Unlock()
	k.asking = false
	if err != nil {
		return // tried again later
	}
	if k.over || !k.y.source.WantsKeys() {
		stop()
		k.renew()
		return
	}
	s := k.y.report.s
	if !k.ended {
		k.y.report.Write([]byte{'\n'}) // later output is not in the report
	}
	s.o.Flush()
	ended := s.o.LendTerminal()
	k.lent = func() {
		stop()
		ended()
	}
	// Of its alternate screen only the text was shown; where another program draws, nothing was.
	if b := k.drawn.Bytes(); onOtherScreen(b) {
		k.write(b[bytes.LastIndex(b, otherScreen[0]):])
	} else if s.o.Screen != nil {
		k.write(b)
	}
}

// giveBack takes the terminal back. k.mu is held.
func (k *keyboard) giveBack() {
	if onOtherScreen(k.drawn.Bytes()) {
		k.write([]byte("\x1b[?1049l\x1b[?25h\x1b[m"))
		k.drawn = tail.Buffer{Max: screenful}
	}
	k.lent()
	k.lent = nil
	k.renew()
}

// renew creates another group for reading the terminal, since the previous one is closed.
func (k *keyboard) renew() {
	k.g = k.y.report.s.o.Processes.NewGroup(proc.GroupOptions{Name: k.y.report.s.Step.Name})
}

// end is called when the program has ended, and all its output was read.
func (k *keyboard) end() {
	if k == nil {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.over = true
	k.timer.Stop()
	k.g.Stop(errNoKeys, proc.Ladder{})
	if k.lent != nil {
		k.giveBack()
	}
}

// otherScreen are the sequences that switch to the alternate screen and back.
var otherScreen = [2][]byte{[]byte("\x1b[?1049h"), []byte("\x1b[?1049l")}

// onOtherScreen reports whether output of a program has left the terminal on its alternate screen.
func onOtherScreen(b []byte) bool {
	return bytes.LastIndex(b, otherScreen[0]) > bytes.LastIndex(b, otherScreen[1])
}

// typist types written data on the terminal of a command.
type typist struct{ y *relay }

func (t typist) Write(p []byte) (int, error) { return t.y.source.WriteKeys(p) }

//go:build unix

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/term"

	"github.com/weftrun/weft/cmd/weft/report"
	"github.com/weftrun/weft/engine"
	"github.com/weftrun/weft/engine/companion"
	"github.com/weftrun/weft/engine/control"
	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/engine/proc"
	"github.com/weftrun/weft/internal/tail"
	"github.com/weftrun/weft/internal/version"
	"github.com/weftrun/weft/schema/diag"
)

// A run that --detach starts is another weft, in a session of its own. Both have an end of a
// socket: the new one tells by it that everything is done or up, and learns that nobody waits for
// that any more. What it has to say until then comes over a pipe, and is shown.
//
// With --tui there are three programs in the job of the user's shell: the first weft, which waits;
// the second program, which draws the run and has the keys; and the new weft, which does the run
// and gets the terminal, too, but leaves it alone. They are in one process group, so that the new
// weft lends the terminal to commands and takes it back as any weft does, and Ctrl-Z stops all
// three. Before it does that it has the second program leave the whole screen, see [lease].

const (
	// detachedEnd is the descriptor of the end of the socket that the new weft has.
	detachedEnd = 3
	// With --tui it has these for the terminal.
	terminalIn, terminalOut = 4, 5
)

// child is the new weft process.
type child struct {
	*proc.Detached
	output *os.File    // what it shows until it is ready
	ours   *os.File    // our end of the socket
	line   chan string // gets its one line: "run RUN", or "" when it has ended before
	told   atomic.Bool // it was sent a signal that ends it
}

// startDetached starts the run of the command line.
func (a *app) startDetached() (c *child, err error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("weft cannot find its own executable; is /proc mounted? %w", err)
	}
	ours, theirs, err := proc.Socketpair()
	if err != nil {
		return nil, err
	}
	defer theirs.Close()
	said, says, err := os.Pipe()
	if err != nil {
		ours.Close()
		return nil, err
	}
	defer says.Close()
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err == nil {
		defer null.Close()
		c = &child{output: said, ours: ours, line: make(chan string, 1)}
		files := []*os.File{detachedEnd: theirs}
		files[0], files[1], files[2] = null, null, says
		if a.opts.tui {
			files = append(files, os.Stdin, os.Stdout)
		}
		c.Detached, err = proc.Detach(exe, append([]string{a.exe, detachedWord}, a.args...), a.environ, files, !a.opts.tui)
	}
	if err != nil {
		ours.Close()
		said.Close()
		return nil, err
	}
	go func() {
		line, _ := bufio.NewReader(ours).ReadString('\n')
		c.line <- strings.TrimSpace(line)
	}()
	return c, nil
}

// copyOutput copies the output of the child to w. The channel is closed at its end.
func (c *child) copyOutput(w io.Writer) <-chan struct{} {
	all := make(chan struct{})
	go func() {
		io.Copy(w, c.output)
		close(all)
	}()
	return all
}

// lastWords is how long the output of a run that is ready or has ended may take: something that
// stays may have it open.
const lastWords = time.Second

// detach handles --detach.
func (a *app) detach() int {
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, stops[:]...)
	c, err := a.startDetached()
	if err != nil {
		return a.failIn("--detach", err)
	}
	shown := c.copyOutput(a.err)
	for {
		select {
		case sig := <-signals:
			c.Signal(sig)
		case run := <-c.line:
			code := 0
			if run == "" {
				code = c.Wait(nil)
			}
			select {
			case <-shown:
			case <-time.After(lastWords):
			}
			if run != "" {
				a.out.Show(run + "\n")
			}
			return code
		}
	}
}

// attach handles --attach.
func (a *app) attach() int {
	c, err := a.connectTo(a.firstCall())
	if err != nil {
		return a.failIn("--attach", err)
	}
	c.Close()
	if err := onTerminal(); err != nil {
		return a.failIn("--attach", err)
	}
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, stops[:]...)
	code, err := a.screen(signals, nil, c.Path)
	switch {
	case err != nil:
		return a.failIn("--attach", err)
	case code == runEnded:
		return 0
	}
	return code
}

// onTerminal returns an error if there is no terminal for a whole screen.
func onTerminal() error {
	if !term.IsTerminal(int(os.Stdin.Fd())) || !term.IsTerminal(int(os.Stdout.Fd())) {
		return errors.New("it uses the whole screen, and needs a terminal; see --logs")
	}
	return nil
}

// screen shows a run by the second program, whose further arguments are args, until the user leaves
// or the run ends, and returns the exit code of that program. Signals go to it, and to run, if that
// is not nil, those that do not come from the keyboard.
func (a *app) screen(signals <-chan os.Signal, run *child, args ...string) (code int, err error) {
	version := version.Module()
	program, err := companion.Find(a.environ, version)
	if err != nil {
		return 0, err
	}
	p, err := proc.Foreground(program, append([]string{companion.Name, "tui", version}, args...), a.environ)
	if err != nil {
		return 0, err
	}
	ended := make(chan struct{})
	defer close(ended)
	go func() {
		for {
			select {
			case sig := <-signals:
				p.Signal(sig)
				if run != nil && sig != syscall.SIGINT {
					run.told.Store(true)
					run.Signal(sig)
				}
			case <-ended:
				return
			}
		}
	}()
	if code = p.Wait(nil); code == companion.Mismatch {
		return 0, fmt.Errorf("%s has another version than weft: install both again", program)
	}
	return code, nil
}

// runEnded is the exit code of the second program when the run has ended before the user has left.
const runEnded = 4

// fullScreen handles --tui: the run ends with the screen.
func (a *app) fullScreen() int {
	if err := onTerminal(); err != nil {
		return a.failIn("--tui", err)
	}
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, stops[:]...)
	c, err := a.startDetached()
	if err != nil {
		return a.failIn("--tui", err)
	}
	// What the keyboard sends goes to all programs of the job, and the run handles Ctrl-Z. When it
	// has stopped everything and itself, the shell is to see that.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGTSTP)
	ended := make(chan int, 1)
	go func() { ended <- c.Wait(func() { syscall.Kill(os.Getpid(), syscall.SIGSTOP) }) }()
	said := &tail.Buffer{Max: 1 << 20}
	shown := c.copyOutput(said)
	run := ""
	for waits := true; waits; {
		select {
		case sig := <-signals:
			c.Signal(sig)
		case run = <-c.line:
			waits = false
		}
	}
	code, interrupted := 0, false
	var services []string
	if run != "" {
		path := ""
		for _, f := range control.List(a.env) {
			if "run "+f.Run == run {
				path = f.Path
			}
		}
		if path != "" {
			code, err = a.screen(signals, c, path, "own")
			interrupted = code >= 128
			services = servicesOf(path)
		}
	}
	if run != "" && interrupted {
		c.Signal(syscall.SIGINT)
	} else if run != "" {
		c.ours.Close() // ends the child, unless it has ended
	}
	left := run != "" && code == 0 && !c.told.Load()
	code = <-ended
	select {
	case <-shown:
	case <-time.After(lastWords):
	}
	a.err.Write(said.Bytes())
	for _, line := range services {
		a.say(a.err, report.Default, line)
	}
	if err != nil {
		return a.failIn("--tui", err)
	}
	if left && code == 128+int(syscall.SIGTERM) {
		return 0 // the user has left
	}
	return code
}

// servicesOf describes each service of a run in a line.
func servicesOf(path string) (lines []string) {
	s, err := queryState(path)
	if err != nil {
		return nil
	}
	for _, step := range s.Steps {
		if !step.Service || !step.runs() {
			continue
		}
		line := fmt.Sprintf("%s: %s %s", diag.Printable(step.Label), diag.Printable(step.State), time.Since(step.Since).Round(time.Second))
		lines = append(lines, line+restarts(step.Restarts))
	}
	return lines
}

// detacher is the connection to the weft that started this one by --detach.
type detacher struct {
	end    *os.File
	once   sync.Once
	screen *lease // it ends with the other one, which shows it on the whole screen; nil: it does not
	over   atomic.Bool
}

// newDetacher returns it. When who waits for the run is gone before that is ready, or was shown on
// the whole screen, the run is stopped.
func newDetacher(screen bool) *detacher {
	syscall.CloseOnExec(detachedEnd)
	d := &detacher{end: os.NewFile(detachedEnd, "socket")}
	over, cancel := context.WithCancel(context.Background())
	if screen {
		d.screen = &lease{over: over, to: os.NewFile(terminalOut, "terminal"), shown: map[event.StepID]int{}, begun: map[event.StepID][]byte{}}
		syscall.CloseOnExec(terminalIn)
		syscall.CloseOnExec(terminalOut)
	}
	go func() {
		d.end.Read(make([]byte, 1)) // nothing is sent
		cancel()
		d.once.Do(func() {
			d.over.Store(true)
			kill(syscall.SIGTERM)
		})
	}()
	return d
}

// terminal returns the lease of the terminal that the run is shown on; nil if that is none of its
// own.
func (d *detacher) terminal() *lease {
	if d == nil {
		return nil
	}
	return d.screen
}

// useTerminal has an engine use the terminal that the run is shown on.
func (d *detacher) useTerminal(a *app, o *engine.Options) {
	l := d.terminal()
	if l == nil {
		return
	}
	o.Stdin, o.Stdout, o.Stderr = os.NewFile(terminalIn, "terminal"), l.to, os.Stderr
	o.Live, o.Screen, o.LendTerminal = true, l.take, func() func() { return l.take(0) }
	o.Interrupt = nil // it would reach the other programs of the shell's job
	out := report.NewOut(o.Stdout)
	out.Mask(a.secrets.Mask)
	o.Ask = screenAsker{prompter{a, o.Stdin, out}, l}
}

// ready reports that the run is ready. Nothing is shown from then on.
func (d *detacher) ready(run string) {
	if d.screen != nil {
		return
	}
	d.once.Do(func() {
		if null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0); err == nil {
			proc.Replace(os.Stdout, null)
			proc.Replace(os.Stderr, null)
			null.Close()
		}
		fmt.Fprintf(d.end, "run %s\n", run)
	})
}

// left reports whether the user has left the screen, and the run ends because of that.
func (d *detacher) userLeft() bool { return d != nil && d.screen != nil && d.over.Load() }

// listening reports the socket to the weft that shows the run in full screen.
func (d *detacher) listening(run string) {
	if d.screen != nil {
		fmt.Fprintf(d.end, "run %s\n", run)
	}
}

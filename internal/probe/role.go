//go:build unix

package probe

import (
	"bufio"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// Main is the program "probe ROLE WORD...". A word is a verb, mostly with an
// argument after a colon:
//
//	ignore:TERM+HUP   ignore signals
//	count:INT         report each of them to the test, as "INT 1", "INT 2", ...
//	fork:ROLE,WORD... start another probe and wait until it holds or ends; what
//	                  follows the first comma is its script, to the end of the word
//	write:N           write N bytes to stdout; N may end in K, M or G
//	read:N            read N bytes from stdin, or to its end without N
//	fill              write to stdout until it is full, and report the number of bytes
//	trace:PID         trace a process, for as long as it lives, and let it continue
//	exit:N            end, here and now
//	hold              execute words of the test, until it ends or sends exit
//
// At the end of its script a probe exits with 0. The same words, sent by
// [Probe.Do], are answered with their results.
//
// Words of a forked probe only: setsid (a session of its own), clean (no
// environment), daemon (its parent has ended), hold-stdout (it has its parent's
// stdout and stderr, not the null device), user:N (it runs as another user).
//
// The socket is named by the environment, or by the first word at:PATH.
func Main() {
	words := os.Args[1:]
	if len(words) == 0 {
		fmt.Fprintln(os.Stderr, "usage: probe ROLE WORD...")
		os.Exit(2)
	}
	p := &program{role: words[0], at: os.Getenv(variable)}
	words = words[1:]
	if len(words) > 0 && strings.HasPrefix(words[0], "at:") {
		p.at, words = words[0][len("at:"):], words[1:]
	}
	// Words about signals are executed before the hello: then the probe is prepared.
	late := slices.DeleteFunc(slices.Clone(words), prepares)
	for _, w := range slices.DeleteFunc(words, func(w string) bool { return !prepares(w) }) {
		p.must(p.do(w))
	}
	if p.role != silent {
		p.must("", p.hello())
	}
	for _, w := range late {
		p.must(p.do(w))
	}
}

const (
	variable = "WEFT_PROBE" // the environment's name of the socket
	silent   = "-"          // the role of a probe that says nothing
)

// prepares reports whether a word comes before the hello.
func prepares(word string) bool {
	verb, _, _ := strings.Cut(word, ":")
	return verb == "ignore" || verb == "count"
}

// program is the state of a probe in its own process.
type program struct {
	role, at string
	mu       sync.Mutex // guards conn's writing side
	conn     *net.UnixConn
	early    []string // lines to send after the hello
}

func (p *program) must(_ string, err error) {
	if err != nil {
		fmt.Fprintf(os.Stderr, "probe %s: %v\n", p.role, err)
		os.Exit(99)
	}
}

// hello connects to the test.
func (p *program) hello() error {
	conn, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: p.at, Net: "unix"})
	if err != nil {
		return err
	}
	p.mu.Lock()
	p.conn = conn
	_, err = fmt.Fprintf(conn, "hello %s %d\n%s", p.role, os.Getpid(), strings.Join(p.early, ""))
	p.mu.Unlock()
	return err
}

// forked is set in the environment if the parent waits for the end of descriptor 3.
const forked = "WEFT_PROBE_FORKED"

// ready reports to the parent that this probe holds.
func ready() {
	if os.Getenv(forked) != "" {
		unix.Close(3)
		os.Unsetenv(forked)
	}
}

// tell sends a line to the test.
func (p *program) tell(line string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.conn == nil {
		p.early = append(p.early, line+"\n")
		return nil
	}
	_, err := io.WriteString(p.conn, line+"\n")
	return err
}

// do executes a word, and returns its result.
func (p *program) do(word string) (string, error) {
	verb, arg, _ := strings.Cut(word, ":")
	switch verb {
	case "ignore":
		return "", each(arg, func(sig syscall.Signal, _ string) { signal.Ignore(sig) })
	case "count":
		return "", each(arg, p.count)
	case "fork":
		script, nested, _ := strings.Cut(arg, ",fork:")
		words := strings.Split(script, ",")
		if nested != "" { // the rest belongs to that probe
			words = append(words, "fork:"+nested)
		}
		return "", p.fork(words)
	case "write":
		n, err := size(arg)
		if err != nil {
			return "", err
		}
		written, err := io.CopyN(os.Stdout, Bytes(n), n)
		return strconv.FormatInt(written, 10), err
	case "read":
		from := io.Reader(os.Stdin)
		if arg != "" {
			n, err := size(arg)
			if err != nil {
				return "", err
			}
			from = io.LimitReader(from, n)
		}
		h := sha256.New()
		n, err := io.Copy(h, from)
		return fmt.Sprintf("%d %x", n, h.Sum(nil)), err
	case "fill":
		n, err := fill(1)
		return strconv.Itoa(n), err
	case "trace":
		n, err := strconv.Atoi(arg)
		if err != nil {
			return "", err
		}
		return "", trace(n)
	case "exit":
		n, err := strconv.Atoi(arg)
		if err == nil {
			os.Exit(n)
		}
		return "", err
	case "hold":
		return "", p.hold()
	}
	return "", fmt.Errorf("unknown word %q", word)
}

// each calls f for each of the signals named in list, TERM+INT.
func each(list string, f func(sig syscall.Signal, name string)) error {
	for name := range strings.SplitSeq(list, "+") {
		sig := unix.SignalNum("SIG" + name)
		if sig == 0 {
			return fmt.Errorf("unknown signal %q", name)
		}
		f(sig, name)
	}
	return nil
}

func (p *program) count(sig syscall.Signal, name string) {
	ch := make(chan os.Signal, 16)
	signal.Notify(ch, sig)
	go func() {
		for n := 1; ; n++ {
			<-ch
			p.must("", p.tell(fmt.Sprintf("%s %d", name, n)))
		}
	}()
}

// fork starts another probe and returns when it holds, or has ended.
func (p *program) fork(script []string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	const unnamed = "/proc/self/exe" // for a user who cannot find the file by its name
	if unix.Access(self, unix.X_OK) != nil {
		self = unnamed
	}
	cmd := &exec.Cmd{Env: os.Environ(), SysProcAttr: &syscall.SysProcAttr{}}
	var words []string
	for i, w := range script[1:] {
		if n, ok := strings.CutPrefix(w, "user:"); ok {
			id, err := strconv.ParseUint(n, 10, 32)
			if err != nil {
				return err
			}
			self = unnamed
			cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(id), Gid: uint32(id)}
			continue
		}
		switch w {
		case "setsid":
			cmd.SysProcAttr.Setsid = true
		case "clean":
			cmd.Env = nil
		case "hold-stdout":
			cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
		case "daemon": // a process between, which ends when the daemon lives
			between := []string{silent, "fork:" + strings.Join(slices.Delete(script, i+1, i+2), ",")}
			if cmd.SysProcAttr.Setsid { // else a signal for our group might end it when the daemon has said hello already
				between = slices.Insert(between, 1, "setsid")
			}
			return p.fork(between)
		default:
			words = append(words, w)
			continue
		}
	}
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer r.Close()
	// The test binary becomes a probe by its name.
	cmd.Path = self
	cmd.Args = append([]string{"probe", script[0], "at:" + p.at}, words...)
	cmd.Env, cmd.ExtraFiles = append(cmd.Env, forked+"=1"), []*os.File{w}
	err = cmd.Start()
	w.Close()
	if err != nil {
		return err
	}
	if _, err := r.Read(make([]byte, 1)); err != io.EOF {
		return fmt.Errorf("waiting for %s: %v", script[0], err)
	}
	if script[0] == silent {
		return cmd.Wait()
	}
	return nil
}

// hold executes the words of the test.
func (p *program) hold() error {
	ready()
	for in := bufio.NewScanner(p.conn); in.Scan(); {
		answer, err := p.do(in.Text())
		if err != nil {
			answer = "error: " + err.Error()
		}
		if err := p.tell("= " + answer); err != nil {
			return err
		}
	}
	return errors.New("the test is over")
}

// fill writes to fd until it would have to wait.
func fill(fd int) (total int, err error) {
	if err := unix.SetNonblock(fd, true); err != nil {
		return 0, err
	}
	defer unix.SetNonblock(fd, false)
	for b := make([]byte, 4096); ; {
		n, err := unix.Write(fd, b)
		switch {
		case err == unix.EINTR:
		case err == unix.EAGAIN:
			return total, nil
		case err != nil:
			return total, err
		default:
			total += n
		}
	}
}

// size reads a number of bytes, 10 or 64K or 1G.
func size(text string) (int64, error) {
	number, shift := text, 0
	if i := strings.IndexByte("KMG", text[max(0, len(text)-1)]); i >= 0 {
		number, shift = text[:len(text)-1], 10*(i+1)
	}
	n, err := strconv.ParseInt(number, 10, 64)
	return n << shift, err
}

// Bytes returns the n bytes that the word write writes: they look random, and are
// the same each time.
func Bytes(n int64) io.Reader { return io.LimitReader(rand.NewChaCha8([32]byte{1}), n) }

//go:build unix

package probe

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Kit is the test's side of the connections. It is used by one goroutine, the test's, and starts
// none. It is closed at the end of the test; probes that hold then end.
type Kit struct {
	// Timeout bounds every wait for something that must happen.
	Timeout time.Duration

	t      testing.TB
	socket int
	path   string
	probes []*Probe // in the order of their connections
}

// Probe is a connected probe.
type Probe struct {
	Role string // empty until the hello was read
	PID  string

	kit   *Kit
	fd    int
	unget []byte   // of a line that is not complete
	lines []string // not returned yet
	gone  bool
}

// New returns a kit that waits for probes.
func New(t testing.TB) *Kit {
	t.Helper()
	dir, err := os.MkdirTemp("", "probe") // short, as the name of a socket must be
	if err != nil {
		t.Fatal(err)
	}
	k := &Kit{Timeout: 30 * time.Second, t: t, path: filepath.Join(dir, "s")}
	k.socket, err = unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err == nil {
		unix.CloseOnExec(k.socket)
		err = unix.SetNonblock(k.socket, true)
	}
	if err == nil {
		err = unix.Bind(k.socket, &unix.SockaddrUnix{Name: k.path})
	}
	// Probes may run as other users.
	if err == nil {
		err = os.Chmod(dir, 0o711)
	}
	if err == nil {
		err = os.Chmod(k.path, 0o777)
	}
	if err == nil {
		err = unix.Listen(k.socket, 4096)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		unix.Close(k.socket)
		for _, p := range k.probes {
			p.close()
		}
		os.RemoveAll(dir)
	})
	return k
}

// Env is the variable that probes need in their environment.
func (k *Kit) Env() string { return variable + "=" + k.path }

// Accept waits until one more probe of each of the roles has said hello, beyond
// those that earlier calls returned, and returns them in this order.
func (k *Kit) Accept(roles ...string) []*Probe {
	k.t.Helper()
	met := make([]*Probe, len(roles))
	k.until(func() bool {
		found := true
		for i, role := range roles {
			if met[i] == nil {
				met[i] = k.claim(role)
			}
			found = found && met[i] != nil
		}
		return found
	}, func() string {
		return fmt.Sprintf("of %s said hello: %s", roles, k.names(func(*Probe) bool { return true }))
	})
	return met
}

// claim returns a probe that no call of Accept has returned yet, or nil.
func (k *Kit) claim(role string) *Probe {
	hello := "hello " + role
	for _, p := range k.probes {
		if p.Role == role && len(p.lines) > 0 && p.lines[0] == hello {
			p.lines = p.lines[1:]
			return p
		}
	}
	return nil
}

// Alive returns the probes that live at this moment.
func (k *Kit) Alive() []string {
	k.pump(0)
	return k.names(func(p *Probe) bool { return !p.gone })
}

// AwaitAllDead waits until every probe is dead.
func (k *Kit) AwaitAllDead() {
	k.t.Helper()
	k.until(func() bool { return !slices.ContainsFunc(k.probes, func(p *Probe) bool { return !p.gone }) },
		func() string { return fmt.Sprint("alive: ", k.Alive()) })
}

func (k *Kit) names(which func(*Probe) bool) (names []string) {
	for _, p := range k.probes {
		if which(p) {
			names = append(names, p.Role+" "+p.PID)
		}
	}
	return names
}

// Do makes a holding probe execute a word, and returns the answer.
func (p *Probe) Do(word string) string {
	p.kit.t.Helper()
	p.Send(word)
	return p.Answer()
}

// Send makes a holding probe execute a word, without waiting for it.
func (p *Probe) Send(word string) {
	p.kit.t.Helper()
	if _, err := unix.Write(p.fd, []byte(word+"\n")); err != nil {
		p.kit.t.Fatalf("%s to %s: %v", word, p.Role, err)
	}
}

// Answer waits for the answer to the oldest unanswered word.
func (p *Probe) Answer() string {
	p.kit.t.Helper()
	return p.hear(func(line string) bool { return strings.HasPrefix(line, "= ") }, "an answer")[len("= "):]
}

// Expect waits for a line that the probe sends by itself, "INT 1".
func (p *Probe) Expect(line string) {
	p.kit.t.Helper()
	p.hear(func(l string) bool { return l == line }, line)
}

func (p *Probe) hear(what func(string) bool, name string) string {
	p.kit.t.Helper()
	i := -1
	p.kit.until(func() bool { i = slices.IndexFunc(p.lines, what); return i >= 0 || p.gone },
		func() string { return fmt.Sprintf("%s from %s; it said %q", name, p.Role, p.lines) })
	if i < 0 {
		p.kit.t.Fatalf("%s died before it said %s; it said %q", p.Role, name, p.lines)
	}
	line := p.lines[i]
	p.lines = slices.Delete(p.lines, i, i+1)
	return line
}

// AwaitDeath waits until the probe is dead.
func (p *Probe) AwaitDeath() {
	p.kit.t.Helper()
	p.kit.until(func() bool { return p.gone }, func() string { return "the end of " + p.Role })
}

// Dead reports whether the probe is dead at this moment.
func (p *Probe) Dead() bool {
	p.kit.pump(0)
	return p.gone
}

// until waits for a condition and fails the test if it does not become true.
func (k *Kit) until(holds func() bool, what func() string) {
	k.t.Helper()
	for end := time.Now().Add(k.Timeout); ; {
		k.pump(0)
		if holds() {
			return
		}
		left := time.Until(end)
		if left <= 0 {
			k.t.Fatalf("waited in vain for %s", what())
		}
		k.pump(left)
	}
}

// pump waits until something can be read, at most for a time, and reads all
// there is.
func (k *Kit) pump(wait time.Duration) {
	fds := []unix.PollFd{{Fd: int32(k.socket), Events: unix.POLLIN}}
	for _, p := range k.probes {
		if !p.gone {
			fds = append(fds, unix.PollFd{Fd: int32(p.fd), Events: unix.POLLIN})
		}
	}
	if n, err := unix.Poll(fds, int(wait.Milliseconds())); n <= 0 && err != unix.EINTR {
		return
	}
	for {
		fd, _, err := unix.Accept(k.socket)
		if err != nil {
			break
		}
		unix.CloseOnExec(fd)
		unix.SetNonblock(fd, true)
		k.probes = append(k.probes, &Probe{kit: k, fd: fd})
	}
	for _, p := range k.probes {
		p.read()
	}
}

// read reads the lines that are there.
func (p *Probe) read() {
	b := make([]byte, 4096)
	for !p.gone {
		n, err := unix.Read(p.fd, b)
		if n < 0 && (err == unix.EAGAIN || err == unix.EINTR) {
			break
		}
		if n <= 0 {
			p.close()
			break
		}
		p.unget = append(p.unget, b[:n]...)
	}
	for {
		line, rest, ok := bytes.Cut(p.unget, []byte("\n"))
		if !ok {
			return
		}
		p.unget = rest
		text := string(line)
		if p.Role == "" {
			p.Role, p.PID, _ = strings.Cut(strings.TrimPrefix(text, "hello "), " ")
			text = "hello " + p.Role
		}
		p.lines = append(p.lines, text)
	}
}

func (p *Probe) close() {
	if !p.gone {
		p.gone = true
		unix.Close(p.fd)
	}
}

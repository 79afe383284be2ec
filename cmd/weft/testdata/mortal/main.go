//go:build unix

// Command mortal is a weft-companion for tests that is killed, at a given message. It starts the one that
// MORTAL_PROGRAM names, and passes on what this and weft say to each other.
//
// MORTAL_ENDS is a file. Its first line says when the program ends: "MESSAGE", the number of the message,
// both ways, that is not passed on, or "MESSAGE DELAY", a time after this message was passed on. A program
// that ends so removes the line first: the next one has another line, or lives as long as weft wants.
package main

import (
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	file := os.Getenv("MORTAL_ENDS")
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	line, rest, _ := strings.Cut(string(text), "\n")
	m := &mortal{cmd: exec.Command(os.Getenv("MORTAL_PROGRAM"))}
	var delay string
	if n, _ := fmt.Sscan(line, &m.last, &delay); n == 2 {
		m.passes = true
		if m.delay, err = time.ParseDuration(delay); err != nil {
			return err
		}
	}
	m.dies = func() error { return os.WriteFile(file, []byte(rest), 0o600) }
	m.cmd.Args[0] = "weft-companion"
	in, err := m.cmd.StdinPipe()
	if err != nil {
		return err
	}
	out, err := m.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := m.cmd.Start(); err != nil {
		return err
	}
	go func() {
		m.pass(in, os.Stdin)
		in.Close()
	}()
	m.pass(os.Stdout, out)
	m.mu.Lock() // it may just be killed
	return m.cmd.Wait()
}

// mortal is a program that ends at a message.
type mortal struct {
	cmd    *exec.Cmd
	last   int  // the message; 0: it does not end so
	passes bool // which is passed on
	delay  time.Duration
	dies   func() error

	mu sync.Mutex // guards n, and the end
	n  int        // messages
}

// pass passes on messages, each of which begins with its length.
func (m *mortal) pass(to io.Writer, from io.Reader) {
	for {
		var head [4]byte
		if _, err := io.ReadFull(from, head[:]); err != nil {
			return
		}
		message := make([]byte, len(head)+int(binary.LittleEndian.Uint32(head[:])))
		copy(message, head[:])
		if _, err := io.ReadFull(from, message[len(head):]); err != nil {
			return
		}
		m.mu.Lock()
		m.n++
		last := m.n == m.last
		if last && !m.passes {
			m.end()
		}
		m.mu.Unlock()
		to.Write(message)
		if last {
			time.AfterFunc(m.delay, func() { m.mu.Lock(); m.end() })
		}
	}
}

// end kills both programs. m.mu is held, so that nothing else happens.
func (m *mortal) end() {
	if err := m.dies(); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	m.cmd.Process.Kill()
	syscall.Kill(os.Getpid(), syscall.SIGKILL)
	select {}
}

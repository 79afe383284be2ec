//go:build unix

package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/weftrun/weft/engine/socket"
)

// fdServer is the program "fdserver FILE", which answers at the sockets that it was given:
//
//	/         what the file had in it when the server was started
//	/names    those of its sockets
//	/exit?N   that it ends, with the status N
//
// It ends on SIGTERM, when what it has accepted is answered. "fdserver get ADDRESS PATH" asks
// one, at HOST:PORT or a Unix socket; "fdserver leave PATH" leaves such a socket behind.
func fdServer() {
	must := func(err error) {
		if err != nil {
			fmt.Fprintln(os.Stderr, "fdserver:", err)
			os.Exit(1)
		}
	}
	switch os.Args[1] {
	case "get":
		body, err := get(os.Args[2], os.Args[3])
		must(err)
		fmt.Print(body)
		return
	case "leave":
		_, err := net.Listen("unix", os.Args[2])
		must(err)
		return
	}
	text, err := os.ReadFile(os.Args[1])
	must(err)
	if pid := os.Getenv("LISTEN_PID"); pid != strconv.Itoa(os.Getpid()) && runtime.GOOS == "linux" {
		must(fmt.Errorf("LISTEN_PID is %q", pid))
	}
	count, err := strconv.Atoi(os.Getenv("LISTEN_FDS"))
	must(err)
	term := make(chan os.Signal, 1)
	signal.Notify(term, syscall.SIGTERM)
	status := make(chan int, 1)
	answer := func(c net.Conn) {
		defer c.Close()
		request, err := bufio.NewReader(c).ReadString('\n')
		if err != nil {
			return
		}
		body := string(text)
		switch path := strings.Fields(request)[1]; {
		case path == "/names":
			body = os.Getenv("LISTEN_FDNAMES") + "\n"
		case strings.HasPrefix(path, "/exit?"):
			n, _ := strconv.Atoi(path[len("/exit?"):])
			select {
			case status <- n:
			default:
			}
		}
		fmt.Fprintf(c, "HTTP/1.0 200 OK\r\n\r\n%s", body)
	}
	var accepting, answering sync.WaitGroup
	var listeners []net.Listener
	for i := range count {
		l, err := net.FileListener(os.NewFile(uintptr(3+i), ""))
		must(err)
		if u, ok := l.(*net.UnixListener); ok {
			u.SetUnlinkOnClose(false)
		}
		listeners = append(listeners, l)
		accepting.Go(func() {
			for c, err := l.Accept(); err == nil; c, err = l.Accept() {
				answering.Go(func() { answer(c) })
			}
		})
	}
	code := 0
	select {
	case <-term:
	case code = <-status:
	}
	for _, l := range listeners {
		l.Close()
	}
	accepting.Wait()
	answering.Wait()
	os.Exit(code)
}

// load sends requests to a server repeatedly, like many independent clients.
type load struct {
	address        string
	asked, refused atomic.Int32
	problem        atomic.Pointer[string] // the first one
	over           chan struct{}
	clients        sync.WaitGroup
}

// start begins to ask so often a second.
func (l *load) start(rate int) {
	l.over = make(chan struct{})
	l.clients.Go(func() {
		began := time.Now()
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for n := 0; ; {
			select {
			case <-l.over:
				return
			case <-tick.C:
			}
			for ; n < int(time.Since(began)*time.Duration(rate)/time.Second); n++ {
				l.clients.Go(l.ask)
			}
		}
	})
}

func (l *load) ask() {
	l.asked.Add(1)
	if _, err := get(l.address, "/"); err != nil {
		l.refused.Add(1)
		text := err.Error()
		l.problem.CompareAndSwap(nil, &text)
	}
}

// stop waits for the last answers.
func (l *load) stop(t *testing.T) {
	t.Helper()
	close(l.over)
	l.clients.Wait()
	if n := l.refused.Load(); n > 0 {
		t.Errorf("%d of %d requests had no answer; first %s", n, l.asked.Load(), *l.problem.Load())
	}
}

// freePort returns an unused port of loopback.
func freePort(t *testing.T) int {
	t.Helper()
	lease, err := new(socket.Ports).Take(socket.Owner{Task: t.Name()}, []socket.PortRequest{{Name: "any"}})
	if err != nil {
		t.Fatal(err)
	}
	lease.Release()
	return lease.Number("any")
}

// get asks a server by a connection of its own.
func get(address, path string) (string, error) {
	network := "unix"
	if strings.Contains(address, ":") {
		network = "tcp"
	}
	c, err := net.DialTimeout(network, address, patience)
	if err != nil {
		return "", err
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(patience))
	if _, err := fmt.Fprintf(c, "GET %s HTTP/1.0\r\n\r\n", path); err != nil {
		return "", err
	}
	answer, err := io.ReadAll(c)
	_, body, ok := strings.Cut(string(answer), "\r\n\r\n")
	if err == nil && (!ok || !bytes.HasPrefix(answer, []byte("HTTP/1.0 200"))) {
		err = fmt.Errorf("the answer is %q", answer)
	}
	return body, err
}

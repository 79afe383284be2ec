package socket

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
)

func take(t *testing.T, p *Ports, task string, requests ...PortRequest) *Lease {
	t.Helper()
	l, err := p.Take(Owner{Task: task}, requests)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// occupy has a socket listen at a port for the time of the test.
func occupy(t *testing.T, address string) {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { l.Close() })
}

// TestPortsNext requests a port that is free, and then the same again.
func TestPortsNext(t *testing.T) {
	var p Ports
	any := take(t, &p, "any", PortRequest{Name: "any"})
	requested := any.Number("any")
	any.Release()
	if requested < 20000 || requested > 32767 {
		t.Errorf("%d is in the range of clients", requested)
	}
	a := take(t, &p, "a", PortRequest{Name: "http", Port: requested})
	b := take(t, &p, "b", PortRequest{Name: "http", Port: requested}, PortRequest{Name: "debug", Port: requested})
	if a.Number("http") != requested || b.Number("http") <= requested || b.Number("debug") <= b.Number("http") || b.Number("other") != 0 {
		t.Errorf("requested %d: got %d, %d and %d", requested, a.Number("http"), b.Number("http"), b.Number("debug"))
	}
	a.Release()
	if c := take(t, &p, "c", PortRequest{Name: "http", Port: requested}); c.Number("http") != requested {
		t.Errorf("%d was given back, and yet it is %d", requested, c.Number("http"))
	}
}

// TestPortsTaken requests a port that is in use, by either version of the protocol.
func TestPortsTaken(t *testing.T) {
	for _, host := range []string{"127.0.0.1", "[::1]", "0.0.0.0", "[::]"} {
		t.Run(host, func(t *testing.T) {
			var p Ports
			any := take(t, &p, "any", PortRequest{Name: "any"})
			requested := any.Number("any")
			any.Release()
			occupy(t, fmt.Sprintf("%s:%d", host, requested))
			if l := take(t, &p, "a", PortRequest{Name: "http", Port: requested}); l.Number("http") <= requested {
				t.Errorf("%d is taken, and yet it is %d", requested, l.Number("http"))
			}
			_, err := p.Take(Owner{Task: "b"}, []PortRequest{{Name: "any"}, {Name: "http", Port: requested, Strict: true}})
			var taken *TakenError
			var port *PortError
			if !errors.As(err, &taken) || !errors.As(err, &port) || port.Request.Name != "http" || !strings.HasPrefix(err.Error(), fmt.Sprintf("port http: localhost:%d is used by ", requested)) {
				t.Error(err)
			}
			if len(p.given) != 1 {
				t.Errorf("after an error, %d ports are given out", len(p.given))
			}
		})
	}
}

// TestPortsStrict names the task that has the port.
func TestPortsStrict(t *testing.T) {
	var p Ports
	requested := take(t, &p, "first", PortRequest{Name: "x"}).Number("x")
	if _, err := p.Take(Owner{Task: "second"}, []PortRequest{{Name: "http", Port: requested, Strict: true}}); err == nil || !strings.HasSuffix(err.Error(), `is used by task "first" of this run`) {
		t.Error(err)
	}
}

// TestPortsEnd runs out of numbers.
func TestPortsEnd(t *testing.T) {
	var p Ports
	first, err := p.Take(Owner{Task: "a"}, []PortRequest{{Name: "x", Port: 65535}})
	if err != nil {
		t.Skip(err)
	}
	if _, err := p.Take(Owner{Task: "b"}, []PortRequest{{Name: "x", Port: 65535}}); err == nil || err.Error() != "port x: all ports from 65535 on are in use" {
		t.Error(err)
	}
	first.Release()
}

// TestPortsOfService has a service replaced by another one, which has the same ports.
func TestPortsOfService(t *testing.T) {
	var p Ports
	api := func(requests ...PortRequest) *Lease {
		t.Helper()
		l, err := p.Take(Owner{Task: "api", Service: true}, requests)
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	request := PortRequest{Name: "http"}
	old := api(request, PortRequest{Name: "debug"})
	port, debug := old.Number("http"), old.Number("debug")
	old.Hold()
	old.Release()
	if l := take(t, &p, "other", PortRequest{Name: "http", Port: port}); l.Number("http") == port {
		t.Errorf("%d is held, and given to another", port)
	}
	if l := take(t, &p, "api", request); l.Number("http") == port {
		t.Errorf("%d is given to a task that is not a service", port)
	}
	if l, err := p.Take(Owner{Task: "api", Arguments: "x", Service: true}, []PortRequest{request}); err != nil || l.Number("http") == port {
		t.Errorf("%d is given to another service of the task, %v", port, err)
	}
	next := api(request)
	if next.Number("http") != port {
		t.Errorf("it was %d, and is %d", port, next.Number("http"))
	}
	old.Release()
	if l := take(t, &p, "other", PortRequest{Name: "http", Port: port}); l.Number("http") == port {
		t.Errorf("%d is given to two", port)
	}
	if l := take(t, &p, "other", PortRequest{Name: "http", Port: debug}); l.Number("http") != debug {
		t.Errorf("%d is not given back", debug)
	}
	next.Release()
	if l := take(t, &p, "other", PortRequest{Name: "http", Port: port}); l.Number("http") != port {
		t.Errorf("%d is not given back", port)
	}
}

// TestPortsOfTask runs a task twice at the same time.
func TestPortsOfTask(t *testing.T) {
	var p Ports
	first := take(t, &p, "test", PortRequest{Name: "x"}).Number("x")
	if second := take(t, &p, "test", PortRequest{Name: "x", Port: first}).Number("x"); second == first {
		t.Errorf("both have %d", first)
	}
}

// TestPortsOfRuns gives out ports in two runs at the same time, as two processes would.
func TestPortsOfRuns(t *testing.T) {
	if r, _ := reserve(1); !isReserved(1) {
		t.Skip("runs do not know of each other on this system")
	} else {
		r.cancel()
	}
	var first, second Ports
	port := take(t, &first, "a", PortRequest{Name: "x"}).Number("x")
	if n := take(t, &second, "b", PortRequest{Name: "x", Port: port}).Number("x"); n == port {
		t.Errorf("%d is given out by two runs", n)
	}
	if _, err := second.Take(Owner{Task: "b"}, []PortRequest{{Name: "x", Port: port, Strict: true}}); err == nil || !strings.HasSuffix(err.Error(), "is used by another run of weft") {
		t.Error(err)
	}
}

// TestPortsConcurrent has many steps want one port.
func TestPortsConcurrent(t *testing.T) {
	var p Ports
	const steps = 50
	numbers := make([]int, steps)
	var wg sync.WaitGroup
	for i := range steps {
		wg.Go(func() {
			l, err := p.Take(Owner{Task: "x", Arguments: fmt.Sprint(i)}, []PortRequest{{Name: "x", Port: 21000}})
			if err != nil {
				t.Error(err)
				return
			}
			numbers[i] = l.Number("x")
			l.Hold()
			l.Release()
		})
	}
	wg.Wait()
	seen := map[int]bool{}
	for _, n := range numbers {
		if seen[n] || n < 21000 {
			t.Errorf("%d was given twice", n)
		}
		seen[n] = true
	}
}

package socket

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net"
	"slices"
	"strconv"
	"sync"
	"syscall"
)

// Owner identifies a task with its arguments, to which ports are assigned.
type Owner struct {
	Task, Arguments string
	// Service means that there is only one at a time: equal owners have the same ports.
	Service bool
}

// PortRequest is a requested port.
type PortRequest struct {
	Name   string
	Port   int  // 0: any
	Strict bool // no other one will do
}

// Ports are the ports that are given out. The zero value is none. It is safe for concurrent
// use.
type Ports struct {
	mu     sync.Mutex // guards the fields below, and those of leases and ports
	given  map[int]*port
	leases []*Lease
}

// port is one that is given out.
type port struct {
	number      int
	owner       Owner
	leases      int         // that have it
	reservation reservation // keeps other runs of weft from it
}

// Lease contains the ports of one owner, until all its holders have released it.
type Lease struct {
	ports    *Ports
	owner    Owner
	requests []PortRequest
	granted  []*port // by request
	holders  int
}

// Take assigns a port to owner for each request: the preferred one if it is free on loopback, else
// the next free one. While a lease of a service is held, every other lease of that service has the
// same ports for the same requests, so that a replacement is found at the same ports. The error, a
// *PortError, names the port that cannot be assigned, and its owner. The caller holds the lease.
func (p *Ports) Take(owner Owner, requests []PortRequest) (*Lease, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	l := &Lease{ports: p, owner: owner, requests: requests, holders: 1}
	for _, w := range requests {
		given := p.before(owner, w)
		if given == nil {
			var err error
			if given, err = p.find(owner, w); err != nil {
				l.giveBack()
				return nil, &PortError{w, err}
			}
		}
		given.leases++
		l.granted = append(l.granted, given)
	}
	p.leases = append(p.leases, l)
	return l, nil
}

// before returns the port that a service has for an equal request, or nil. p.mu is held.
func (p *Ports) before(owner Owner, w PortRequest) *port {
	for _, l := range slices.Backward(p.leases) {
		if i := slices.Index(l.requests, w); i >= 0 && l.owner == owner && owner.Service {
			return l.granted[i]
		}
	}
	return nil
}

// find takes a port that is free. p.mu is held.
func (p *Ports) find(owner Owner, w PortRequest) (*port, error) {
	if w.Port == 0 {
		const from, to = 20000, 32767
		first := from + rand.IntN(to-from+1)
		for _, r := range [...][2]int{{first, to}, {from, first - 1}} {
			if given := p.firstFree(owner, r[0], r[1]); given != nil {
				return given, nil
			}
		}
		return nil, fmt.Errorf("all ports from %d to %d are in use", from, to)
	}
	to := maxPort
	if w.Strict {
		to = w.Port
	}
	if given := p.firstFree(owner, w.Port, to); given != nil {
		return given, nil
	}
	if w.Strict {
		return nil, p.taken(w.Port)
	}
	return nil, fmt.Errorf("all ports from %d on are in use", w.Port)
}

// firstFree takes the first free port of a range, or returns nil. p.mu is held.
func (p *Ports) firstFree(owner Owner, from, to int) *port {
	for number := from; number <= to; number++ {
		if p.given[number] != nil {
			continue
		}
		r, ok := reserve(number)
		if !ok {
			continue
		}
		if !isFree(number) {
			r.cancel()
			continue
		}
		if p.given == nil {
			p.given = map[int]*port{}
		}
		p.given[number] = &port{number: number, owner: owner, reservation: r}
		return p.given[number]
	}
	return nil
}

// taken is the error of a port that is not free. p.mu is held.
func (p *Ports) taken(number int) error {
	a := address{network: "tcp", text: net.JoinHostPort("localhost", strconv.Itoa(number)), port: number}
	e := a.taken()
	if given := p.given[number]; given != nil {
		e.By = fmt.Sprintf("task %q of this run", given.owner.Task)
	} else if e.By == "" && isReserved(number) {
		e.By = "another run of weft"
	}
	return e
}

// isFree reports whether a program could listen at a port of the loopback interface, whichever
// version of the protocol it speaks.
func isFree(number int) bool {
	for _, host := range []string{"127.0.0.1", "::1"} {
		a := address{network: "tcp", text: net.JoinHostPort(host, strconv.Itoa(number)), port: number}
		l, err := net.Listen(a.network, a.text)
		switch {
		case err == nil:
			l.Close()
		case errors.Is(err, syscall.EADDRINUSE):
			return false
		case errors.Is(err, fs.ErrPermission) && len(a.inodes()) > 0:
			return false // else the program may have the privileges that weft lacks
		}
		// Any other error is that this machine does not have the address.
	}
	return true
}

// Number returns the port of a name, also of a lease that was released; 0 if none has it.
func (l *Lease) Number(name string) int {
	if l == nil {
		return 0
	}
	for i, w := range l.requests {
		if w.Name == name {
			return l.granted[i].number
		}
	}
	return 0
}

// Hold adds a holder of the lease, who has to release it, too. A nil lease has no ports.
func (l *Lease) Hold() {
	if l == nil {
		return
	}
	l.ports.mu.Lock()
	defer l.ports.mu.Unlock()
	l.holders++
}

// Release is called once by each holder of the lease that no longer needs its ports. A nil
// lease has none.
func (l *Lease) Release() {
	if l == nil {
		return
	}
	p := l.ports
	p.mu.Lock()
	defer p.mu.Unlock()
	if l.holders--; l.holders == 0 {
		l.giveBack()
		p.leases = slices.DeleteFunc(p.leases, func(other *Lease) bool { return other == l })
	}
}

// giveBack releases the ports of l. p.mu is held.
func (l *Lease) giveBack() {
	for _, given := range l.granted {
		if given.leases--; given.leases == 0 {
			delete(l.ports.given, given.number)
			given.reservation.cancel()
		}
	}
}

// PortError is a port that cannot be given.
type PortError struct {
	Request PortRequest
	Err     error
}

func (e *PortError) Error() string { return fmt.Sprintf("port %s: %v", e.Request.Name, e.Err) }
func (e *PortError) Unwrap() error { return e.Err }

package main

import (
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/weftrun/weft/cmd/weft/report"
	"github.com/weftrun/weft/schema/diag"
)

// notifySocket is the variable that systemd gives to a service with Type=notify: see
// sd_notify(3).
const notifySocket = "NOTIFY_SOCKET"

// supervisor is a service manager that is notified of the run's state, usually systemd.
type supervisor struct {
	socket  string
	failure atomic.Pointer[string] // why a message was not sent; reported later
	ended   bool                   // it was notified of the end
}

// notifyLimit is the time limit for sending a message, which may have no reader.
const notifyLimit = time.Second

// supervised removes the supervisor's socket from the environment, so that no command sends
// messages in place of weft, and returns the function to call when the run is ready. It returns nil
// if there is no supervisor. The drop-in keeps the variable, as the reference does.
func (a *app) supervised() (up func()) {
	socket := a.env(notifySocket)
	if socket == "" || a.dropIn() {
		return nil
	}
	a.environ = slices.DeleteFunc(slices.Clone(a.environ), func(kv string) bool { return strings.HasPrefix(kv, notifySocket+"=") })
	os.Unsetenv(notifySocket)
	a.supervisor = &supervisor{socket: socket}
	return sync.OnceFunc(func() { a.supervisor.notify("READY=1") }) // engines of watch mode share it
}

// stopping notifies the supervisor once that the run is ending, and tells the user if that failed.
// It is called on the reporting goroutine.
func (a *app) stopping() {
	s := a.supervisor
	if s == nil || s.ended {
		return
	}
	s.ended = true
	s.notify("STOPPING=1")
	if why := s.failure.Load(); why != nil {
		a.say(a.err, report.Yellow, "warning: "+*why)
	}
}

// notify sends a message to the supervisor.
func (s *supervisor) notify(message string) {
	if err := s.send(message); err != nil {
		why := notifySocket + ": " + message + " was not sent: " + diag.Printable(err.Error())
		s.failure.CompareAndSwap(nil, &why)
	}
}

func (s *supervisor) send(message string) error {
	c, err := net.Dial("unixgram", s.socket) // @ means the abstract namespace
	if err != nil {
		return err
	}
	defer c.Close()
	c.SetWriteDeadline(time.Now().Add(notifyLimit))
	_, err = c.Write([]byte(message))
	return err
}

package command

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/weftrun/weft/engine/event"
)

// Lines sent to a running command by the user (stdin: route). Each such command reads a pipe whose
// other end stays open, and silent until a line is sent.

// route is the write end of such a pipe.
type route struct {
	step event.StepID
	w    *os.File
}

const (
	// maxLine is the maximum length of a line with its newline, which is written to a pipe at once or
	// not at all.
	maxLine = 4096
	// routePatience is the time limit for writing to a full pipe.
	routePatience = time.Second
)

// route returns the input of the command.
func (w *wiring) route() (*os.File, error) {
	r, end, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	way := &route{w.j.s.ID, end}
	w.routed = way
	w.j.s.o.Services.routed(way)
	return r, nil
}

// routed registers a route to a step.
func (v *Services) routed(way *route) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.routes = append(v.routes, way)
}

// unrouted removes a route, which may be nil.
func (v *Services) unrouted(way *route) {
	if way == nil {
		return
	}
	v.mu.Lock()
	v.routes = slices.DeleteFunc(v.routes, func(r *route) bool { return r == way })
	v.mu.Unlock()
	way.w.Close()
}

// SendLine sends a line, without its newline, to the newest command of a step that reads a route.
// It waits up to a second for a command that does not read.
func (v *Services) SendLine(step event.StepID, text string) error {
	switch {
	case strings.ContainsAny(text, "\n\x00"):
		return errors.New("the text must be one line")
	case len(text) >= maxLine:
		return fmt.Errorf("a line has at most %d bytes", maxLine-1)
	}
	v.mu.Lock()
	var to *route
	for _, r := range v.routes {
		if r.step == step {
			to = r
		}
	}
	v.mu.Unlock()
	if to == nil {
		return errors.New("it does not read lines that are sent to it; its task needs stdin: route")
	}
	to.w.SetWriteDeadline(time.Now().Add(routePatience))
	_, err := to.w.WriteString(text + "\n")
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return errors.New("it does not read its input")
	case err != nil:
		return errors.New("it no longer reads its input")
	}
	return nil
}

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/weftrun/weft/cmd/weft/report"
	"github.com/weftrun/weft/engine/companion"
	"github.com/weftrun/weft/engine/control"
	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/internal/version"
	"github.com/weftrun/weft/schema/diag"
)

const (
	// pageOpening is the time limit for the second program to report the address of the live page.
	pageOpening = 30 * time.Second
	// pagePatience is the time limit for sending the end of the run to pages.
	pagePatience = 2 * time.Second
	// maxBehind is the number of bytes that the second program may be behind before output is omitted.
	maxBehind = 8 << 20
)

// livePage serves the run as a page by the second program. It implements [report.Reporter].
type livePage struct {
	a     *app
	room  *companion.Room
	lines *report.NDJSON
	url   chan string             // gets the address
	to    atomic.Pointer[signals] // gets the interrupt that stops the run; nil: it has not begun
	asked context.Context         // of what the buttons ask for; it ends with the page
	end   context.CancelFunc      // ends asked
	lost  int                     // bytes of output that were left out, and not told of yet
	over  bool                    // the room is not told anything any more, which was told
}

// newLivePage returns the live page of --ui for a workflow in root, when it can be opened; nil
// without that.
func (a *app) newLivePage(root string) (*livePage, error) {
	port := a.opts.ui
	if port == "" {
		return nil, nil
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n > 0 && n < 1024 {
		return nil, flagError("--ui=" + port + ": not the number of a port from 1024 to 65535")
	}
	if system, _, err := a.ciSystem(); err != nil {
		return nil, err
	} else if system != "" || a.onCI() {
		return nil, flagError("--ui: a page cannot be opened in CI; --report html=FILE writes it")
	}
	settings, err := a.pageSettings(n, root)
	if err != nil {
		return nil, err
	}
	p := &livePage{a: a, url: make(chan string, 1)}
	p.asked, p.end = context.WithCancel(context.Background())
	p.lines = report.NewNDJSON(p, nil, a.describe)
	p.lines.All = true
	p.room = companion.Open(companion.Options{Version: version.Module, Environ: a.environ}, "ui", []string{settings}, p.said)
	select {
	case url := <-p.url:
		if url != "" {
			a.say(a.err, report.Default, "live page: "+url)
			return p, nil
		}
	case <-p.room.Ended():
	case <-time.After(pageOpening):
	}
	err = p.room.Close(0)
	select {
	case url := <-p.url:
		if url == "" {
			return nil, errCode(exitOther) // it has reported the error
		}
	default:
	}
	if err == nil || err == companion.ErrLate {
		err = errors.New("weft-companion did not report the address of the page")
	}
	return nil, fmt.Errorf("%s: --ui: %w", a.name, err)
}

// pageSettings returns what the room is told of a page before its run, as JSON. See Options of
// package ui.
func (a *app) pageSettings(port uint64, root string) (string, error) {
	var s struct {
		Port   uint64    `json:"port"`
		Runs   any       `json:"runs"`
		Before int       `json:"before"`
		Again  [2]string `json:"again"`
	}
	s.Port, s.Again = port, a.opts.around(a.secretNames)
	store := a.runsIn(root)
	if a.runsKept() > 0 {
		s.Runs = store.State
	}
	if a.opts.compare != "" {
		if s.Runs == nil {
			return "", a.notCompared(errNoRuns)
		}
		before, err := store.Find(a.opts.compare)
		if err != nil {
			return "", a.notCompared(err)
		}
		s.Before = before.Number
	}
	text, err := json.Marshal(s)
	return string(text), err
}

// said handles a line of the room.
func (p *livePage) said(m companion.Message) {
	switch {
	case m.Warn != "":
		p.a.say(p.a.err, report.Red, diag.Printable(m.Warn))
		p.open("")
	case m.URL != "":
		p.open(m.URL)
	default:
		go p.do(m)
	}
}

func (p *livePage) open(url string) {
	select {
	case p.url <- url:
	default:
	}
}

// do executes the request of a button, and answers.
func (p *livePage) do(m companion.Message) {
	var a companion.Answer
	var err error
	if m.Do == "stop" && m.Task == "" {
		err = p.interrupt()
	} else {
		_, err = p.a.controller.do(p.asked, &control.Request{Request: m.Do, Task: m.Task, Text: m.Text})
	}
	if a.ID = m.ID; err != nil {
		a.Error = err.Error()
	}
	line, _ := json.Marshal(a)
	p.room.Write(append(line, '\n'))
}

// interrupt stops the run, as Ctrl-C does.
func (p *livePage) interrupt() error {
	s := p.to.Load()
	if s == nil {
		return errors.New("the run has not begun")
	}
	select {
	case s.ch <- syscall.SIGINT:
	default: // it is being stopped
	}
	return nil
}

// route has the page stop the run by s, from now on.
func (p *livePage) route(s *signals) {
	if p != nil {
		p.to.Store(s)
	}
}

func (p *livePage) Wants() event.Wants { return p.lines.Wants() }

// Handle omits output if the second program cannot keep up: the run does not wait for it.
func (p *livePage) Handle(ev event.Event) {
	out, ok := ev.(*event.Output)
	if ok && p.room.Queued() > maxBehind {
		p.lost += len(out.Data)
		if out.Release != nil {
			out.Release()
		}
		return
	}
	if ok && p.lost > 0 {
		told := &event.Output{Time: out.Time, Step: out.Step, Command: out.Command, Stream: out.Stream, Data: []byte("\n[weft: " + strconv.Itoa(p.lost) + " bytes of output omitted: the page could not keep up]\n")}
		p.lost = 0
		p.lines.Handle(told)
	}
	p.lines.Handle(ev)
}

// Flush implements [report.Flusher].
func (p *livePage) Flush() { p.lines.Flush() }

// Write passes b to the room.
func (p *livePage) Write(b []byte) (int, error) {
	_, err := p.room.Write(b)
	p.gone(err)
	return len(b), nil
}

// gone reports once why there is no page any more.
func (p *livePage) gone(err error) {
	if err != nil && !p.over {
		p.over = true
		p.a.say(p.a.err, report.Yellow, "warning: the live page has ended: "+diag.Printable(err.Error()))
	}
}

// Err returns nil: a run does not depend on its page.
func (p *livePage) Err() error { return nil }

// Close ends the page. It returns nil.
func (p *livePage) Close() error {
	p.end()
	p.lines.Close()
	if err := p.room.Close(pagePatience); err != companion.ErrLate {
		p.gone(err)
	}
	return nil
}

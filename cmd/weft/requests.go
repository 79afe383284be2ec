package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/weftrun/weft/cmd/weft/history"
	"github.com/weftrun/weft/cmd/weft/report"
	"github.com/weftrun/weft/engine/control"
	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/engine/proc"
	"github.com/weftrun/weft/engine/ps"
	"github.com/weftrun/weft/schema/diag"
)

// onlyRun names the only running run, and all of its tasks.
const onlyRun = "/"

// splitRun splits RUN/TASK. Each part may be "".
func splitRun(word string) (run, task string) {
	run, task, _ = strings.Cut(word, "/")
	return run, task
}

// absent is the error of a run that does not answer requests.
type absent struct{ text string }

func (e absent) Error() string { return e.text }

// connectTo connects to the run whose identity begins with name, or whose process ID it is; ""
// means the only run apart from those that this program belongs to.
func (a *app) connectTo(name string) (*control.Client, error) {
	all := control.List(a.env)
	own := strings.Split(a.env(proc.RunVariable), ":")
	var found []*control.Client
	for _, f := range all {
		pid, isPid := runNumber(name)
		switch {
		case name == "" && slices.Contains(own, f.Run) || !strings.HasPrefix(f.Run, name) && !isPid:
			continue
		}
		c, err := control.Dial(f.Path)
		if err != nil {
			if control.Ended(err) {
				continue // it has just ended
			}
			return nil, fmt.Errorf("run %s: %w", shortRun(f.Run), err)
		}
		if !strings.HasPrefix(f.Run, name) && c.Hello.Pid != pid {
			c.Close()
			continue
		}
		found = append(found, c)
	}
	if len(found) == 1 {
		return found[0], nil
	}
	names := make([]string, len(found))
	for i, c := range found {
		names[i] = shortRun(c.Hello.Run)
		c.Close()
	}
	if len(found) > 1 {
		return nil, fmt.Errorf("%d runs are active; name one: %s", len(found), strings.Join(names, ", "))
	}
	how := "; " + a.name + " --detach TASK starts a run with a socket"
	if r, err := ps.Find(name); err == nil {
		return nil, absent{fmt.Sprintf("run %s has no socket: only watch mode and runs with services have one", shortRun(r.ID)) + how}
	}
	if name == "" {
		return nil, absent{"no active run has a socket" + how}
	}
	return nil, absent{fmt.Sprintf("no run %q", name) + how}
}

// sendRequest handles --restart, --start, --send and --stop RUN/TASK.
func (a *app) sendRequest() int {
	o := &a.opts
	word := o.calls[0]
	run, task := splitRun(word)
	if !strings.Contains(word, "/") {
		run, task = "", word
	}
	flag, request, done := "--stop", "stop", "has ended"
	switch {
	case o.restart:
		flag, request, done = "--restart", "restart", "was restarted"
	case o.send:
		flag, request, done = "--send", "send", "received the line"
	case o.start:
		flag, request, done = "--start", "start", "is up, or done"
	}
	if task == "" {
		return a.fail(flagError(fmt.Sprintf("%s: %q has no task; write RUN/TASK", flag, word)))
	}
	c, err := a.connectTo(run)
	if err == nil {
		defer c.Close()
		q := control.Request{Request: request, Task: task}
		switch {
		case o.send:
			q.Text = strings.Join(o.cliArgs, " ")
		case o.start:
			q.Args, q.Vars = o.cliArgs, map[string]string{}
			for _, v := range o.vars {
				q.Vars[v.Name] = fmt.Sprint(v.Value)
			}
		}
		_, err = c.Do(q)
		if control.Ended(err) {
			err = errors.New("the run has ended")
		}
	}
	if err != nil {
		return a.failIn(flag, err)
	}
	a.say(a.out, report.Default, fmt.Sprintf("%s %s", diag.Printable(task), done))
	return 0
}

// waitForRun handles --wait: the exit code is that of the run, or 0 when it is ready.
func (a *app) waitForRun() int {
	run := a.firstCall()
	c, err := a.connectTo(run)
	_, over := err.(absent)
	if err == nil {
		defer c.Close()
		var e ended
		answer, failed := c.Do(control.Request{Request: "wait", For: a.opts.wait})
		if failed == nil {
			failed = json.Unmarshal(answer, &e)
		}
		if failed == nil {
			return e.Code
		}
		if err, over = failed, control.Ended(failed); over {
			run, err = c.Hello.Run, fmt.Errorf("run %s was killed", shortRun(c.Hello.Run))
		}
	}
	if past := a.pastRun(run); over && past != nil {
		switch past.Result {
		case history.Succeeded:
			return 0
		case history.Failed, history.Cancelled:
			err = fmt.Errorf("run %s has ended: %s; %s --history=%d shows it", shortRun(past.ID), past.Result, a.name, past.Number)
		}
	}
	return a.failIn("--wait", err)
}

// logs handles --logs: it shows the output of a running run, as far as it is held, or the recorded
// output of an ended one.
func (a *app) logs() int {
	run, task := splitRun(a.opts.logs)
	c, err := a.connectTo(run)
	if _, none := err.(absent); none && run != "" && !a.opts.follow {
		if code, known := a.pastLogs(run, task); known {
			return code
		}
	}
	if err == nil {
		defer c.Close()
		err = a.showLogs(c, task)
	}
	if err != nil {
		return a.failIn("--logs", err)
	}
	return 0
}

// pastRun returns what is recorded of a run that is named; nil if that is nothing, or there is no
// name.
func (a *app) pastRun(name string) *history.Entry {
	s, err := a.pastRuns()
	if name == "" || err != nil {
		return nil
	}
	e, _ := s.Find(name)
	return e
}

// pastLogs shows what is recorded of a run that has ended, if that is known.
func (a *app) pastLogs(run, task string) (code int, known bool) {
	e := a.pastRun(run)
	if e == nil {
		return 0, false
	}
	if task != "" {
		a.opts.history, a.opts.calls = strconv.Itoa(e.Number), []string{task}
		return a.showHistory(), true
	}
	a.opts.replay, a.opts.output = strconv.Itoa(e.Number), "prefixed"
	return a.replay(), true
}

// showLogs shows the output of a task, or of all, each line after the task's name.
func (a *app) showLogs(c *control.Client, task string) error {
	first := int64(0)
	q := control.Request{Since: &first}
	if task != "" {
		q.Request, q.Task, q.Follow = "log", task, a.opts.follow
	}
	answer, err := c.Do(q)
	if err != nil {
		return err
	}
	var r control.Repeated
	if err := json.Unmarshal(answer, &r); err != nil {
		return err
	}
	if r.Lost > 0 {
		a.say(a.err, report.Yellow, "the beginning of the output is no longer stored; "+a.name+" --history shows what is recorded")
	}
	to := report.New("prefixed", report.Options{Stdout: a.out, Stderr: a.err, Name: a.name, Palette: a.palette})
	defer to.Close()
	for n := 0; a.out.Err() == nil && (n < r.Events || a.opts.follow); n++ {
		line, err := c.Next()
		if err == io.EOF && a.opts.follow {
			return nil
		}
		if err != nil {
			return err
		}
		ev, err := event.Decode(line.Line)
		if err != nil {
			return err
		}
		switch ev := ev.(type) {
		case *event.Output:
			if task != "" {
				a.out.Write(ev.Data)
			} else {
				to.Handle(ev)
			}
		case *event.StepStarted, *event.CommandEnded:
			if task == "" {
				to.Handle(ev)
			}
		}
	}
	return nil
}

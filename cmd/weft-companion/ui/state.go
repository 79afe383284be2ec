package ui

import (
	"bytes"
	"encoding/base64"
	"io"
	"math"
	"os"
	"slices"
	"sort"
	"strconv"
	"sync"
	"time"

	"github.com/weftrun/weft/cmd/weft/history"
	"github.com/weftrun/weft/cmd/weft/report"
	"github.com/weftrun/weft/cmd/weft/report/model"
	"github.com/weftrun/weft/cmd/weft/report/page"
	"github.com/weftrun/weft/engine/event"
)

// server is the state of the run, and serves it.
type server struct {
	o     Options
	token string

	outMu   sync.Mutex // guards the fields below
	out     io.Writer
	lastID  int                 // number of the last request
	pending map[int]chan string // unanswered requests by number; nil: there will be no more answers

	mu         sync.Mutex // guards the fields below
	folder     model.Folder
	logs       report.Logs
	events     recording
	changed    chan struct{}   // closed when any of the fields below changes
	rerunnable bool            // there are services or watched tasks: steps can run again
	watched    []string        // tasks
	ended      bool            // there are no more events
	pages      map[string]bool // pages that follow the run, by their own names

	snapshotMu   sync.Mutex // guards the fields below, and is locked before mu
	lastSnapshot snapshot
	history      historyData
}

// recording contains all events, without the output of commands, in an unnamed temporary file.
type recording struct {
	file *os.File
	ends []int64 // end offset of each line
	enc  event.Encoder
}

// lines returns the number of lines.
func (r *recording) lines() int64 { return int64(len(r.ends)) }

// from returns the range in the file of the lines from number n on: as many as make a piece, at
// least one if there is one. next is the number of the line after them.
func (r *recording) from(n int64) (start, end, next int64) {
	if n >= r.lines() {
		return 0, 0, n
	}
	if n > 0 {
		start = r.ends[n-1]
	}
	rest := r.ends[n:]
	k := max(1, sort.Search(len(rest), func(i int) bool { return rest[i] > start+maxChunk }))
	return start, rest[k-1], n + int64(k)
}

// add adds a line. On a full disk the page continues without.
func (r *recording) add(line []byte) {
	last := int64(0)
	if n := len(r.ends); n > 0 {
		last = r.ends[n-1]
	}
	if n, err := r.file.WriteAt(line, last); err == nil {
		r.ends = append(r.ends, last+int64(n))
	}
}

// add adds an event.
func (s *server) add(line []byte, ev event.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch ev := ev.(type) {
	case *event.Output:
		at := s.logs.Size(ev.Step)
		s.folder.Handle(ev)
		s.logs.Handle(ev)
		if len(ev.Data) > 0 {
			short := event.Output{Time: ev.Time, Step: ev.Step, Command: ev.Command, Stream: ev.Stream, Offset: at, Length: int64(len(ev.Data))}
			line = bytes.TrimSuffix(s.events.enc.Encode(nil, &short), []byte{'\n'})
		}
	case *event.RunStarted:
		if s.folder.Run() == nil || s.folder.Ended() {
			s.logs.Reset()
		}
		s.folder.Handle(ev)
	case *event.WatchStarted:
		s.rerunnable, s.watched = true, ev.Tasks
	case *event.Ready:
		s.rerunnable = true
		s.folder.Handle(ev)
	case nil: // an unknown kind
	default:
		s.folder.Handle(ev)
	}
	s.events.add(slices.Concat(line, []byte{'\n'}))
	s.notify()
}

// notify wakes the goroutines that wait for a change. mu is held.
func (s *server) notify() {
	close(s.changed)
	s.changed = make(chan struct{})
}

const (
	minInterval = 100 * time.Millisecond // minimum interval between two snapshots
	timeShare   = 5                      // taking a snapshot takes at most 1/timeShare of the time
	// maxFinalLogs is the number of bytes of logs sent to pages at the end.
	maxFinalLogs = 8 << 20
)

// snapshot is the data that the page does not compute itself, at one time. Pages share it.
type snapshot struct {
	lines int64 // number of lines at that time
	next  time.Time
	body  []byte
}

// snapshot returns the data that the page does not compute itself, as JSON. A recent one is reused,
// but not once the run has ended.
func (s *server) snapshot(now time.Time) ([]byte, error) {
	s.snapshotMu.Lock()
	defer s.snapshotMu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	lines := s.events.lines()
	if s.lastSnapshot.body != nil && (lines == s.lastSnapshot.lines || now.Before(s.lastSnapshot.next) && !s.ended) {
		return s.lastSnapshot.body, nil
	}
	run := s.folder.Run()
	if run == nil {
		run = new(model.Run)
	}
	o := page.Options{Again: s.o.Again}
	s.history.update(s.o, run, &o)
	var data bytes.Buffer
	if err := page.WriteLive(&data, o, run); err != nil {
		return nil, err
	}
	s.lastSnapshot = snapshot{lines, time.Now().Add(max(minInterval, timeShare*time.Since(now))), data.Bytes()}
	return s.lastSnapshot.body, nil
}

// historyData is the run's data from the history.
type historyData struct {
	started time.Time // start of the run
	number  int       // of the run; 0: none yet
	before  *model.Run
	name    string // of before
	next    time.Time
}

// historyInterval is the interval at which the history is queried for the number of a run.
const historyInterval = time.Second

// update adds the history's data of a run to o.
func (p *historyData) update(s Options, run *model.Run, o *page.Options) {
	store := history.Store{State: s.Runs}
	if s.Runs.Base == "" || run.ID == "" {
		return
	}
	if now := time.Now(); !p.started.Equal(run.Started) || p.number == 0 && now.After(p.next) {
		runs, _ := store.Runs() // on an error there is no more data
		this := &history.Entry{Number: math.MaxInt, Tasks: run.Tasks}
		if !p.started.Equal(run.Started) {
			*p = historyData{started: run.Started}
		}
		for _, e := range runs {
			if e.ID == run.ID && e.Time.Equal(run.Started) {
				p.number, this = e.Number, e
			}
		}
		p.next = now.Add(historyInterval)
		number := s.Compare
		if before := history.Before(runs, this); number == 0 && before != nil {
			number = before.Number
		}
		if p.before == nil && number > 0 {
			p.before, _ = store.Load(number)
			p.name = "run " + strconv.Itoa(number)
		}
	}
	o.Number, o.Before, o.BeforeName = p.number, p.before, p.name
}

// finalLogs returns the logs for pages that remain open after the end of this program, failures
// first, in base64 by step. mu is held.
func (s *server) finalLogs() map[event.StepID]string {
	all, left := map[event.StepID]string{}, int64(maxFinalLogs)
	run := s.folder.Run()
	if run == nil {
		return all
	}
	for _, failed := range [...]bool{true, false} {
		for _, step := range run.Steps {
			size := min(s.logs.Size(step.ID), maxLog)
			if (step.Outcome == event.Failed) != failed || size == 0 || size > left {
				continue
			}
			left -= size
			if log, _, _, err := s.log(step.ID, 0); err == nil {
				all[step.ID] = base64.StdEncoding.EncodeToString(log)
			}
		}
	}
	return all
}

// maxLog is the maximum number of bytes of a log shown by a page.
const maxLog = report.LogHead + report.LogTail

// log returns the log of a step from a byte on; after at bytes of it, cut bytes are omitted. mu is
// held.
func (s *server) log(step event.StepID, from int64) (log []byte, at int, cut int64, err error) {
	err = s.logs.Each(step, from, s.logs.Size(step), maxLog, func(c report.Chunk) error {
		if c.Cut > 0 && cut == 0 {
			at = len(log)
		}
		cut += c.Cut
		log = append(log, c.Data...)
		return nil
	})
	return log, at, cut, err
}

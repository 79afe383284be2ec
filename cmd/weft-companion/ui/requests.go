package ui

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"

	"github.com/weftrun/weft/engine/companion"
	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/schema/diag"
)

var errEnded = errors.New("the run has ended")

// send sends a message to weft.
func (s *server) send(m companion.Message) {
	s.outMu.Lock()
	defer s.outMu.Unlock()
	json.NewEncoder(s.out).Encode(m)
}

// request sends a request to weft, and waits for its result, which is an error if it failed.
func (s *server) request(ctx context.Context, m companion.Message) error {
	done := make(chan string, 1)
	s.outMu.Lock()
	if s.pending == nil {
		s.outMu.Unlock()
		return errEnded
	}
	s.lastID++
	m.ID = s.lastID
	s.pending[m.ID] = done
	s.outMu.Unlock()
	s.send(m)
	select {
	case why, ok := <-done:
		switch {
		case !ok:
			return errEnded
		case why != "":
			return errors.New(why)
		}
		return nil
	case <-ctx.Done():
		s.outMu.Lock()
		defer s.outMu.Unlock()
		delete(s.pending, m.ID)
		return ctx.Err()
	}
}

// handleAnswer passes on the answer in a line.
func (s *server) handleAnswer(line []byte) {
	var a companion.Answer
	if json.Unmarshal(line, &a) != nil {
		return
	}
	s.outMu.Lock()
	defer s.outMu.Unlock()
	if done := s.pending[a.ID]; done != nil {
		delete(s.pending, a.ID)
		done <- a.Error
	}
}

// endRequests ends all requests: there will be no more answers.
func (s *server) endRequests() {
	s.outMu.Lock()
	defer s.outMu.Unlock()
	for _, done := range s.pending {
		close(done)
	}
	s.pending = nil
}

// act performs the action of a button.
func (s *server) act(w http.ResponseWriter, q *http.Request) {
	step, ok := number(q, "step")
	what := q.URL.Path[1:]
	text, err := io.ReadAll(q.Body)
	if err != nil {
		http.Error(w, "the request is too long", http.StatusRequestEntityTooLarge)
		return
	}
	s.mu.Lock()
	var task string
	if run := s.folder.Run(); run != nil && step > 0 {
		if known := run.Step(event.StepID(step)); known != nil {
			task = known.Name
		}
	}
	ended, lasting, watched := s.ended, s.rerunnable, s.watched
	s.mu.Unlock()
	id := q.URL.Query().Get("step")
	var messages []companion.Message
	switch {
	case !ok || step > 0 && task == "" || step == 0 && (what == "restart" || what == "send"):
		http.Error(w, "no such step", http.StatusNotFound)
		return
	case ended:
		http.Error(w, errEnded.Error(), http.StatusConflict)
		return
	case !lasting && (what == "restart" || what == "rerun"):
		http.Error(w, "tasks cannot be run again: there are no services, and nothing is watched", http.StatusConflict)
		return
	case what == "rerun" && step == 0:
		if len(watched) == 0 {
			http.Error(w, "nothing is watched", http.StatusConflict)
			return
		}
		for _, name := range watched {
			messages = append(messages, companion.Message{Do: "start", Task: name})
		}
	case what == "rerun":
		messages = []companion.Message{{Do: "start", Task: task}}
	case step == 0:
		messages = []companion.Message{{Do: what}}
	default:
		messages = []companion.Message{{Do: what, Task: id, Text: string(text)}}
	}
	unlimited(w) // a service may take long to become ready
	for _, m := range messages {
		if err = s.request(q.Context(), m); err != nil {
			http.Error(w, diag.Printable(err.Error()), http.StatusConflict)
			return
		}
	}
	w.WriteHeader(http.StatusNoContent)
}

package ui

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/weftrun/weft/engine/companion"
	"github.com/weftrun/weft/engine/event"
)

// patience is how long a test waits for what must come.
const patience = 60 * time.Second

// rig is a room that runs, and plays weft.
type rig struct {
	testing.TB
	url, token string // the address without fragment
	in         io.WriteCloser
	said       chan companion.Message
	ended      chan error
	enc        event.Encoder
}

// newRig starts a room. It does not wait for pages in the end unless o says so.
func newRig(t testing.TB, o Options) *rig {
	t.Helper()
	in, feed := io.Pipe()
	told, out := io.Pipe()
	r := &rig{TB: t, in: feed, said: make(chan companion.Message, 64), ended: make(chan error, 1)}
	go func() {
		err := Run(in, out, o)
		out.Close()
		r.ended <- err
	}()
	go func() {
		lines := bufio.NewScanner(told)
		for lines.Scan() {
			var m companion.Message
			if err := json.Unmarshal(lines.Bytes(), &m); err != nil {
				t.Error(err)
			}
			r.said <- m
		}
	}()
	address := r.hear().URL
	url, token, ok := strings.Cut(address, "#k=")
	if !ok || len(token) != 32 {
		t.Fatalf("address %q", address)
	}
	r.url, r.token = url, token
	t.Cleanup(func() {
		feed.Close()
		if err := <-r.ended; err != nil {
			t.Error(err)
		}
	})
	return r
}

// hear returns the next message of the room.
func (r *rig) hear() companion.Message {
	r.Helper()
	select {
	case m := <-r.said:
		return m
	case <-time.After(patience):
		r.Fatal("nothing was said")
		panic("unreachable")
	}
}

// tell hands events to the room.
func (r *rig) tell(events ...event.Event) {
	for _, ev := range events {
		if _, err := r.in.Write(r.enc.Encode(nil, ev)); err != nil {
			r.Fatal(err)
		}
	}
}

// answer answers what the room asks for.
func (r *rig) answer(id int, why string) {
	r.Helper()
	line, err := json.Marshal(companion.Answer{ID: id, Error: why})
	if err == nil {
		_, err = r.in.Write(append(line, '\n'))
	}
	if err != nil {
		r.Fatal(err)
	}
}

// ask sends a request, as the page does unless change changes it.
func (r *rig) ask(method, path, body string, change func(*http.Request)) (status int, answer string, h http.Header) {
	r.Helper()
	q, err := http.NewRequestWithContext(r.Context(), method, r.url+path, strings.NewReader(body))
	if err != nil {
		r.Fatal(err)
	}
	q.Header.Set("Authorization", "Bearer "+r.token)
	if method == http.MethodPost {
		q.Header.Set("Origin", strings.TrimSuffix(r.url, "/"))
	}
	if change != nil {
		change(q)
	}
	a, err := http.DefaultClient.Do(q)
	if err != nil {
		r.Fatal(err)
	}
	defer a.Body.Close()
	text, err := io.ReadAll(a.Body)
	if err != nil {
		r.Fatal(err)
	}
	return a.StatusCode, string(text), a.Header
}

func at(second int) time.Time { return time.Date(2026, 1, 2, 3, 4, second, 0, time.UTC) }

// begun is a run in which a step runs, and has written.
func begun() []event.Event {
	return []event.Event{
		&event.RunStarted{Time: at(0), Run: "r1", Tasks: []string{"build"}},
		&event.Planned{Time: at(0), Graph: []event.PlannedStep{{Step: 1, Name: "lib", Label: "lib"}, {Step: 2, Name: "build", Label: "build", Needs: []event.Need{{Step: 1, Until: "succeeded"}}}}},
		&event.StepStarted{Time: at(1), Step: 1, Parent: 2, Name: "lib", Task: "lib"},
		&event.CommandStarted{Time: at(1), Step: 1, Text: "make lib", Attempt: 1, Attempts: 1, Relayed: true},
		&event.Output{Time: at(1), Step: 1, Stream: event.Merged, Data: []byte("first line\n")},
	}
}

// failed is how it ends.
func failed() []event.Event {
	err := &event.Failure{Text: "exit status 2", Shown: "exit status 2", Reason: "exit status 2"}
	return []event.Event{
		&event.Output{Time: at(2), Step: 1, Stream: event.Merged, Data: []byte("last line\n")},
		&event.CommandEnded{Time: at(3), Step: 1, Code: 2, Err: err, Duration: 2 * time.Second},
		&event.StepSettled{Time: at(3), Step: 1, Parent: 2, Name: "lib", Task: "lib", Outcome: event.Failed, Code: 2, Err: err, Duration: 2 * time.Second},
		&event.StepSettled{Time: at(3), Step: 2, Cause: 1, Name: "build", Task: "build", Outcome: event.Skipped},
		&event.RunFinished{Time: at(3), Err: err},
	}
}

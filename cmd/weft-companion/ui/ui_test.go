package ui

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/weftrun/weft/cmd/weft/report"
	"github.com/weftrun/weft/engine/companion"
	"github.com/weftrun/weft/engine/event"
)

// TestRefused: who gets nothing.
func TestRefused(t *testing.T) {
	r := newRig(t, Options{})
	r.tell(begun()...)
	host := func(name string) func(*http.Request) { return func(q *http.Request) { q.Host = name } }
	header := func(name, value string) func(*http.Request) {
		return func(q *http.Request) { q.Header.Set(name, value) }
	}
	port := r.url[strings.LastIndexByte(r.url, ':'):]
	for _, test := range []struct {
		method, path string
		change       func(*http.Request)
		want         int
	}{
		{"GET", "", nil, 200},
		{"GET", "", header("Authorization", ""), 200},
		{"GET", "", host("evil.example" + port), 421},
		{"GET", "graph", host("evil.example"), 421},
		{"GET", "", host("localhost.evil.example:80"), 421},
		{"GET", "", host("localhost:1"), 200},
		{"GET", "graph", host("[::1]:7"), 200},
		{"GET", "graph", host("[::1]"), 200},
		{"GET", "graph", header("Authorization", ""), 401},
		{"GET", "graph", header("Authorization", "Bearer "+strings.Repeat("0", 32)), 401},
		{"GET", "graph", header("Authorization", r.token), 401},
		{"GET", "events", header("Authorization", "Bearer "), 401},
		{"GET", "log?step=1", header("Authorization", "Basic eDp5"), 401},
		{"POST", "stop", header("Authorization", ""), 401},
		{"POST", "stop", header("Origin", ""), 403},
		{"POST", "stop", header("Origin", "null"), 403},
		{"POST", "stop", header("Origin", "http://evil.example"), 403},
		{"POST", "stop", header("Origin", "http://127.0.0.1:1"), 403},
		{"POST", "stop", header("Sec-Fetch-Site", "cross-site"), 403},
		{"POST", "stop", header("Sec-Fetch-Site", "same-site"), 403},
		{"GET", "stop", nil, 405},
		{"POST", "graph", nil, 405},
		{"POST", "", nil, 404},
		{"GET", "nothing", nil, 404},
		{"GET", "../graph/", nil, 404},
		{"GET", "logs?page=1", header("Authorization", ""), 401},
		{"GET", "events?from=-1", nil, 400},
		{"GET", "log?step=x", nil, 400},
		{"POST", "stop?step=77", nil, 404},
		{"POST", "restart", nil, 404},
		{"POST", "send", nil, 404},
		{"POST", "send?step=9", nil, 404},
		{"POST", "send?step=1", header("Origin", "http://evil.example"), 403},
		{"POST", "rerun", header("Authorization", ""), 401},
		{"OPTIONS", "stop", nil, 405},
		{"GET", "send?step=1", nil, 405},
		{"POST", "restart?step=1", nil, 409},
		{"POST", "rerun", nil, 409},
	} {
		status, body, h := r.ask(test.method, test.path, "", test.change)
		if status != test.want {
			t.Errorf("%s %s: %d, want %d\n%.200s", test.method, test.path, status, test.want, body)
		}
		if strings.Contains(body, r.token) || status != 200 && strings.Contains(body, "lib") {
			t.Errorf("%s %s: %.200q", test.method, test.path, body)
		}
		if h.Get("Content-Security-Policy") != "frame-ancestors 'none'" || h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Cache-Control") != "no-store" || h.Get("Access-Control-Allow-Origin") != "" || h.Get("Set-Cookie") != "" {
			t.Errorf("%s %s: %v", test.method, test.path, h)
		}
	}
	if _, page, _ := r.ask("GET", "", "", nil); !strings.Contains(page, "; connect-src 'self'") || strings.Contains(page, "make lib") {
		t.Errorf("page %.300s", page)
	}
	select {
	case m := <-r.said:
		t.Errorf("said %+v", m)
	default:
	}
}

// TestButtons: what buttons ask for is said, and what is answered is the answer.
func TestButtons(t *testing.T) {
	r := newRig(t, Options{})
	r.tell(&event.WatchStarted{Time: at(0), Tasks: []string{"build", "docs"}})
	r.tell(begun()...)
	r.tell(&event.Ready{Time: at(2), Step: 1})
	r.follow(0, len(begun())+2)
	type asked = companion.Message
	for _, test := range []struct {
		path, body string
		want       []asked
	}{
		{"stop", "", []asked{{Do: "stop"}}},
		{"stop?step=1", "", []asked{{Do: "stop", Task: "1"}}},
		{"restart?step=1", "", []asked{{Do: "restart", Task: "1"}}},
		{"send?step=1", "a line; \u202e<b>", []asked{{Do: "send", Task: "1", Text: "a line; \u202e<b>"}}},
		{"rerun?step=1", "", []asked{{Do: "start", Task: "lib"}}},
		{"rerun", "", []asked{{Do: "start", Task: "build"}, {Do: "start", Task: "docs"}}},
	} {
		for _, why := range []string{"", "it is\x1b[31m no service"} {
			done := make(chan int, 1)
			var said string
			go func() {
				var status int
				status, said, _ = r.ask("POST", test.path, test.body, nil)
				done <- status
			}()
			status, words := 204, ""
			for _, want := range test.want {
				m := r.hear()
				if want.ID = m.ID; m != want {
					t.Errorf("%s: said %+v", test.path, m)
				}
				r.answer(-7, "nobody has asked")
				r.answer(m.ID, why)
				if why != "" {
					status, words = 409, "it is\\x1b[31m no service\n"
					break
				}
			}
			if got := <-done; got != status || said != words {
				t.Errorf("%s: %d %q, want %d %q", test.path, got, said, status, words)
			}
		}
	}
}

// TestUnanswered: the end of the run is an answer, too.
func TestUnanswered(t *testing.T) {
	r := newRig(t, Options{FlushTimeout: patience})
	r.tell(begun()...)
	r.follow(0, len(begun()))
	s := r.events(0, "p")
	defer s.Close()
	done := make(chan string, 1)
	go func() {
		status, said, _ := r.ask("POST", "stop?step=1", "", nil)
		done <- fmt.Sprint(status, " ", said)
	}()
	r.hear()
	r.in.Close()
	if got := <-done; got != "409 the run has ended\n" {
		t.Error(got)
	}
	for _, path := range []string{"stop", "stop?step=1"} {
		if status, said, _ := r.ask("POST", path, "", nil); status != 409 {
			t.Errorf("%s: %d %s", path, status, said)
		}
	}
	r.ask("GET", "logs?page=p", "", nil)
}

// stream is what a page reads of the events.
type stream struct {
	io.Closer
	*bufio.Scanner
}

// events asks for the events from a line on, for a page.
func (r *rig) events(from int, page string) *stream {
	r.Helper()
	q, err := http.NewRequestWithContext(r.Context(), "GET", fmt.Sprintf("%sevents?from=%d&page=%s", r.url, from, page), nil)
	if err != nil {
		r.Fatal(err)
	}
	q.Header.Set("Authorization", "Bearer "+r.token)
	a, err := http.DefaultClient.Do(q)
	if err != nil || a.StatusCode != 200 {
		r.Fatal(a, err)
	}
	s := &stream{a.Body, bufio.NewScanner(a.Body)}
	s.Buffer(nil, maxLine)
	return s
}

// next returns the next event.
func (s *stream) next(t testing.TB) event.Event {
	t.Helper()
	for s.Scan() {
		if s.Text() == "" {
			continue // the server lives
		}
		ev, err := event.Decode(s.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		return ev
	}
	t.Fatalf("the events end: %v", s.Err())
	return nil
}

// follow returns n events from a line on.
func (r *rig) follow(from, n int) (all []event.Event) {
	r.Helper()
	s := r.events(from, "")
	defer s.Close()
	for range n {
		all = append(all, s.next(r))
	}
	return all
}

// TestFollowed: a page that reads gets everything, and the logs when it ends.
func TestFollowed(t *testing.T) {
	r := newRig(t, Options{FlushTimeout: patience, Again: [2]string{" -d x", " A=1"}})
	r.tell(begun()...)
	if status, lines, _ := r.ask("GET", "events?from=3&wait=0", "", nil); status != 200 || strings.Count(lines, "\n") != len(begun())-3 {
		t.Errorf("without waiting: %d %q", status, lines)
	}
	s := r.events(3, "p1")
	defer s.Close()
	if ev, ok := s.next(t).(*event.CommandStarted); !ok || ev.Text != "make lib" {
		t.Errorf("%+v", ev)
	}
	if ev, ok := s.next(t).(*event.Output); !ok || ev.Length != int64(len("first line\n")) || ev.Offset != 0 || len(ev.Data) > 0 {
		t.Errorf("%+v", ev)
	}
	for path, want := range map[string]string{"log?step=1": "first line\n", "log?step=1&from=6": "line\n", "log?step=1&from=99": "", "log?step=7": ""} {
		if status, log, h := r.ask("GET", path, "", nil); status != 200 || log != want || h.Get("Weft-Cut") != "0 0" {
			t.Errorf("%s: %d %q %v", path, status, log, h)
		}
	}
	r.tell(failed()...)
	if ev, ok := s.next(t).(*event.Output); !ok || ev.Offset != int64(len("first line\n")) {
		t.Errorf("%+v", ev)
	}
	for range failed()[1:] {
		s.next(t)
	}
	_, body, _ := r.ask("GET", "graph", "", nil)
	var g struct {
		Steps struct {
			ID, Layer []int
		}
		Run struct {
			ID       string
			Again    [2]string
			Critical [][]int
		}
	}
	if err := json.Unmarshal([]byte(body), &g); err != nil || !slices.Equal(g.Steps.ID, []int{1, 2}) || !slices.Equal(g.Steps.Layer, []int{0, 1}) || g.Run.ID != "r1" || g.Run.Again != [2]string{" -d x", " A=1"} || len(g.Run.Critical) == 0 {
		t.Errorf("%s: %v", body, err)
	}
	r.in.Close()
	if s.Scan() || s.Err() != nil {
		t.Errorf("the events go on: %q, %v", s.Text(), s.Err())
	}
	var logs map[string][]byte
	if _, body, _ := r.ask("GET", "logs?page=p1", "", nil); json.Unmarshal([]byte(body), &logs) != nil || string(logs["1"]) != "first line\nlast line\n" {
		t.Errorf("logs %s", body)
	}
}

// TestLongLog: of a log that is too long the middle is left out, and it is said where.
func TestLongLog(t *testing.T) {
	r := newRig(t, Options{})
	r.tell(begun()[:4]...)
	const pieces = 40
	for i := range pieces {
		r.tell(&event.Output{Time: at(2), Step: 1, Stream: event.Merged, Data: bytes.Repeat([]byte{'a' + byte(i%26)}, 100_000)})
	}
	r.follow(0, 4+pieces)
	_, log, h := r.ask("GET", "log?step=1", "", nil)
	if want := fmt.Sprint(report.LogHead, " ", pieces*100_000-maxLog); len(log) != maxLog || h.Get("Weft-Cut") != want || log[:3] != "aaa" || log[len(log)-1] != 'a'+(pieces-1)%26 {
		t.Errorf("%d bytes, cut %q, want %q", len(log), h.Get("Weft-Cut"), want)
	}
	if _, log, h := r.ask("GET", fmt.Sprint("log?step=1&from=", pieces*100_000-5), "", nil); log != "nnnnn" || h.Get("Weft-Cut") != "0 0" {
		t.Errorf("log %q %v", log, h)
	}
}

// TestStalled: pages that never read hold up neither the events nor others.
func TestStalled(t *testing.T) {
	r := newRig(t, Options{})
	r.tell(begun()...)
	for range 10 {
		c, err := net.Dial("tcp", strings.TrimSuffix(strings.TrimPrefix(r.url, "http://"), "/"))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		fmt.Fprintf(c, "GET /events HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\n\r\n", r.token)
	}
	const pieces = 64
	text := strings.Repeat("x", 1<<20)
	for range pieces { // an unbuffered pipe: each is read before the next is written
		r.tell(&event.CommandStarted{Time: at(2), Step: 1, Text: text, Attempt: 1, Attempts: 1})
	}
	r.follow(len(begun())+pieces-2, 2)
}

// TestBusyPort: the room says why it cannot serve.
func TestBusyPort(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	var out strings.Builder
	if err := Run(strings.NewReader(""), &out, Options{Port: l.Addr().(*net.TCPAddr).Port}); err == nil || !strings.Contains(out.String(), "in use") {
		t.Errorf("%v, said %q", err, out.String())
	}
}

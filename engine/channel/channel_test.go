package channel

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/weftrun/weft/internal/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// handler answers as its fields specify; zero fields answer with an empty Taskfile.
type handler struct {
	sharedCache
	taskfile func(ctx context.Context, q *TaskfileRequest) (*Taskfile, error)
	hello    Hello
}

func (h *handler) Hello(weft Hello) { h.hello = weft }

func (h *handler) Taskfile(ctx context.Context, q *TaskfileRequest) (*Taskfile, error) {
	if h.taskfile == nil {
		return &Taskfile{}, nil
	}
	return h.taskfile(ctx, q)
}

func (h *handler) Conform(_ context.Context, q *ConformRequest) (*Verdict, error) {
	return &Verdict{Problem: fmt.Sprintf("%s %q", q.Schema, q.Message)}, nil
}

// pair returns a greeted Client of a Serve that uses h, and a function that
// waits for the end of Serve.
func pair(t *testing.T, h Handler) (c *Client, served func() error) {
	t.Helper()
	c, served = connect(t, h)
	if err := c.Hello(t.Context(), Hello{Version: "v1"}); err != nil {
		t.Fatal(err)
	}
	return c, served
}

func connect(t *testing.T, h Handler) (c *Client, served func() error) {
	toServer, fromClient := io.Pipe()
	toClient, fromServer := io.Pipe()
	result := make(chan error, 1)
	go func() {
		err := Serve(context.Background(), toServer, fromServer, Hello{Version: "v1"}, h)
		toServer.Close()
		fromServer.Close()
		result <- err
	}()
	c = NewClient(toClient, fromClient)
	served = sync.OnceValue(func() error { return <-result })
	t.Cleanup(func() {
		c.Close()
		served()
		c.Wait()
	})
	return c, served
}

func TestTaskfile(t *testing.T) {
	want := TaskfileRequest{
		URL: "https://u:p@example.com/a.yml", Names: []string{"Taskfile.yml", ""}, ETag: `W/"x"`, Insecure: true,
		CACert: "/ca", Cert: "/cert", CertKey: "/key", Timeout: 3 * time.Second, MaxBytes: 7, RedirectHosts: []string{"b:1"},
		Headers: []Header{{"Authorization", "Bearer {{env \"T\"}}"}, {}},
	}
	answer := Taskfile{Body: []byte("version: '3'\n"), URL: "https://b:1/x", Name: "Taskfile.yml", ETag: "e", NotModified: true, Commit: "c0ffee"}
	h := &handler{taskfile: func(_ context.Context, q *TaskfileRequest) (*Taskfile, error) {
		if !reflect.DeepEqual(*q, want) {
			return nil, fmt.Errorf("got %+v", *q)
		}
		return &answer, nil
	}}
	c, _ := connect(t, h)
	if err := c.Hello(t.Context(), Hello{Version: "v1", CacheDir: "/cache", Root: "/root"}); err != nil {
		t.Fatal(err)
	}
	if want := (Hello{Number: Number, Version: "v1", CacheDir: "/cache", Root: "/root"}); h.hello != want {
		t.Errorf("the handler was greeted with %+v, want %+v", h.hello, want)
	}
	got, err := c.Taskfile(t.Context(), &want)
	if err != nil || !reflect.DeepEqual(*got, answer) {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestConform(t *testing.T) {
	c, _ := pair(t, &handler{})
	for q, want := range map[*ConformRequest]string{{Schema: "/s", Message: []byte(`{"a": 1}`)}: `/s "{\"a\": 1}"`, {Schema: "/s"}: `/s ""`} {
		if v, err := c.Conform(t.Context(), q); err != nil || v.Problem != want {
			t.Errorf("got %v, %v; want %s", v, err, want)
		}
	}
}

func TestErrorTravels(t *testing.T) {
	for _, want := range []*Error{
		{Kind: Redirect, Text: "to another host", URL: "https://b/"},
		{Kind: BadStatus, Status: 503},
		{Kind: Invalid, Text: "what"},
	} {
		c, _ := pair(t, &handler{taskfile: func(context.Context, *TaskfileRequest) (*Taskfile, error) {
			return nil, fmt.Errorf("wrapped: %w", want)
		}})
		_, err := c.Taskfile(t.Context(), &TaskfileRequest{})
		var got *Error
		if !errors.As(err, &got) || *got != *want {
			t.Errorf("got %#v, want %#v", err, want)
		}
	}
}

// TestAnyOrder has the first request answered last.
func TestAnyOrder(t *testing.T) {
	second := make(chan struct{})
	c, _ := pair(t, &handler{taskfile: func(_ context.Context, q *TaskfileRequest) (*Taskfile, error) {
		if q.URL == "1" {
			<-second
		}
		return &Taskfile{URL: q.URL}, nil
	}})
	first := make(chan error, 1)
	go func() {
		f, err := c.Taskfile(context.Background(), &TaskfileRequest{URL: "1"})
		if err == nil && f.URL != "1" {
			err = errors.New("got the answer for " + f.URL)
		}
		first <- err
	}()
	f, err := c.Taskfile(t.Context(), &TaskfileRequest{URL: "2"})
	if err != nil || f.URL != "2" {
		t.Errorf("got %v, %v", f, err)
	}
	close(second)
	if err := <-first; err != nil {
		t.Error(err)
	}
}

// TestBounded sends far more requests than may be open: the rest waits.
func TestBounded(t *testing.T) {
	var mu sync.Mutex
	open, most := 0, 0
	c, _ := pair(t, &handler{taskfile: func(context.Context, *TaskfileRequest) (*Taskfile, error) {
		mu.Lock()
		open++
		most = max(most, open)
		mu.Unlock()
		time.Sleep(time.Millisecond)
		mu.Lock()
		open--
		mu.Unlock()
		return &Taskfile{}, nil
	}})
	var wg sync.WaitGroup
	for range 10 * MaxOpen {
		wg.Go(func() {
			if _, err := c.Taskfile(context.Background(), &TaskfileRequest{}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if most > MaxOpen || most < 2 {
		t.Errorf("%d requests were open at a time", most)
	}
}

func TestCancel(t *testing.T) {
	started, cancelled := make(chan struct{}, 1), make(chan struct{}, 1)
	c, _ := pair(t, &handler{taskfile: func(ctx context.Context, q *TaskfileRequest) (*Taskfile, error) {
		if q.URL == "quick" {
			return &Taskfile{}, nil
		}
		started <- struct{}{}
		<-ctx.Done()
		cancelled <- struct{}{}
		return nil, ctx.Err()
	}})
	cause := errors.New("enough")
	for range 3 * MaxOpen { // more than could be open, had they not been answered
		ctx, cancel := context.WithCancelCause(t.Context())
		go func() { <-started; cancel(cause) }()
		if _, err := c.Taskfile(ctx, &TaskfileRequest{}); err != cause {
			t.Fatalf("got %v", err)
		}
		<-cancelled
	}
	if _, err := c.Taskfile(t.Context(), &TaskfileRequest{URL: "quick"}); err != nil {
		t.Error(err)
	}
}

func TestMismatch(t *testing.T) {
	c, served := connect(t, &handler{})
	err := c.Hello(t.Context(), Hello{Version: "v2"})
	var m *MismatchError
	if !errors.As(err, &m) || m.Other.Version != "v1" || m.Own.Version != "v2" {
		t.Errorf("got %v", err)
	}
	if err := served(); !errors.As(err, &m) {
		t.Errorf("the server ended with %v", err)
	}
}

// TestLastAnswer: an answer counts although the other program ends right after it, which is known
// before the answer is looked at.
func TestLastAnswer(t *testing.T) {
	for range 20 {
		answers, w := io.Pipe()
		requests, to := io.Pipe()
		c := NewClient(answers, to)
		go func() {
			defer w.Close()
			f, err := readFrame(bufio.NewReader(requests))
			if err != nil {
				t.Error(err)
				return
			}
			stage := Executing
			for _, answer := range []struct {
				kind int
				message
			}{{fieldStage, &stage}, {fieldExecuted, &Executed{}}} {
				b, err := encodeFrame(f.id, answer.kind, answer.message)
				if err != nil {
					t.Error(err)
					return
				}
				w.Write(b)
			}
		}()
		_, err := c.Execute(t.Context(), &ExecuteRequest{}, func(Stage) { <-c.done })
		requests.Close()
		c.Close()
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestEndOfInput: the requests that are open are cancelled, and Serve returns.
func TestEndOfInput(t *testing.T) {
	started := make(chan struct{})
	c, served := pair(t, &handler{taskfile: func(ctx context.Context, _ *TaskfileRequest) (*Taskfile, error) {
		close(started)
		<-ctx.Done()
		return nil, ctx.Err()
	}})
	failed := make(chan error, 1)
	go func() {
		_, err := c.Taskfile(context.Background(), &TaskfileRequest{})
		failed <- err
	}()
	<-started
	c.Close()
	if err := served(); err != nil {
		t.Errorf("Serve returned %v", err)
	}
	if err := <-failed; !errors.Is(err, ErrClosed) {
		t.Errorf("the request returned %v", err)
	}
	if _, err := c.Taskfile(t.Context(), &TaskfileRequest{}); !errors.Is(err, ErrClosed) {
		t.Errorf("a later request returned %v", err)
	}
}

// TestBeforeHello: requests before a greeting get no answer.
func TestBeforeHello(t *testing.T) {
	c, served := connect(t, &handler{})
	if _, err := c.Taskfile(t.Context(), &TaskfileRequest{}); !errors.Is(err, ErrClosed) {
		t.Errorf("got %v", err)
	}
	if err := served(); !errors.Is(err, ErrProtocol) {
		t.Errorf("the server ended with %v", err)
	}
}

// TestGarbageAnswers: anything but an answer ends the channel with an error, and no request hangs.
func TestGarbageAnswers(t *testing.T) {
	good := func(id uint64, kind int, m message) string {
		b, err := encodeFrame(id, kind, m)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	for name, answer := range map[string]string{
		"nothing":             "",
		"text":                "panic: runtime error: index out of range\n",
		"part of a length":    "\x01",
		"part of a frame":     "\x09\x00\x00\x00abc",
		"too long":            "\xff\xff\xff\xff",
		"long and not there":  "\x00\x00\xff\x00abc",
		"no field":            "\x00\x00\x00\x00",
		"a broken field":      "\x02\x00\x00\x00\x12\x05",
		"another request":     good(9, fieldTaskfile, &Taskfile{}),
		"another kind":        good(1, fieldHello, &Hello{}),
		"a broken answer":     broken(1, fieldTaskfile, "\x0a\x7f"),
		"a broken error":      broken(1, fieldError, "\x12\x7f"),
		"one answer too many": good(1, fieldTaskfile, &Taskfile{}) + good(1, fieldTaskfile, &Taskfile{}),
	} {
		t.Run(name, func(t *testing.T) {
			in, w := io.Pipe()
			go io.Copy(io.Discard, in)
			c := NewClient(strings.NewReader(answer), w)
			var err error
			for range 2 {
				if err == nil {
					_, err = c.Taskfile(t.Context(), &TaskfileRequest{})
				}
			}
			if !errors.Is(err, ErrClosed) {
				t.Errorf("got %v", err)
			}
			c.Close()
			c.Wait()
		})
	}
}

// broken returns a frame whose message is body.
func broken(id uint64, kind int, body string) string {
	b := wire.AppendElement(wire.AppendUint(nil, fieldID, id), kind, body)
	return string(append(binary.LittleEndian.AppendUint32(nil, uint32(len(b))), b...))
}

// TestTooLongAnswer: the answer is reported as too long, and the channel continues.
func TestTooLongAnswer(t *testing.T) {
	c, _ := pair(t, &handler{taskfile: func(_ context.Context, q *TaskfileRequest) (*Taskfile, error) {
		return &Taskfile{Body: make([]byte, q.MaxBytes)}, nil
	}})
	var e *Error
	if _, err := c.Taskfile(t.Context(), &TaskfileRequest{MaxBytes: MaxFrame}); !errors.As(err, &e) || e.Kind != TooLarge {
		t.Errorf("got %v", err)
	}
	if f, err := c.Taskfile(t.Context(), &TaskfileRequest{MaxBytes: MaxFrame - 100}); err != nil || len(f.Body) != MaxFrame-100 {
		t.Errorf("got %v", err)
	}
	if _, err := c.Taskfile(t.Context(), &TaskfileRequest{URL: strings.Repeat("x", MaxFrame+1)}); !errors.As(err, &e) || e.Kind != Invalid {
		t.Errorf("got %v", err)
	}
}

// FuzzServe feeds the server bytes: it ends, and answers only with frames.
func FuzzServe(f *testing.F) {
	hello, _ := encodeFrame(1, fieldHello, &Hello{Number: Number, Version: "v1"})
	ask, _ := encodeFrame(2, fieldTaskfileRequest, &TaskfileRequest{URL: "u", Names: []string{"a"}, Headers: []Header{{"a", "b"}}})
	conform, _ := encodeFrame(3, fieldConformRequest, &ConformRequest{Schema: "/s", Message: []byte("1")})
	cancel, _ := encodeFrame(2, fieldCancel, empty{})
	shared := append([]byte(nil), hello...)
	for i, q := range cacheRequests {
		b, _ := encodeFrame(uint64(i+2), q.kind, q.message)
		shared = append(shared, b...)
	}
	f.Add(shared)
	f.Add([]byte(nil))
	f.Add(append(append(append([]byte(nil), hello...), ask...), append(cancel, conform...)...))
	f.Add([]byte("\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, b []byte) {
		var out strings.Builder
		if err := Serve(context.Background(), strings.NewReader(string(b)), &out, Hello{Version: "v1"}, &handler{}); err != nil && !errors.Is(err, ErrProtocol) && !errors.Is(err, io.ErrUnexpectedEOF) {
			var m *MismatchError
			if !errors.As(err, &m) {
				t.Logf("ended with %v", err)
			}
		}
		r := strings.NewReader(out.String())
		for {
			if _, err := readFrame(r); err == io.EOF {
				return
			} else if err != nil {
				t.Fatal(err)
			}
		}
	})
}

// FuzzClient feeds the client bytes as answers: every request returns.
func FuzzClient(f *testing.F) {
	hello, _ := encodeFrame(1, fieldHello, &Hello{Number: Number, Version: "v1"})
	file, _ := encodeFrame(2, fieldTaskfile, &Taskfile{Body: []byte("x"), ETag: "e"})
	problem, _ := encodeFrame(2, fieldError, &Error{Kind: Git, Text: "x"})
	f.Add(append(append([]byte(nil), hello...), file...))
	f.Add(append(append([]byte(nil), hello...), problem...))
	for i, a := range cacheAnswers {
		b, _ := encodeFrame(uint64(i+3), a.kind, a.message)
		f.Add(append(append(append([]byte(nil), hello...), file...), b...))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		in, w := io.Pipe()
		go io.Copy(io.Discard, in)
		c := NewClient(strings.NewReader(string(b)), w)
		if c.Hello(t.Context(), Hello{Version: "v1"}) == nil {
			c.Taskfile(t.Context(), &TaskfileRequest{})
			requestCache(t.Context(), c)
		}
		c.Close()
		c.Wait()
		in.Close()
	})
}

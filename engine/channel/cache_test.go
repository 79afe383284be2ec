package channel

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/weftrun/weft/internal/wire"
)

// kindMessage is a message and its kind.
type kindMessage struct {
	kind int
	message
}

func blobOf(s string) Blob { return Blob{sha256.Sum256([]byte(s)), int64(len(s))} }

// cacheRequests are requests about a shared cache in which every field is set; cacheAnswers are
// their answers.
var (
	cacheRequests = []kindMessage{
		{fieldConnectRequest, &ConnectRequest{
			URL: "grpcs://u:p@example.com/main", Headers: []Header{{"authorization", "Bearer $T"}, {}}, Helper: "%workspace%/h",
			CA: "/ca", Cert: "/cert", Key: "/key", ServerName: "n", Insecure: true, Push: true, Local: "/cache", Run: "r", Remote: true,
		}},
		{fieldLookupRequest, &LookupRequest{Action: blobOf("action"), Task: "t", Remote: true}},
		{fieldFetchRequest, &FetchRequest{Blobs: []Blob{blobOf("a"), blobOf(""), blobOf("b")}, Task: "t", Remote: true}},
		{fieldStoreRequest, &StoreRequest{
			Task: "t", Action: blobOf("action"), Message: []byte("action"), Command: []byte("command"),
			Result: []byte("result"), Large: blobOf("large"),
		}},
		{fieldFlushRequest, &FlushRequest{Limit: 30 * time.Second, Remote: true}},
		{fieldUploadRequest, &UploadRequest{
			Action: blobOf("action"), Task: "t", Inputs: []Input{{Blob: blobOf("a"), Data: []byte("a")}, {Blob: blobOf("b"), Path: "/b"}, {Blob: blobOf("c")}}, Again: true,
		}},
		{fieldExecuteRequest, &ExecuteRequest{Action: blobOf("action"), Task: "t", Profile: "p", SkipLookup: true, Limit: time.Hour}},
	}
	cacheAnswers = []kindMessage{
		{fieldConnection, &Connection{Off: "no", Server: "example.com:443", API: "2.0-2.3", MaxBatch: 1, MaxBlob: 2, Zstd: true, Reads: true, Writes: true, Executes: true, Warnings: []string{"w", "x"}}},
		{fieldFound, &Found{Lookup: Hit, Result: []byte("result"), Large: blobOf("large"), Warnings: []string{"w"}}},
		{fieldFetched, &Fetched{Missing: []Blob{blobOf("a")}, Problem: "late", Warnings: []string{"w"}}},
		{fieldStored, &Stored{Accepted: true, Warnings: []string{"w"}}},
		{fieldTotals, &Totals{Pushed: 1, Pending: 2, Up: 3, Down: 4, Warnings: []string{"w"}}},
		{fieldUploaded, &Uploaded{Failure: Failure{Missing, "blob"}, Warnings: []string{"w"}}},
		{fieldExecuted, &Executed{
			Failure: Failure{OverTime, "late"}, Exit: 1, Result: []byte("result"), Large: blobOf("large"),
			Stdout: blobOf("out"), Stderr: blobOf("err"), Found: true, Warnings: []string{"w"},
		}},
	}
)

// sharedCache answers with cacheAnswers, if the requests are cacheRequests.
type sharedCache struct{}

func answerCache[Q, A message](q Q) (A, error) {
	for i, want := range cacheRequests {
		if reflect.DeepEqual(want.message, message(q)) {
			return cacheAnswers[i].message.(A), nil
		}
	}
	var none A
	return none, fmt.Errorf("got %+v", q)
}

func (sharedCache) Connect(_ context.Context, q *ConnectRequest) (*Connection, error) {
	return answerCache[*ConnectRequest, *Connection](q)
}

func (sharedCache) Lookup(_ context.Context, q *LookupRequest) (*Found, error) {
	return answerCache[*LookupRequest, *Found](q)
}

func (sharedCache) Fetch(_ context.Context, q *FetchRequest) (*Fetched, error) {
	return answerCache[*FetchRequest, *Fetched](q)
}

func (sharedCache) Store(_ context.Context, q *StoreRequest) (*Stored, error) {
	return answerCache[*StoreRequest, *Stored](q)
}

func (sharedCache) Flush(_ context.Context, q *FlushRequest) (*Totals, error) {
	return answerCache[*FlushRequest, *Totals](q)
}

func (sharedCache) Upload(_ context.Context, q *UploadRequest) (*Uploaded, error) {
	return answerCache[*UploadRequest, *Uploaded](q)
}

func (sharedCache) Execute(_ context.Context, q *ExecuteRequest, stage func(Stage)) (*Executed, error) {
	stage(Queued)
	stage(Executing)
	return answerCache[*ExecuteRequest, *Executed](q)
}

// requestCache sends cacheRequests, and returns the answers and the errors.
func requestCache(ctx context.Context, c *Client) (answers []message, errs []error) {
	add := func(a message, err error) { answers, errs = append(answers, a), append(errs, err) }
	for _, q := range cacheRequests {
		switch q := q.message.(type) {
		case *ConnectRequest:
			a, err := c.Connect(ctx, q)
			add(a, err)
		case *LookupRequest:
			a, err := c.Lookup(ctx, q)
			add(a, err)
		case *FetchRequest:
			a, err := c.Fetch(ctx, q)
			add(a, err)
		case *StoreRequest:
			a, err := c.Store(ctx, q)
			add(a, err)
		case *FlushRequest:
			a, err := c.Flush(ctx, q)
			add(a, err)
		case *UploadRequest:
			a, err := c.Upload(ctx, q)
			add(a, err)
		case *ExecuteRequest:
			a, err := c.Execute(ctx, q, func(Stage) {})
			add(a, err)
		}
	}
	return answers, errs
}

func TestCacheMessages(t *testing.T) {
	c, _ := pair(t, &handler{})
	answers, errs := requestCache(t.Context(), c)
	for i, want := range cacheAnswers {
		if errs[i] != nil || !reflect.DeepEqual(answers[i], want.message) {
			t.Errorf("got %+v, %v; want %+v", answers[i], errs[i], want.message)
		}
	}
}

// stager reports stages until its context is done, or the test lets it answer.
type stager struct {
	sharedCache
	Handler
	answer chan struct{}
}

func (s *stager) Execute(ctx context.Context, q *ExecuteRequest, stage func(Stage)) (*Executed, error) {
	for range 100 { // far more than are kept for a reader that does not come
		stage(Queued)
	}
	stage(Executing)
	select {
	case <-s.answer:
	case <-ctx.Done():
	}
	return &Executed{Exit: 3}, nil
}

// TestStages: stages arrive in order before the answer, and those that nobody reads any more delay
// nothing.
func TestStages(t *testing.T) {
	s := &stager{Handler: &handler{}, answer: make(chan struct{})}
	c, _ := pair(t, s)
	var got []Stage
	a, err := c.Execute(t.Context(), &ExecuteRequest{}, func(stage Stage) {
		if got = append(got, stage); len(got) == 1 {
			close(s.answer)
		}
	})
	if err != nil || a.Exit != 3 || got[0] != Queued {
		t.Fatalf("got %v, %+v, %v", got, a, err)
	}
	s.answer = make(chan struct{})
	ctx, cancel := context.WithCancel(t.Context())
	if _, err := c.Execute(ctx, &ExecuteRequest{}, func(Stage) { cancel() }); err != context.Canceled {
		t.Fatalf("got %v", err)
	}
	close(s.answer)
	if _, err := c.Execute(t.Context(), &ExecuteRequest{}, func(Stage) {}); err != nil {
		t.Error(err)
	}
}

// TestNoCacheHandler: a program without a shared cache is not asked about one.
func TestNoCacheHandler(t *testing.T) {
	c, served := pair(t, struct{ Handler }{&handler{}})
	if _, err := c.Lookup(t.Context(), &LookupRequest{}); !errors.Is(err, ErrClosed) {
		t.Errorf("got %v", err)
	}
	if err := served(); !errors.Is(err, ErrProtocol) {
		t.Errorf("the server ended with %v", err)
	}
}

// TestOddValues reads values that no program writes: they are the zero ones.
func TestOddValues(t *testing.T) {
	var found Found
	b := wire.AppendUint(nil, 1, 9)
	b = wire.AppendMessage(b, 3, func(b []byte) []byte { return wire.AppendText(b, 1, "short") })
	if err := wire.Decode(b, found.fields); err != nil || !reflect.DeepEqual(found, Found{}) {
		t.Errorf("got %+v, %v", found, err)
	}
	for name, b := range map[string][]byte{
		"a broken blob": wire.AppendElement(nil, 3, "\x0a\x7f"),
		"text for it":   wire.AppendUint(nil, 3, 1),
	} {
		if err := wire.Decode(b, new(Found).fields); !errors.Is(err, wire.ErrMalformed) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// TestMaxInputs: so does one of as many inputs as there may be.
func TestMaxInputs(t *testing.T) {
	inputs := make([]Input, MaxInputs)
	for i := range inputs {
		inputs[i] = Input{Blob: Blob{sha256.Sum256(nil), 1 << 50}, Data: make([]byte, MaxInputBytes/MaxInputs)}
	}
	b, err := encodeFrame(1, fieldUploadRequest, &UploadRequest{Inputs: inputs})
	if err != nil || len(b) > MaxFrame/2 {
		t.Errorf("%d bytes, %v", len(b), err)
	}
}

// TestMaxBlobs: a request of the maximum number of blobs fits in a frame.
func TestMaxBlobs(t *testing.T) {
	blobs := make([]Blob, MaxBlobs)
	for i := range blobs {
		blobs[i] = Blob{sha256.Sum256(nil), 1 << 50}
	}
	b, err := encodeFrame(1, fieldFetchRequest, &FetchRequest{Blobs: blobs})
	if err != nil || len(b) > MaxFrame/2 {
		t.Errorf("%d bytes, %v", len(b), err)
	}
}

package client

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	repb "github.com/bazelbuild/remote-apis/build/bazel/remote/execution/v2"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/weftrun/weft/engine/cache"
	"github.com/weftrun/weft/engine/channel"
)

// scene is the answer to one call of Execute or WaitExecution.
type scene struct {
	stages []repb.ExecutionStage_Value // one message for each
	pause  time.Duration               // after them
	// end is the error of the stream; nil: the operation is done, with one of the following.
	end      error
	fails    *spb.Status // of the operation itself
	response *repb.ExecuteResponse
}

// errClean ends a stream without an error.
var errClean = errors.New("clean")

func (s *script) act(ctx context.Context, what string, send func(*longrunningpb.Operation) error) error {
	s.mu.Lock()
	s.plays = append(s.plays, what)
	md, _ := metadata.FromIncomingContext(ctx)
	s.seen = append(s.seen, md)
	var next scene
	if len(s.scenes) == 0 {
		s.mu.Unlock()
		return status.Error(codes.Unavailable, "the play is over")
	}
	next, s.scenes = s.scenes[0], s.scenes[1:]
	s.mu.Unlock()
	message := func(stage repb.ExecutionStage_Value) *longrunningpb.Operation {
		meta, err := anypb.New(&repb.ExecuteOperationMetadata{Stage: stage})
		if err != nil {
			panic(err)
		}
		return &longrunningpb.Operation{Name: "op", Metadata: meta}
	}
	for _, stage := range next.stages {
		if err := send(message(stage)); err != nil {
			return err
		}
	}
	select {
	case <-time.After(next.pause):
	case <-ctx.Done():
		return ctx.Err()
	}
	if next.end == errClean {
		return nil
	}
	if next.end != nil {
		return next.end
	}
	o := message(repb.ExecutionStage_COMPLETED)
	o.Done = true
	switch {
	case next.fails != nil:
		o.Result = &longrunningpb.Operation_Error{Error: next.fails}
	case next.response != nil:
		r, err := anypb.New(next.response)
		if err != nil {
			return err
		}
		o.Result = &longrunningpb.Operation_Response{Response: r}
	}
	return send(o)
}

func (s *script) Execute(q *repb.ExecuteRequest, stream grpc.ServerStreamingServer[longrunningpb.Operation]) error {
	what := "execute"
	if q.SkipCacheLookup {
		what += " anew"
	}
	if q.InstanceName != "team/a" || q.DigestFunction != repb.DigestFunction_SHA256 {
		what = "wrong"
	}
	return s.act(stream.Context(), what, stream.Send)
}

func (s *script) WaitExecution(q *repb.WaitExecutionRequest, stream grpc.ServerStreamingServer[longrunningpb.Operation]) error {
	return s.act(stream.Context(), "wait "+q.Name, stream.Send)
}

func (s *script) CancelOperation(_ context.Context, q *longrunningpb.CancelOperationRequest) (*emptypb.Empty, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.plays = append(s.plays, "cancel "+q.Name)
	return nil, status.Error(codes.Unimplemented, "")
}

// newWorker returns a script that executes as scenes say.
func newWorker(scenes ...scene) *script {
	s := newScript()
	s.caps.ExecutionCapabilities = &repb.ExecutionCapabilities{ExecEnabled: true}
	s.scenes = scenes
	return s
}

// room returns a Room whose only connection is that of the lab, for remote execution.
func (l *lab) room() *Room {
	l.say.executes = true
	return &Room{all: []*connection{{cache: l.Cache, local: l.local, queue: l.queue, say: l.say, remote: true}}}
}

var theAction = channel.Blob(cache.DigestOf([]byte("action")))

func (l *lab) execute(ctx context.Context) (*channel.Executed, []channel.Stage, error) {
	var stages []channel.Stage
	a, err := l.room().Execute(ctx, &channel.ExecuteRequest{Action: theAction, Task: "build", Profile: "linux", Limit: time.Hour}, func(s channel.Stage) { stages = append(stages, s) })
	return a, stages, err
}

const (
	queued    = repb.ExecutionStage_QUEUED
	executing = repb.ExecutionStage_EXECUTING
)

// refusal is an answer with a status.
func refusal(c codes.Code) *repb.ExecuteResponse {
	return &repb.ExecuteResponse{Status: status.New(c, "why").Proto(), Result: &repb.ActionResult{}}
}

// exited is a command that has ended with a status, and has written to both streams.
func exited(code int32) *repb.ExecuteResponse {
	return &repb.ExecuteResponse{Result: &repb.ActionResult{ExitCode: code, StdoutRaw: []byte("out"), StderrRaw: []byte("err")}}
}

// TestExecuteTable has the rows of how failures of Execute, of WaitExecution and of the response are
// handled.
func TestExecuteTable(t *testing.T) {
	gone := status.Error(codes.Unavailable, "why")
	end := func(c codes.Code) scene { return scene{end: status.Error(c, "why")} }
	running := scene{stages: []repb.ExecutionStage_Value{queued, executing}, end: gone}
	lost := scene{stages: []repb.ExecutionStage_Value{executing}, end: gone} // nothing new
	steadily := scene{stages: []repb.ExecutionStage_Value{executing}, pause: time.Minute, end: gone}
	done := scene{response: exited(3)}
	fails := func(c codes.Code) scene { return scene{response: refusal(c)} }
	for name, tt := range map[string]struct {
		scenes []scene
		class  channel.FailureClass
		plays  string
	}{
		"at once":                {[]scene{done}, channel.NoFailure, "execute"},
		"two tries":              {[]scene{end(codes.Unavailable), done}, channel.NoFailure, "execute, execute"},
		"two tries, aborted":     {[]scene{end(codes.Aborted), end(codes.Internal), done}, channel.Infrastructure, "execute, execute"},
		"cancelled not by us":    {[]scene{end(codes.Canceled), done}, channel.NoFailure, "execute, execute"},
		"clean end of stream":    {[]scene{{stages: []repb.ExecutionStage_Value{queued}, end: errClean}, done}, channel.NoFailure, "execute, wait op"},
		"broken stream":          {[]scene{running, done}, channel.NoFailure, "execute, wait op"},
		"waits without news":     {[]scene{running, lost, lost, lost, lost, lost, lost, lost}, channel.Infrastructure, "execute, wait op, wait op, wait op, wait op, wait op"},
		"waits with progress":    {append(slices.Repeat([]scene{running}, 1), append(slices.Repeat([]scene{steadily}, 20), done)...), channel.NoFailure, "execute" + strings.Repeat(", wait op", 21)},
		"too late while waiting": {[]scene{running, end(codes.DeadlineExceeded), done}, channel.NoFailure, "execute, wait op, wait op"},
		"forgotten":              {[]scene{running, end(codes.NotFound), done}, channel.NoFailure, "execute, wait op, execute"},
		"forgotten twice":        {[]scene{running, end(codes.NotFound), running, end(codes.NotFound), done}, channel.Infrastructure, "execute, wait op, execute, wait op"},
		"not found":              {[]scene{end(codes.NotFound)}, channel.Missing, "execute"},
		"precondition":           {[]scene{end(codes.FailedPrecondition)}, channel.Missing, "execute"},
		"unknown":                {[]scene{end(codes.Unknown)}, channel.Missing, "execute"},
		"full":                   {[]scene{end(codes.ResourceExhausted), done}, channel.NoFailure, "execute, execute"},
		"full twice":             {[]scene{end(codes.ResourceExhausted), end(codes.ResourceExhausted), done}, channel.Infrastructure, "execute, execute"},
		"platform":               {[]scene{end(codes.InvalidArgument)}, channel.Refused, "execute"},
		"range":                  {[]scene{end(codes.OutOfRange)}, channel.Refused, "execute"},
		"data loss":              {[]scene{end(codes.DataLoss)}, channel.Refused, "execute"},
		"denied":                 {[]scene{end(codes.PermissionDenied)}, channel.Refused, "execute"},
		"not authenticated":      {[]scene{end(codes.Unauthenticated)}, channel.Refused, "execute"},
		"unimplemented":          {[]scene{end(codes.Unimplemented)}, channel.Refused, "execute"},
		"status: timed out":      {[]scene{fails(codes.DeadlineExceeded)}, channel.OverTime, "execute"},
		"status: missing":        {[]scene{fails(codes.FailedPrecondition)}, channel.Missing, "execute"},
		"status: not found":      {[]scene{fails(codes.NotFound)}, channel.Missing, "execute"},
		"status: no worker":      {[]scene{fails(codes.Unavailable), fails(codes.Unavailable)}, channel.Infrastructure, "execute, execute"},
		"status: once":           {[]scene{fails(codes.Internal), done}, channel.NoFailure, "execute, execute"},
		"status: platform":       {[]scene{fails(codes.InvalidArgument)}, channel.Refused, "execute"},
		"status while waiting":   {[]scene{running, fails(codes.Aborted), done}, channel.NoFailure, "execute, wait op, execute"},
		"error of an operation":  {[]scene{{fails: status.New(codes.DeadlineExceeded, "why").Proto()}}, channel.OverTime, "execute"},
		"no response":            {[]scene{{}, done}, channel.NoFailure, "execute, execute"},
		"no result":              {[]scene{{response: &repb.ExecuteResponse{}}, {response: &repb.ExecuteResponse{}}}, channel.Infrastructure, "execute, execute"},
		"success with nothing":   {[]scene{{response: exited(0)}}, channel.Infrastructure, "execute"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newWorker(tt.scenes...)
				l := newLab(t, s, false)
				a, _, err := l.execute(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				if a.Failure.Class != tt.class || (a.Failure.Text == "") != (tt.class == channel.NoFailure) {
					t.Errorf("got %+v", a.Failure)
				}
				if got := strings.Join(s.plays, ", "); got != tt.plays {
					t.Errorf("calls: %s\nwant:  %s", got, tt.plays)
				}
				if tt.class == channel.NoFailure && (a.Exit != 3 || string(l.content(a.Stdout)) != "out" || string(l.content(a.Stderr)) != "err") {
					t.Errorf("got %+v", a)
				}
				if len(a.Warnings) > 0 {
					t.Errorf("warnings: %q", a.Warnings)
				}
			})
		})
	}
}

// content returns a blob of the local cache.
func (l *lab) content(b channel.Blob) []byte {
	l.t.Helper()
	data, err := l.read(cache.Digest(b))
	if err != nil {
		l.t.Error(err)
	}
	return data
}

// TestExecuteStages: stages are passed on, also one that goes back, and the server is told what the
// call is for.
func TestExecuteStages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newWorker(
			scene{stages: []repb.ExecutionStage_Value{queued, queued, executing, queued}, end: status.Error(codes.Unavailable, "")},
			scene{stages: []repb.ExecutionStage_Value{queued, executing}, response: exited(1)})
		l := newLab(t, s, false)
		_, stages, err := l.execute(t.Context())
		if want := []channel.Stage{channel.Queued, channel.Executing, channel.Queued, channel.Executing}; err != nil || !slices.Equal(stages, want) {
			t.Errorf("got %v, %v; want %v", stages, err, want)
		}
		m := new(repb.RequestMetadata)
		if err := proto.Unmarshal([]byte(s.seen[len(s.seen)-1].Get(metadataKey)[0]), m); err != nil {
			t.Fatal(err)
		}
		if m.ActionId != cache.Digest(theAction).Hex() || m.TargetId != "build" || m.ConfigurationId != "linux" || m.ToolInvocationId != "run-1" {
			t.Errorf("got %v", m)
		}
	})
}

// TestExecuteSilence: an action of which nothing is heard long after its time limit is given up, but
// not one that waits for a worker.
func TestExecuteSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newWorker(scene{stages: []repb.ExecutionStage_Value{executing, queued}, pause: 50 * time.Hour, response: exited(1)})
		if a, _, err := newLab(t, s, false).execute(t.Context()); err != nil || a.Failure.Class != channel.NoFailure {
			t.Errorf("got %+v, %v", a, err)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		s := newWorker(scene{stages: []repb.ExecutionStage_Value{queued, executing}, pause: 50 * time.Hour})
		a, _, err := newLab(t, s, false).execute(t.Context())
		if err != nil || a.Failure.Class != channel.Infrastructure || time.Since(began) != time.Hour+executionSlack {
			t.Errorf("got %+v, %v after %s", a, err, time.Since(began))
		}
		if got := strings.Join(s.plays, ", "); got != "execute, cancel op" {
			t.Errorf("calls: %s", got)
		}
	})
}

// TestExecuteCancel: the operation is cancelled with the request.
func TestExecuteCancel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newWorker(scene{stages: []repb.ExecutionStage_Value{queued}, pause: 50 * time.Hour})
		l := newLab(t, s, false)
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Minute, context.Canceled)
		defer cancel()
		if _, _, err := l.execute(ctx); err != context.Canceled {
			t.Errorf("got %v", err)
		}
		if got := strings.Join(s.plays, ", "); got != "execute, cancel op" {
			t.Errorf("calls: %s", got)
		}
	})
}

// TestNoExecution: a cache is not asked to execute.
func TestNoExecution(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript()
		a, _, err := newLab(t, s, false).execute(t.Context())
		if err != nil || a.Failure.Class != channel.Refused || len(s.plays) > 0 {
			t.Errorf("got %+v, %v", a, err)
		}
	})
}

// TestUnreachable: why there is no connection is told with each action, and not by warnings.
func TestUnreachable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, newWorker(), false)
		l.dialed = func() error { return os.ErrDeadlineExceeded }
		r := l.room()
		for range 2 {
			a, err := r.Upload(t.Context(), &channel.UploadRequest{Action: theAction})
			if err != nil || a.Failure.Class != channel.Infrastructure || a.Failure.Text != "cannot be reached (no answer in time)" || len(a.Warnings) > 0 {
				t.Errorf("got %+v, %v", a, err)
			}
		}
	})
}

// wrapped is the result of a runner that has left inner.
func wrapped(inner []byte, inline bool) *repb.ExecuteResponse {
	f := &repb.OutputFile{Path: wrappedResult, Digest: sent(cache.DigestOf(inner))}
	if inline {
		f.Contents = inner
	}
	return &repb.ExecuteResponse{Result: &repb.ActionResult{OutputFiles: []*repb.OutputFile{f}}, CachedResult: inline}
}

// TestExecuteSuccess: the result of the runner is fetched unless it is in the response, and verified.
func TestExecuteSuccess(t *testing.T) {
	inner := []byte("the result of a runner")
	large := bytes.Repeat(inner, 100_000)
	for name, r := range map[string]*repb.ExecuteResponse{"inline": wrapped(inner, true), "blob": wrapped(inner, false), "large": wrapped(large, false), "missing": wrapped([]byte("none"), false)} {
		synctest.Test(t, func(t *testing.T) {
			s := newWorker(scene{response: r})
			if name == "inline" {
				s.put([]byte("the server is not asked for it"))
			} else {
				s.put(inner)
				s.put(large)
			}
			l := newLab(t, s, false)
			a, _, err := l.execute(t.Context())
			switch {
			case err != nil:
				t.Fatal(err)
			case name == "missing":
				if a.Failure.Class != channel.Infrastructure {
					t.Errorf("got %+v", a)
				}
			case name == "large":
				if !bytes.Equal(l.content(a.Large), large) || a.Result != nil {
					t.Errorf("got %+v", a.Large)
				}
			default:
				if !bytes.Equal(a.Result, inner) || a.Found != (name == "inline") {
					t.Errorf("%s: got %+v", name, a)
				}
			}
		})
	}
}

// TestLookupOfRunner: what no runner has left is not found.
func TestLookupOfRunner(t *testing.T) {
	inner := []byte("the result of a runner")
	failed := wrapped(inner, false).Result
	failed.ExitCode = 1
	for want, result := range map[channel.Lookup]*repb.ActionResult{channel.Hit: wrapped(inner, false).Result, channel.Miss: failed} {
		for _, r := range []*repb.ActionResult{result, {StdoutRaw: []byte("x")}} {
			s := newWorker()
			s.put(inner)
			l := newLab(t, s, false)
			s.results[cache.Digest(theAction).Hex()] = r
			a, err := l.room().Lookup(t.Context(), &channel.LookupRequest{Action: theAction, Remote: true})
			if r != result {
				want = channel.Miss
			}
			if err != nil || a.Lookup != want || want == channel.Hit && !bytes.Equal(a.Result, inner) {
				t.Errorf("got %+v, %v", a, err)
			}
		}
	}
}

// TestProvide: inputs are uploaded from where they are, those that the server has are not, and one that
// has changed is noticed.
func TestProvide(t *testing.T) {
	s := newWorker()
	l := newLab(t, s, false)
	dir := t.TempDir()
	file := func(name string, b []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	there, small, large, kept := []byte("there"), []byte("small"), bytesOf("large", 3<<20), bytesOf("kept", 2000)
	s.put(there)
	blob := func(b []byte) channel.Blob { return channel.Blob(cache.DigestOf(b)) }
	l.keep(kept)
	q := &channel.UploadRequest{Action: theAction, Inputs: []channel.Input{
		{Blob: blob(there), Path: "/nowhere"}, {Blob: blob(small), Data: small}, {Blob: blob(large), Path: file("large", large)}, {Blob: blob(kept)},
		{Blob: blob(nil), Path: "/nowhere"},
	}}
	r := l.room()
	for range 2 {
		if a, err := r.Upload(t.Context(), q); err != nil || a.Failure != (channel.Failure{}) {
			t.Fatalf("got %+v, %v", a, err)
		}
	}
	for _, b := range [][]byte{there, small, large, kept} {
		if _, ok := s.blobs[cache.DigestOf(b).String()]; !ok {
			t.Errorf("%.10q is missing", b)
		}
	}
	if n := s.count("FindMissingBlobs"); n != 1 {
		t.Errorf("the server was asked %d times", n)
	}
	// It has lost one.
	delete(s.blobs, cache.DigestOf(small).String())
	q.Again = true
	if a, err := r.Upload(t.Context(), q); err != nil || a.Failure != (channel.Failure{}) || s.blobs[cache.DigestOf(small).String()] == nil {
		t.Errorf("got %+v, %v", a, err)
	}
	for name, in := range map[string]channel.Input{
		"content": {Blob: blob([]byte("abc")), Path: file("abc", []byte("abd"))}, "size": {Blob: blob([]byte("abcd")), Path: filepath.Join(dir, "abc")},
		"gone": {Blob: blob([]byte("efg")), Path: filepath.Join(dir, "none")}, "directory": {Blob: channel.Blob{Size: 1}, Path: dir},
		"large": {Blob: blob(bytesOf("other", 3<<20)), Path: filepath.Join(dir, "large")},
	} {
		a, err := r.Upload(t.Context(), &channel.UploadRequest{Action: theAction, Inputs: []channel.Input{in}})
		if err != nil || a.Failure.Class != channel.Changed {
			t.Errorf("%s: got %+v, %v", name, a, err)
		}
	}
	s.caps.CacheCapabilities.MaxCasBlobSizeBytes = 3
	l = newLab(t, s, false)
	a, err := l.room().Upload(t.Context(), &channel.UploadRequest{Action: theAction, Inputs: []channel.Input{{Blob: blob(small), Data: small}}})
	if err != nil || a.Failure.Class != channel.Refused {
		t.Errorf("got %+v, %v", a, err)
	}
}

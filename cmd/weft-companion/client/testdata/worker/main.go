// Command worker is a server of remote execution for tests, with a worker that runs commands in temporary
// directories. Its argument is the path of the socket that it listens on. Everything is in memory, and
// ends with its standard input.
//
// Its behaviour is that of servers in use: results are not looked up by Execute, those of failures are
// not kept, and inputs that are missing are a failed precondition. A property of the platform called
// "test" has it misbehave: "unavailable", "lose" (it forgets all blobs once), "slow" (it never ends),
// "die" (so does the server). So has
// a file whose name is that of the socket with ".faults" (see faults). So has a header called "test" when it tells its capabilities: "idle" (it executes nothing), "rude" (it refuses, in
// a text for the terminal).
package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strings"
	"sync"
	"syscall"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	repb "github.com/bazelbuild/remote-apis/build/bazel/remote/execution/v2"
	"github.com/bazelbuild/remote-apis/build/bazel/semver"
	bspb "google.golang.org/genproto/googleapis/bytestream"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/emptypb"
)

func main() {
	l, err := net.Listen("unix", os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	s := &server{blobs: map[string][]byte{}, results: map[string]*repb.ActionResult{}}
	s.faults.file = os.Args[1] + ".faults"
	g := grpc.NewServer(grpc.MaxRecvMsgSize(64<<20), grpc.UnaryInterceptor(s.unary), grpc.StreamInterceptor(s.stream))
	repb.RegisterCapabilitiesServer(g, s)
	repb.RegisterActionCacheServer(g, s)
	repb.RegisterContentAddressableStorageServer(g, s)
	bspb.RegisterByteStreamServer(g, s)
	repb.RegisterExecutionServer(g, s)
	longrunningpb.RegisterOperationsServer(g, s)
	go func() {
		io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	fmt.Println("listening")
	g.Serve(l)
}

type server struct {
	repb.UnimplementedCapabilitiesServer
	repb.UnimplementedActionCacheServer
	repb.UnimplementedContentAddressableStorageServer
	repb.UnimplementedExecutionServer
	bspb.UnimplementedByteStreamServer
	longrunningpb.UnimplementedOperationsServer

	mu      sync.Mutex // guards the fields below
	blobs   map[string][]byte
	results map[string]*repb.ActionResult
	lost    bool

	faults faults
}

// faults are what goes wrong by chance: a file has words of "unavailable" (calls fail), "lose" (blobs and
// results are forgotten), "lie" (blobs have other bytes) and "die" (the server ends). Each happens at about
// one in ten calls.
type faults struct {
	file string
	mu   sync.Mutex // guards rand
	rand *rand.Rand
}

// happens reports whether something goes wrong now.
func (f *faults) happens(what string) bool {
	words, err := os.ReadFile(f.file)
	if err != nil || !strings.Contains(string(words), what) {
		return false
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.rand == nil {
		f.rand = rand.New(rand.NewPCG(1, 1))
	}
	return f.rand.IntN(10) == 0
}

// call has something go wrong at a call.
func (s *server) call() error {
	if s.faults.happens("die") {
		os.Exit(1)
	}
	if s.faults.happens("lose") {
		s.mu.Lock()
		n := 0
		for hash := range s.blobs {
			if n++; n%2 == 0 {
				delete(s.blobs, hash)
			}
		}
		for hash := range s.results {
			if n++; n%4 == 0 { // fewer, so that there are some whose blobs are missing
				delete(s.results, hash)
			}
		}
		s.mu.Unlock()
	}
	if s.faults.happens("unavailable") {
		return status.Error(codes.Unavailable, "by chance")
	}
	return nil
}

func (s *server) unary(ctx context.Context, q any, _ *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
	if err := s.call(); err != nil {
		return nil, err
	}
	return handle(ctx, q)
}

func (s *server) stream(_ any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handle grpc.StreamHandler) error {
	if err := s.call(); err != nil {
		return err
	}
	return handle(s, stream)
}

func (s *server) put(b []byte) *repb.Digest {
	sum := sha256.Sum256(b)
	d := &repb.Digest{Hash: hex.EncodeToString(sum[:]), SizeBytes: int64(len(b))}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.blobs[d.Hash] = b
	return d
}

func (s *server) get(d *repb.Digest) ([]byte, error) {
	if d.GetSizeBytes() == 0 {
		return nil, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	b, ok := s.blobs[d.Hash]
	if !ok {
		return nil, status.Errorf(codes.FailedPrecondition, "missing blob %s", d.Hash)
	}
	return b, nil
}

func (s *server) message(d *repb.Digest, m proto.Message) error {
	b, err := s.get(d)
	if err != nil {
		return err
	}
	return proto.Unmarshal(b, m)
}

func (s *server) GetCapabilities(ctx context.Context, _ *repb.GetCapabilitiesRequest) (*repb.ServerCapabilities, error) {
	headers, _ := metadata.FromIncomingContext(ctx)
	test := strings.Join(headers.Get("test"), "")
	if test == "rude" {
		return nil, status.Error(codes.InvalidArgument, "\x1b]0;title\a no\nweft: all is well")
	}
	return &repb.ServerCapabilities{
		CacheCapabilities:     &repb.CacheCapabilities{DigestFunctions: []repb.DigestFunction_Value{repb.DigestFunction_SHA256}, ActionCacheUpdateCapabilities: &repb.ActionCacheUpdateCapabilities{}},
		ExecutionCapabilities: &repb.ExecutionCapabilities{ExecEnabled: test != "idle", DigestFunction: repb.DigestFunction_SHA256},
		LowApiVersion:         &semver.SemVer{Major: 2}, HighApiVersion: &semver.SemVer{Major: 2, Minor: 3},
	}, nil
}

func (s *server) GetActionResult(_ context.Context, q *repb.GetActionResultRequest) (*repb.ActionResult, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.results[q.ActionDigest.Hash]; r != nil {
		return r, nil
	}
	return nil, status.Error(codes.NotFound, "")
}

func (s *server) FindMissingBlobs(_ context.Context, q *repb.FindMissingBlobsRequest) (*repb.FindMissingBlobsResponse, error) {
	a := new(repb.FindMissingBlobsResponse)
	for _, d := range q.BlobDigests {
		if _, err := s.get(d); err != nil {
			a.MissingBlobDigests = append(a.MissingBlobDigests, d)
		}
	}
	return a, nil
}

func (s *server) BatchUpdateBlobs(_ context.Context, q *repb.BatchUpdateBlobsRequest) (*repb.BatchUpdateBlobsResponse, error) {
	a := new(repb.BatchUpdateBlobsResponse)
	for _, r := range q.Requests {
		a.Responses = append(a.Responses, &repb.BatchUpdateBlobsResponse_Response{Digest: s.put(r.Data)})
	}
	return a, nil
}

func (s *server) Write(stream bspb.ByteStream_WriteServer) error {
	var b []byte
	for {
		m, err := stream.Recv()
		if err != nil {
			return err
		}
		b = append(b, m.Data...)
		if m.FinishWrite {
			s.put(b)
			return stream.SendAndClose(&bspb.WriteResponse{CommittedSize: int64(len(b))})
		}
	}
}

func (s *server) Read(q *bspb.ReadRequest, stream bspb.ByteStream_ReadServer) error {
	parts := strings.Split(q.ResourceName, "/")
	s.mu.Lock()
	b, ok := s.blobs[parts[len(parts)-2]]
	s.mu.Unlock()
	if !ok {
		return status.Error(codes.NotFound, "")
	}
	if len(b) > 0 && s.faults.happens("lie") {
		b = append([]byte{b[0] ^ 1}, b[1:]...)
	}
	for b = b[q.ReadOffset:]; len(b) > 0; {
		n := min(len(b), 1<<20)
		if err := stream.Send(&bspb.ReadResponse{Data: b[:n]}); err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}

func (s *server) CancelOperation(context.Context, *longrunningpb.CancelOperationRequest) (*emptypb.Empty, error) {
	return nil, status.Error(codes.Unimplemented, "")
}

func (s *server) Execute(q *repb.ExecuteRequest, stream repb.Execution_ExecuteServer) error {
	operation := &longrunningpb.Operation{Name: "operations/" + q.ActionDigest.Hash}
	for _, stage := range []repb.ExecutionStage_Value{repb.ExecutionStage_QUEUED, repb.ExecutionStage_EXECUTING} {
		operation.Metadata, _ = anypb.New(&repb.ExecuteOperationMetadata{Stage: stage})
		if err := stream.Send(operation); err != nil {
			return err
		}
	}
	r, err := s.run(stream.Context(), q.ActionDigest)
	response := &repb.ExecuteResponse{Result: r, Status: status.Convert(err).Proto()}
	done, err := anypb.New(response)
	if err != nil {
		return err
	}
	operation.Done, operation.Result = true, &longrunningpb.Operation_Response{Response: done}
	return stream.Send(operation)
}

func (s *server) run(ctx context.Context, digest *repb.Digest) (*repb.ActionResult, error) {
	action, command := new(repb.Action), new(repb.Command)
	if err := s.message(digest, action); err != nil {
		return nil, err
	}
	if err := s.message(action.CommandDigest, command); err != nil {
		return nil, err
	}
	for _, p := range action.Platform.GetProperties() {
		switch {
		case p.Name != "test":
		case p.Value == "unavailable":
			return nil, status.Error(codes.Unavailable, "No workers exist for \x1b[31mthis")
		case p.Value == "die":
			os.Exit(1)
		case p.Value == "slow":
			<-ctx.Done()
			return nil, ctx.Err()
		case p.Value == "lose":
			s.mu.Lock()
			if !s.lost {
				s.lost = true
				clear(s.blobs)
			}
			s.mu.Unlock()
		}
	}
	root, err := os.MkdirTemp("", "worker-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(root)
	if err := s.layOut(action.InputRootDigest, root); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, action.Timeout.AsDuration())
	defer cancel()
	program := command.Arguments[0]
	if !filepath.IsAbs(program) {
		program = filepath.Join(root, program)
	}
	cmd := exec.CommandContext(ctx, program, command.Arguments[1:]...)
	cmd.Dir, cmd.WaitDelay = root, 10*time.Second
	cmd.Env = []string{}
	for _, v := range command.EnvironmentVariables {
		cmd.Env = append(cmd.Env, v.Name+"="+v.Value)
	}
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err = cmd.Run()
	if ctx.Err() != nil {
		return nil, status.Error(codes.DeadlineExceeded, "it took too long")
	}
	r := &repb.ActionResult{ExecutionMetadata: &repb.ExecutedActionMetadata{Worker: "worker-7"}, StdoutDigest: s.put(stdout.Bytes()), StderrRaw: stderr.Bytes()}
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		r.ExitCode = int32(exit.ExitCode())
		return r, nil
	} else if err != nil {
		return nil, status.Error(codes.Internal, err.Error())
	}
	if err := s.collect(root, command, r); err != nil {
		return nil, status.Error(codes.Internal, err.Error())
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.results[digest.Hash] = r
	return r, nil
}

// layOut makes the inputs of an action, and the directories of its outputs.
func (s *server) layOut(digest *repb.Digest, dir string) error {
	d := new(repb.Directory)
	if err := s.message(digest, d); err != nil {
		return err
	}
	for _, f := range d.Files {
		b, err := s.get(f.Digest)
		if err != nil {
			return err
		}
		mode := fs.FileMode(0o444)
		if f.IsExecutable {
			mode = 0o555
		}
		// A child of another action that has the file open would make the program busy.
		syscall.ForkLock.RLock()
		err = os.WriteFile(filepath.Join(dir, f.Name), b, mode)
		syscall.ForkLock.RUnlock()
		if err != nil {
			return err
		}
	}
	for _, l := range d.Symlinks {
		if err := os.Symlink(l.Target, filepath.Join(dir, l.Name)); err != nil {
			return err
		}
	}
	for _, sub := range d.Directories {
		path := filepath.Join(dir, sub.Name)
		if err := os.Mkdir(path, 0o777); err != nil {
			return err
		}
		if err := s.layOut(sub.Digest, path); err != nil {
			return err
		}
	}
	return nil
}

// collect keeps the outputs of a command, directories only if they are flat.
func (s *server) collect(root string, command *repb.Command, r *repb.ActionResult) error {
	for _, p := range command.OutputPaths {
		path := filepath.Join(root, filepath.FromSlash(p))
		st, err := os.Stat(path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			continue
		case err != nil:
			return err
		case !st.IsDir():
			b, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			r.OutputFiles = append(r.OutputFiles, &repb.OutputFile{Path: p, Digest: s.put(b)})
			continue
		}
		entries, err := os.ReadDir(path)
		if err != nil {
			return err
		}
		tree := &repb.Tree{Root: &repb.Directory{}}
		for _, e := range entries {
			b, err := os.ReadFile(filepath.Join(path, e.Name()))
			if err != nil {
				return err
			}
			tree.Root.Files = append(tree.Root.Files, &repb.FileNode{Name: e.Name(), Digest: s.put(b)})
		}
		sort.Slice(tree.Root.Files, func(i, j int) bool { return tree.Root.Files[i].Name < tree.Root.Files[j].Name })
		b, err := proto.Marshal(tree)
		if err != nil {
			return err
		}
		r.OutputDirectories = append(r.OutputDirectories, &repb.OutputDirectory{Path: p, TreeDigest: s.put(b)})
	}
	return nil
}

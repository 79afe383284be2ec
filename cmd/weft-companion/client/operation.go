package client

import (
	"context"
	"errors"
	"io"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	repb "github.com/bazelbuild/remote-apis/build/bazel/remote/execution/v2"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/weftrun/weft/engine/cache"
)

// executor is a [Server] that also executes actions.
type executor interface {
	// Execute has an action executed and waits for that, or if name is that of an operation, waits for
	// this one. heard is called with each message about it. The error is that of the stream.
	Execute(ctx context.Context, c Call, action cache.Digest, skipLookup bool, name string, heard func(name string, stage repb.ExecutionStage_Value)) (*response, error)
	// Abandon tells the server that nobody waits for an operation any more.
	Abandon(ctx context.Context, c Call, name string) error
}

// response is how an operation has ended.
type response struct {
	failure *Failure // nil: the command has ended
	code    codes.Code
	result  *repb.ActionResult // not nil without a failure
	cached  bool               // the result is that of an earlier execution
}

// Execute implements [executor].
func (g *grpcServer) Execute(ctx context.Context, c Call, action cache.Digest, skipLookup bool, name string, heard func(string, repb.ExecutionStage_Value)) (*response, error) {
	ctx, cancel := context.WithCancel(ctx) // ends the stream
	defer cancel()
	var stream grpc.ServerStreamingClient[longrunningpb.Operation]
	var err error
	if name == "" {
		stream, err = g.executions.Execute(g.outgoing(ctx, c), &repb.ExecuteRequest{
			InstanceName: g.instance, ActionDigest: sent(action), SkipCacheLookup: skipLookup, DigestFunction: repb.DigestFunction_SHA256,
			InlineOutputFiles: []string{wrappedResult},
		})
	} else {
		stream, err = g.executions.WaitExecution(g.outgoing(ctx, c), &repb.WaitExecutionRequest{Name: name})
	}
	for err == nil {
		var o *longrunningpb.Operation
		if o, err = stream.Recv(); err != nil {
			break
		}
		stage := new(repb.ExecuteOperationMetadata)
		if o.GetMetadata() == nil || o.Metadata.UnmarshalTo(stage) != nil {
			stage.Stage = repb.ExecutionStage_UNKNOWN
		}
		heard(o.Name, stage.Stage)
		if o.Done {
			return responseOf(o), nil
		}
	}
	if errors.Is(err, io.EOF) {
		err = status.Error(codes.Unavailable, "the stream has ended before the action has")
	}
	return nil, g.failure(ctx, err)
}

// responseOf returns the response of an operation that is done.
func responseOf(o *longrunningpb.Operation) *response {
	s := status.FromProto(o.GetError())
	r := new(repb.ExecuteResponse)
	if o.GetError() == nil {
		if o.GetResponse() == nil || o.GetResponse().UnmarshalTo(r) != nil {
			return &response{failure: wrong("the operation has ended without a response"), code: codes.Internal}
		}
		s = status.FromProto(r.Status)
	}
	switch {
	case s.Code() != codes.OK:
		return &response{failure: statusFailure(s, s.Err()), code: s.Code()}
	case r.Result == nil:
		return &response{failure: wrong("the response has no result"), code: codes.Internal}
	}
	return &response{result: r.Result, cached: r.CachedResult}
}

// Abandon implements [executor].
func (g *grpcServer) Abandon(ctx context.Context, c Call, name string) error {
	_, err := g.operations.CancelOperation(g.outgoing(ctx, c), &longrunningpb.CancelOperationRequest{Name: name})
	return g.failure(ctx, err)
}

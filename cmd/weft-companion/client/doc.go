// Package client is the room of weft-companion that talks to a shared cache: a server of the Bazel
// Remote Execution API (REAPI) over gRPC, or any web server that speaks the Bazel HTTP cache
// protocol. It moves results and blobs between that server and the local cache. It does not know
// what they are for, and decides nothing: whatever fails is a miss.
//
// A server of REAPI may also execute actions (execute.go, operation.go). Here a failure is told to weft
// with its class, and weft decides where the action is executed then.
//
//	weft ──▶ Room (room.go)      requests of the channel
//	           │
//	           ▼
//	         Cache               one connection: lookup.go, fetch.go, store.go and upload.go, which
//	           │                 move each blob once (transfer.go, known.go)
//	           ▼
//	         Cache.do (call.go)  one call: its turn (gate.go), breaker.go, again (retry.go),
//	           │                 credentials (auth.go, helper.go)
//	           ▼
//	         Server              one attempt of one call
//	         ├── grpcServer      grpc.go, caps.go, bytestream.go, over dial.go
//	         └── webServer       http.go
//
// # Trust
//
// The server is not trusted: every blob is verified before it gets a name in the local cache, what
// is received is bounded by what was asked for, and texts from the server are shown only without
// control characters and credentials. Results are passed on as they are; weft checks them.
//
// Credentials go to the configured host only, and never over plain text that leaves this machine.
// They never travel back to weft.
package client

import (
	"context"
	"io"

	"github.com/weftrun/weft/engine/cache"
)

// Server is one server. Each method makes one attempt of one call; the error of one that failed is a
// [*Failure], or the cause of its context, or that of an [io.Writer] or a file. Methods may be called
// concurrently.
type Server interface {
	// Negotiate asks the server what it can do. It is called before all other methods.
	Negotiate(ctx context.Context) (Abilities, error)
	// Result returns the encoded ActionResult that is stored for an action, at most
	// [cache.MaxResult] bytes.
	Result(ctx context.Context, c Call, action cache.Digest) ([]byte, error)
	// PutResult stores a result for an action.
	PutResult(ctx context.Context, c Call, action cache.Digest, result []byte) error
	// Missing returns those of the blobs, at most MaxMissing, that should be uploaded. A server that
	// cannot be asked cheaply may want blobs that it has.
	Missing(ctx context.Context, c Call, blobs []cache.Digest) ([]cache.Digest, error)
	// ReadBatch reads small blobs, and calls got for each one that it was sent, in any order. data
	// belongs to the server, and err is a [*Failure] of this blob alone.
	ReadBatch(ctx context.Context, c Call, blobs []cache.Digest, got func(blob cache.Digest, data []byte, err error)) error
	// WriteBatch stores small blobs, and returns one error, or nil, for each.
	WriteBatch(ctx context.Context, c Call, blobs []Content) ([]error, error)
	// Read writes a blob to w, from the offset from on, which is 0 if packed. packed lets the server
	// compress what it sends.
	Read(ctx context.Context, c Call, blob cache.Digest, from int64, packed bool, w io.Writer) error
	// Write uploads a blob. It ends without an error, and early, if the server has the blob already.
	Write(ctx context.Context, c Call, u *Upload) error
	// Written returns how many bytes of an upload that broke off the server has kept.
	Written(ctx context.Context, c Call, u *Upload) (int64, error)
	// Close ends all connections.
	Close() error
}

// Call says what a call is for. Servers show it in their logs.
type Call struct {
	Action  string // the hash of the action, or ""
	Task    string // the name of the task, or ""
	Profile string // the name of the task's profile, or ""
}

// Content is a blob with its bytes.
type Content struct {
	Blob cache.Digest
	Data []byte
}

// Abilities are what a server can do for this client.
type Abilities struct {
	API      string // the versions that it speaks, for messages: "2.0-2.3", "HTTP"
	Writes   bool   // it stores results
	Executes bool   // it executes actions
	MaxBatch int64  // bytes of a call with small blobs; 0: there are no such calls
	// MaxMissing is the number of blobs in one call of Missing.
	MaxMissing int
	MaxBlob    int64 // bytes of the largest blob that it keeps; 0: no limit is known
	// PackedStreams and PackedBatches mean that blobs may be compressed with zstd.
	PackedStreams, PackedBatches bool
}

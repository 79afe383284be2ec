package channel

import (
	"crypto/sha256"
	"time"

	"github.com/weftrun/weft/internal/wire"
)

// Blob names bytes by their content. The zero Blob names none.
type Blob struct {
	Hash [sha256.Size]byte
	Size int64 // bytes
}

// MaxBlobs is the maximum number of blobs in one request.
const MaxBlobs = 100_000

// MaxInline is the maximum size of a result, in bytes, that a message contains: of a larger one it
// has the digest.
const MaxInline = 1 << 20

// ConnectRequest connects the second program to a shared cache, or to a server of remote execution. It
// is sent before all other requests about it, and once: other requests are about the connection of the
// last one of its kind.
type ConnectRequest struct {
	// URL is that of the server: grpcs, grpc, unix, https or http. It may hold a user and a password.
	URL string
	// Headers are sent to the URL's host alone. The second program replaces $NAME and ${NAME} in their
	// values by variables of its environment, from which it also takes WEFT_CACHE_TOKEN.
	Headers []Header
	Helper  string // credential helper, as the file says; "" is none
	// CA, Cert and Key are paths of PEM files, absolute: the authority to trust instead of the system's,
	// and a client certificate. "" is none.
	CA, Cert, Key string
	ServerName    string // in the server's certificate; "": the URL's host
	Insecure      bool   // allows plain text beyond this machine
	Push          bool   // something may be stored
	// Local is the directory of weft's cache, absolute, in which blobs are put and from which they are
	// taken; see package cache.
	Local  string
	Run    string // identity of the run
	Remote bool   // a server of remote execution, which is used for nothing else
}

// Connection is the answer to a ConnectRequest. A connection that cannot be used is not an error.
type Connection struct {
	Off      string // why the server is not used in this run; "": it is
	Server   string // host and port, or the path of a socket, for messages
	API      string // what both speak: "2.0-2.3", "HTTP"
	MaxBatch int64  // bytes of small blobs in one call; 0: one blob per call
	MaxBlob  int64  // bytes of the largest blob the server keeps; 0: no limit is known
	Zstd     bool   // blobs are compressed on the way
	Reads    bool
	Writes   bool // never without Push
	Executes bool // it executes Actions
	// Warnings are for the user, each of which is sent once: "HOST cannot be reached (connection
	// refused): going on without it". They contain no credentials, and must be escaped.
	Warnings []string
}

// LookupRequest requests the result of an Action.
type LookupRequest struct {
	Action Blob
	Task   string // the name of its task, for the server's log
	Remote bool   // what Remote connects to is meant
}

// Lookup is what the server has of an Action.
type Lookup uint8

// The values of Lookup.
const (
	Miss Lookup = iota
	Hit
	Off // the server is not used any more in this run
	lookups
)

// Found is the answer to a LookupRequest. Failures of the server are a Miss, not an error.
type Found struct {
	Lookup Lookup
	// Result is the encoded ActionResult of a Hit, as the server has sent it. It belongs to the
	// receiver.
	Result []byte
	// Large is set instead if it has more than MaxInline bytes: it is a blob in the local cache.
	Large    Blob
	Warnings []string // see Connection
}

// FetchRequest requests that blobs, at most MaxBlobs, are put into the local cache.
type FetchRequest struct {
	Blobs  []Blob
	Task   string // the name of the task whose result they are
	Remote bool   // see LookupRequest
}

// Fetched is the answer to a FetchRequest. Without Missing and Problem, all blobs are in the
// local cache and have the right content.
type Fetched struct {
	Missing []Blob // the server does not have them, or with other content; the others may be there
	// Problem is why some could not be fetched, for example that nothing has arrived for 30 seconds;
	// "" if Missing says it all.
	Problem  string
	Warnings []string // see Connection
}

// StoreRequest requests that a result, all of whose blobs are in the local cache, is stored on the
// server. It is answered at once. The result is sent last, and only if the server has everything
// else.
type StoreRequest struct {
	Task    string
	Action  Blob
	Message []byte // the encoded Action
	Command []byte // the encoded Command of the Action
	Result  []byte // the encoded ActionResult
	Large   Blob   // set instead of Result; see Found
}

// Stored is the answer to a StoreRequest.
type Stored struct {
	Accepted bool     // it will be sent; false: the server takes nothing
	Warnings []string // see Connection
}

// FlushRequest requests an answer when everything that was accepted is sent, or has failed, or
// when Limit is over. Zero requests one at once.
type FlushRequest struct {
	Limit  time.Duration
	Remote bool // see LookupRequest
}

// Totals is the answer to a FlushRequest: what has happened since the connection was requested.
type Totals struct {
	Pushed   int64    // results that were stored
	Pending  int64    // results that are still to be stored
	Up, Down int64    // bytes of blobs and results, as they were sent
	Warnings []string // see Connection
}

func (b *Blob) fields(f *wire.Fields) {
	hash := b.Hash[:]
	if b.Hash == [sha256.Size]byte{} {
		hash = nil
	}
	f.Bytes(1, &hash)
	f.Int(2, &b.Size)
	if len(hash) == sha256.Size {
		copy(b.Hash[:], hash)
	}
}

// blob is a field of type Blob; the zero one is left out.
func blob(f *wire.Fields, n int, b *Blob) {
	var list []Blob
	if *b != (Blob{}) {
		list = []Blob{*b}
	}
	wire.Messages(f, n, &list, (*Blob).fields)
	if len(list) > 0 {
		*b = list[len(list)-1]
	}
}

func (q *ConnectRequest) fields(f *wire.Fields) {
	f.Text(1, &q.URL)
	wire.Messages(f, 2, &q.Headers, (*Header).fields)
	f.Text(3, &q.Helper)
	f.Text(4, &q.CA)
	f.Text(5, &q.Cert)
	f.Text(6, &q.Key)
	f.Text(7, &q.ServerName)
	f.Bool(8, &q.Insecure)
	f.Bool(9, &q.Push)
	f.Text(10, &q.Local)
	f.Text(11, &q.Run)
	f.Bool(12, &q.Remote)
}

func (c *Connection) fields(f *wire.Fields) {
	f.Text(1, &c.Off)
	f.Text(2, &c.Server)
	f.Text(3, &c.API)
	f.Int(4, &c.MaxBatch)
	f.Int(5, &c.MaxBlob)
	f.Bool(6, &c.Zstd)
	f.Bool(7, &c.Reads)
	f.Bool(8, &c.Writes)
	f.Texts(9, &c.Warnings)
	f.Bool(10, &c.Executes)
}

func (q *LookupRequest) fields(f *wire.Fields) {
	blob(f, 1, &q.Action)
	f.Text(2, &q.Task)
	f.Bool(3, &q.Remote)
}

func (a *Found) fields(f *wire.Fields) {
	lookup := uint64(a.Lookup)
	f.Uint(1, &lookup)
	f.Bytes(2, &a.Result)
	blob(f, 3, &a.Large)
	f.Texts(4, &a.Warnings)
	if lookup < uint64(lookups) {
		a.Lookup = Lookup(lookup)
	}
}

func (q *FetchRequest) fields(f *wire.Fields) {
	wire.Messages(f, 1, &q.Blobs, (*Blob).fields)
	f.Text(2, &q.Task)
	f.Bool(3, &q.Remote)
}

func (a *Fetched) fields(f *wire.Fields) {
	wire.Messages(f, 1, &a.Missing, (*Blob).fields)
	f.Text(2, &a.Problem)
	f.Texts(3, &a.Warnings)
}

func (q *StoreRequest) fields(f *wire.Fields) {
	f.Text(1, &q.Task)
	blob(f, 2, &q.Action)
	f.Bytes(3, &q.Message)
	f.Bytes(4, &q.Command)
	f.Bytes(5, &q.Result)
	blob(f, 6, &q.Large)
}

func (a *Stored) fields(f *wire.Fields) {
	f.Bool(1, &a.Accepted)
	f.Texts(2, &a.Warnings)
}

func (q *FlushRequest) fields(f *wire.Fields) {
	f.Int(1, (*int64)(&q.Limit))
	f.Bool(2, &q.Remote)
}

func (a *Totals) fields(f *wire.Fields) {
	f.Int(1, &a.Pushed)
	f.Int(2, &a.Pending)
	f.Int(3, &a.Up)
	f.Int(4, &a.Down)
	f.Texts(5, &a.Warnings)
}

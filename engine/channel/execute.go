package channel

import (
	"time"

	"github.com/weftrun/weft/internal/wire"
)

// MaxInputs is the maximum number of inputs in one request, and MaxInputBytes that of the bytes of their
// contents and paths: such a request fits into a frame.
const (
	MaxInputs     = 10_000
	MaxInputBytes = 4 << 20
)

// Input is a blob that an Action needs. Without Data and Path it is in the local cache, or was made
// by another Action on the server.
type Input struct {
	Blob Blob
	Data []byte // its content
	Path string // of a file with this content, absolute
}

// UploadRequest requests that the server of remote execution has inputs of an Action, at most MaxInputs.
type UploadRequest struct {
	Action Blob
	Task   string // the name of the task, for the server's log
	Inputs []Input
	Again  bool // what is known about the server's blobs was wrong
}

// Uploaded is the answer to an UploadRequest.
type Uploaded struct {
	Failure  Failure
	Warnings []string // see Connection
}

// ExecuteRequest requests that an Action, all of whose blobs the server has, is executed. Its answer
// follows after any number of stages. Cancelling it cancels the execution.
type ExecuteRequest struct {
	Action     Blob
	Task       string        // the name of the task, and
	Profile    string        // that of its profile, for the server's log
	SkipLookup bool          // the server is not to answer with a result that it has
	Limit      time.Duration // of the Action, once a worker has it; 0: none
}

// Stage is where an Action is on the server.
type Stage uint8

// The values of Stage.
const (
	Queued Stage = iota + 1
	Executing
	stages
)

// FailureClass says what follows from a Failure.
type FailureClass uint8

// The values of FailureClass.
const (
	NoFailure      FailureClass = iota
	Infrastructure              // the server, or the connection, does not work now
	Refused                     // the server will never execute it: credentials, platform, time limit
	Missing                     // the server does not have all inputs
	OverTime                    // a worker has stopped it because of its time limit
	Changed                     // the content of an input is not what its digest was computed of
	Lost                        // inputs without Data and Path are neither there nor in the local cache
	failureClasses
)

// Failure is why an Action was not executed.
type Failure struct {
	Class FailureClass
	// Text is what the server, or the system, says, without credentials. It must be escaped.
	Text string
}

// Executed is the answer to an ExecuteRequest. Without a Failure, the command has ended.
type Executed struct {
	Failure Failure
	Exit    int64 // exit status of the command
	// Result, or Large if it has more than MaxInline bytes, is the message that the command has left as the
	// file .weft/out/result, if Exit is 0; see Found.
	Result []byte
	Large  Blob
	// Stdout and Stderr are what a command that has failed has written. They are in the local cache.
	Stdout, Stderr Blob
	Found          bool     // the server has had the result
	Worker         string   // that has executed it, as the server calls it, without credentials. It must be escaped.
	Warnings       []string // see Connection
}

func (i *Input) fields(f *wire.Fields) {
	blob(f, 1, &i.Blob)
	f.Bytes(2, &i.Data)
	f.Text(3, &i.Path)
}

func (q *UploadRequest) fields(f *wire.Fields) {
	blob(f, 1, &q.Action)
	f.Text(2, &q.Task)
	wire.Messages(f, 3, &q.Inputs, (*Input).fields)
	f.Bool(4, &q.Again)
}

func (a *Failure) fields(f *wire.Fields) {
	class := uint64(a.Class)
	f.Uint(1, &class)
	f.Text(2, &a.Text)
	if a.Class = Infrastructure; class < uint64(failureClasses) {
		a.Class = FailureClass(class)
	}
}

// failure is a field of type Failure; the zero one is left out.
func failure(f *wire.Fields, n int, a *Failure) {
	var list []Failure
	if *a != (Failure{}) {
		list = []Failure{*a}
	}
	wire.Messages(f, n, &list, (*Failure).fields)
	if len(list) > 0 {
		*a = list[len(list)-1]
	}
}

func (a *Uploaded) fields(f *wire.Fields) {
	failure(f, 1, &a.Failure)
	f.Texts(2, &a.Warnings)
}

func (q *ExecuteRequest) fields(f *wire.Fields) {
	blob(f, 1, &q.Action)
	f.Text(2, &q.Task)
	f.Text(3, &q.Profile)
	f.Bool(4, &q.SkipLookup)
	f.Int(5, (*int64)(&q.Limit))
}

func (s *Stage) fields(f *wire.Fields) {
	stage := uint64(*s)
	f.Uint(1, &stage)
	if stage < uint64(stages) {
		*s = Stage(stage)
	}
}

func (a *Executed) fields(f *wire.Fields) {
	failure(f, 1, &a.Failure)
	f.Int(2, &a.Exit)
	f.Bytes(3, &a.Result)
	blob(f, 4, &a.Large)
	blob(f, 5, &a.Stdout)
	blob(f, 6, &a.Stderr)
	f.Bool(7, &a.Found)
	f.Texts(8, &a.Warnings)
	f.Text(9, &a.Worker)
}

package serve

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"syscall"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// reason is the reason for refusing a call. Its text is the label of a metric.
type reason string

const (
	malformed     reason = "malformed"      // what the client sent
	wrongContent  reason = "wrong-content"  // bytes that do not match their digest
	absent        reason = "absent"         // what was asked for
	incomplete    reason = "incomplete"     // a result names blobs that are not here
	unknownCaller reason = "unknown-caller" // without a token, or with one that is not known
	noRight       reason = "no-right"       // a caller that is known
	foreignPage   reason = "foreign-page"   // a web page may have sent it
	tooLarge      reason = "too-large"
	badRange      reason = "bad-range"
	full          reason = "full" // the disk
	busy          reason = "busy" // too many calls or connections
	taken         reason = "taken"
	stopping      reason = "stopping"
	unsupported   reason = "unsupported"
	internal      reason = "internal"
)

// answers returns what the two protocols have for a reason.
func (r reason) answers() (codes.Code, int) {
	switch r {
	case malformed, wrongContent:
		return codes.InvalidArgument, http.StatusBadRequest
	case absent:
		return codes.NotFound, http.StatusNotFound
	case incomplete:
		return codes.FailedPrecondition, http.StatusBadRequest
	case unknownCaller:
		return codes.Unauthenticated, http.StatusUnauthorized
	case noRight, foreignPage:
		return codes.PermissionDenied, http.StatusForbidden
	case tooLarge:
		return codes.InvalidArgument, http.StatusRequestEntityTooLarge
	case badRange:
		return codes.OutOfRange, http.StatusRequestedRangeNotSatisfiable
	case full:
		return codes.ResourceExhausted, http.StatusInsufficientStorage
	case busy:
		return codes.ResourceExhausted, http.StatusServiceUnavailable
	case taken:
		return codes.Aborted, http.StatusConflict
	case stopping:
		return codes.Unavailable, http.StatusServiceUnavailable
	case unsupported:
		return codes.Unimplemented, http.StatusMethodNotAllowed
	}
	return codes.Internal, http.StatusInternalServerError
}

// refusal is the error of a call that is refused. Its text is sent to the client.
type refusal struct {
	why  reason
	text string
}

func (r *refusal) Error() string { return r.text }

// refuse returns a refusal.
func refuse(why reason, format string, args ...any) error {
	return &refusal{why, fmt.Sprintf(format, args...)}
}

// reasonOf returns why a call fails with err. What is not a refusal is an error of this machine,
// unless the client went away, for which ok is false.
func reasonOf(err error) (why reason, ok bool) {
	var r *refusal
	switch {
	case errors.As(err, &r):
		return r.why, true
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return full, true
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
		return busy, true
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return "", false
	}
	if s, ok := status.FromError(err); ok && s.Code() != codes.Unknown {
		return "", false // of the connection
	}
	return internal, true
}

// statusOf returns err as gRPC sends it. The text of an error of this machine, which may have
// paths in it, is for the log alone.
func statusOf(err error) error {
	if err == nil {
		return nil
	}
	why, ok := reasonOf(err)
	if !ok {
		if s, ok := status.FromError(err); ok {
			return s.Err()
		}
		return status.FromContextError(err).Err()
	}
	code, _ := why.answers()
	return status.Error(code, publicText(err, why))
}

// publicText returns what a client is told of err.
func publicText(err error, why reason) string {
	var r *refusal
	switch {
	case errors.As(err, &r):
		return r.text
	case why == full:
		return "the disk of the server is full"
	case why == busy:
		return "the server has too many open files"
	}
	return "the server has failed: see its log"
}

package client

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"syscall"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// class is what follows from a failure. It is decided by status codes, never by texts.
type class uint8

const (
	refused     class = iota // this call will never succeed
	passing                  // the server or the connection has failed, and may soon work again
	unreachable              // no connection could be made
	late                     // there was no answer in time
	absent                   // what was asked for does not exist
	full                     // too much for the server, at once or at all
	denied                   // the credentials are missing, wrong or do not suffice
	unsupported              // the server does not have this call
	broken                   // the server has sent something else than it was asked for
)

// Failure is the error of an attempt.
type Failure struct {
	Class class
	Tries int           // how many attempts a call that fails like this has, in all
	After time.Duration // how long the server wants the client to wait; 0: it does not say
	// Text is what the server, or the system, says. It may hold anything.
	Text string
	Err  error // the cause, or nil
}

// Error implements error.
func (f *Failure) Error() string { return f.Text }

// Unwrap returns the cause.
func (f *Failure) Unwrap() error { return f.Err }

// classOf returns the class of an attempt's error. ok is false if it is no Failure.
func classOf(err error) (c class, ok bool) {
	var f *Failure
	if errors.As(err, &f) {
		return f.Class, true
	}
	return 0, false
}

// is reports whether an attempt failed with a class.
func is(err error, c class) bool {
	got, ok := classOf(err)
	return ok && got == c
}

// maxAfter is the longest time that a server can make the client wait.
const maxAfter = 30 * time.Second

// rpcClasses are the classes of gRPC's codes; those that are not listed are refused.
var rpcClasses = map[codes.Code]class{
	codes.Unavailable:       passing,
	codes.Aborted:           passing,
	codes.Internal:          passing,
	codes.Canceled:          passing, // not by us: see rpcFailure
	codes.DeadlineExceeded:  late,
	codes.NotFound:          absent,
	codes.ResourceExhausted: full,
	codes.Unauthenticated:   denied,
	codes.PermissionDenied:  denied,
	codes.Unimplemented:     unsupported,
}

// rpcTries and webTries are how many attempts a call has that fails with a class; those that are not
// listed have one.
var rpcTries, webTries = [...]int{passing: 5, late: 2, broken: 2}, [...]int{passing: 3, late: 2, broken: 2}

// triesOf returns the entry of a class; 1 if it has none.
func triesOf(table []int, c class) int {
	if int(c) < len(table) && table[c] > 0 {
		return table[c]
	}
	return 1
}

// rpcFailure returns the error of a gRPC call whose context is ctx.
func rpcFailure(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return ended(ctx)
	}
	s := status.Convert(err)
	return statusFailure(s, err)
}

// statusFailure returns the Failure that a status tells of.
func statusFailure(s *status.Status, err error) *Failure {
	c := rpcClasses[s.Code()]
	f := &Failure{Class: c, Tries: triesOf(rpcTries[:], c), Text: fmt.Sprintf("%s: %s", spoken(s.Code()), s.Message()), Err: err}
	if s.Message() == "" {
		f.Text = spoken(s.Code())
	}
	for _, d := range s.Details() {
		if r, ok := d.(*errdetails.RetryInfo); ok && r.GetRetryDelay() != nil {
			f.After = min(max(r.GetRetryDelay().AsDuration(), 0), maxAfter)
		}
	}
	return f
}

// spoken returns a code in words.
func spoken(c codes.Code) string {
	if s, ok := codeNames[c]; ok {
		return s
	}
	return "error " + strconv.Itoa(int(c))
}

var codeNames = map[codes.Code]string{
	codes.Canceled: "cancelled", codes.Unknown: "unknown error", codes.InvalidArgument: "invalid argument",
	codes.DeadlineExceeded: "too late", codes.NotFound: "not found", codes.AlreadyExists: "already there",
	codes.PermissionDenied: "permission denied", codes.ResourceExhausted: "resource exhausted",
	codes.FailedPrecondition: "failed precondition", codes.Aborted: "aborted", codes.OutOfRange: "out of range",
	codes.Unimplemented: "not implemented", codes.Internal: "internal error", codes.Unavailable: "unavailable",
	codes.DataLoss: "data loss", codes.Unauthenticated: "not authenticated", codes.OK: "no error",
}

// ended returns the error of an attempt whose context is done: late if that is because of a time
// limit, otherwise the cause.
func ended(ctx context.Context) error {
	err := context.Cause(ctx)
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, errStalled) {
		return &Failure{Class: late, Tries: triesOf(rpcTries[:], late), Text: "no answer in time", Err: err}
	}
	return err
}

// webFailure returns the error of an HTTP request, whose context is ctx, that has no answer, or
// whose answer was cut off.
func webFailure(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return ended(ctx)
	}
	var f *Failure
	if errors.As(err, &f) {
		return f
	}
	if d := new(dialError); errors.As(err, &d) {
		return unreached(d.err)
	}
	var certificate *tls.CertificateVerificationError
	var alert tls.AlertError
	if errors.As(err, &certificate) || errors.As(err, &alert) {
		return unreached(err)
	}
	c := passing
	if t := net.Error(nil); errors.As(err, &t) && t.Timeout() {
		c = late
	}
	return &Failure{Class: c, Tries: triesOf(webTries[:], c), Text: reason(err), Err: err}
}

// answerFailure returns the Failure of an answer that is not a success, and has a text.
func answerFailure(a *http.Response, text string) *Failure {
	var c class
	switch code := a.StatusCode; {
	case code == http.StatusRequestTimeout, code == http.StatusTooManyRequests:
		c = passing
	case code == http.StatusUnauthorized, code == http.StatusForbidden:
		c = denied
	case code == http.StatusNotFound, code == http.StatusGone:
		c = absent
	case code == http.StatusMethodNotAllowed, code == http.StatusNotImplemented:
		c = unsupported
	case code == http.StatusRequestEntityTooLarge, code == http.StatusInsufficientStorage:
		c = full
	case code >= 500:
		c = passing
	}
	f := &Failure{Class: c, Tries: triesOf(webTries[:], c), Text: strconv.Itoa(a.StatusCode)}
	if s := http.StatusText(a.StatusCode); s != "" {
		f.Text += " " + s
	}
	if text != "" {
		f.Text += ": " + text
	}
	if n, err := strconv.Atoi(a.Header.Get("Retry-After")); err == nil && n > 0 {
		f.After = min(time.Duration(n)*time.Second, maxAfter)
	}
	return f
}

// dialError is the error of a connection that could not be made.
type dialError struct{ err error }

func (e *dialError) Error() string { return e.err.Error() }
func (e *dialError) Unwrap() error { return e.err }

// unreached returns the Failure of a call for which no connection could be made.
func unreached(err error) *Failure {
	return &Failure{Class: unreachable, Tries: 1, Text: reason(err), Err: err}
}

// reason returns why a connection failed, without what the message says anyway.
func reason(err error) string {
	var errno syscall.Errno
	var dns *net.DNSError
	var certificate *tls.CertificateVerificationError
	switch {
	case errors.As(err, &errno):
		return errno.Error()
	case errors.As(err, &dns):
		return "no such host: " + dns.Name
	case errors.As(err, &certificate):
		return certificate.Error()
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded):
		return "no answer in time"
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return "the connection was closed"
	}
	return err.Error()
}

// wrong returns the Failure of an answer that does not fit its question.
func wrong(format string, args ...any) *Failure {
	return &Failure{Class: broken, Tries: triesOf(rpcTries[:], broken), Text: fmt.Sprintf(format, args...)}
}

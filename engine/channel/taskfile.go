package channel

import (
	"time"

	"github.com/weftrun/weft/internal/wire"
)

// TaskfileRequest requests one remote file.
type TaskfileRequest struct {
	// URL is that of an HTTP or git file, with its credentials; see package taskurl.
	URL string
	// Names are tried in turn below a URL that is not itself a Taskfile, and in
	// a directory of a git repository.
	Names []string
	// ETag is that of weft's copy, or for git its commit; the answer may then be NotModified. ""
	// requests the content.
	ETag string
	// Insecure allows http:, never a certificate that is not valid.
	Insecure bool
	// CACert, Cert and CertKey are paths of PEM files, absolute: the authority to trust instead of
	// the system's, and a client certificate. "" is none.
	CACert, Cert, CertKey string
	// Timeout is for this file, from when its turn has come. Zero is no limit.
	Timeout time.Duration
	// MaxBytes is the limit of the unpacked content; zero and values above MaxTaskfile mean
	// MaxTaskfile.
	MaxBytes int64
	// RedirectHosts are the hosts, as in a URL with the port if it has one, that
	// the server may redirect to, beside its own.
	RedirectHosts []string
	// Headers are sent to the URL's host alone. Values are templates without
	// variables; the second program expands them, and does not tell the results.
	Headers []Header
}

// Header is one line of an HTTP request.
type Header struct {
	Name, Value string
}

// MaxTaskfile is the largest content of one file, in bytes.
const MaxTaskfile = 4 << 20

// Taskfile is the answer to a TaskfileRequest.
type Taskfile struct {
	// Body is the content; nil if NotModified. It belongs to the receiver.
	Body []byte
	// URL is the final source of the content, after redirects and with the name that was found. It
	// may hold credentials.
	URL string
	// Name is which of the request's Names was found; "" is the URL itself.
	Name string
	// ETag is to be sent with the next request; "" is none.
	ETag string
	// NotModified means that the copy with the request's ETag is still current.
	NotModified bool
	// Commit is that of the git repository, in full; "" for HTTP.
	Commit string
}

// Kind is the reason for a failed request.
type Kind uint8

// The kinds of Error. Unknown is a kind that only the other program knows.
const (
	Unknown      Kind = iota
	Unreachable       // no connection, or it was broken before the end
	TimedOut          // the request's Timeout was over
	NotFound          // there is no such file: 404, 410, or no such path in the commit
	Unauthorized      // 401
	BadStatus         // another Status than 200
	Insecure          // http: without Insecure, at the URL or where it redirects to
	TooLarge          // more than MaxBytes
	BadType           // its content type is not that of a Taskfile
	Redirect          // to URL, whose host is not among RedirectHosts; or too often, then URL is ""
	Certificate       // no trusted certificate, or certificate files of the request are not valid
	Git               // git failed or is missing, or the path is refused
	Invalid           // the request itself is not valid: its URL, ref or header
	kinds
)

var kindNames = [kinds]string{"unknown", "unreachable", "timed out", "not found", "unauthorized", "bad status", "insecure", "too large", "bad type", "redirect", "certificate", "git", "invalid"}

// String returns the kind in words, for logs and tests.
func (k Kind) String() string {
	if k >= kinds {
		k = Unknown
	}
	return kindNames[k]
}

// Error is the error of a request without an answer. Its texts come from this program or from a
// server, so they must be escaped before they are shown; no header value and no password is among
// them.
type Error struct {
	Kind Kind
	// Text describes the error, without the URL. It may be "".
	Text string
	// Status is the server's, for the kinds NotFound, Unauthorized and
	// BadStatus; else 0.
	Status int
	// URL is where it was redirected to, for the kinds Redirect and Insecure, else
	// "". It may hold credentials.
	URL string
}

func (e *Error) Error() string {
	if e.Text == "" {
		return e.Kind.String()
	}
	return e.Text
}

func (q *TaskfileRequest) fields(f *wire.Fields) {
	f.Text(1, &q.URL)
	f.Texts(2, &q.Names)
	f.Text(3, &q.ETag)
	f.Bool(4, &q.Insecure)
	f.Text(5, &q.CACert)
	f.Text(6, &q.Cert)
	f.Text(7, &q.CertKey)
	f.Int(8, (*int64)(&q.Timeout))
	f.Int(9, &q.MaxBytes)
	f.Texts(10, &q.RedirectHosts)
	wire.Messages(f, 11, &q.Headers, (*Header).fields)
}

func (h *Header) fields(f *wire.Fields) {
	f.Text(1, &h.Name)
	f.Text(2, &h.Value)
}

func (t *Taskfile) fields(f *wire.Fields) {
	f.Bytes(1, &t.Body)
	f.Text(2, &t.URL)
	f.Text(3, &t.Name)
	f.Text(4, &t.ETag)
	f.Bool(5, &t.NotModified)
	f.Text(6, &t.Commit)
}

func (e *Error) fields(f *wire.Fields) {
	kind, status := uint64(e.Kind), int64(e.Status)
	f.Uint(1, &kind)
	f.Text(2, &e.Text)
	f.Int(3, &status)
	f.Text(4, &e.URL)
	if e.Status = int(status); kind < uint64(kinds) {
		e.Kind = Kind(kind)
	}
}

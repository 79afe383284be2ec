package channel

import (
	"time"

	"github.com/weftrun/weft/internal/wire"
)

// TaskfileRequest asks for one remote file.
type TaskfileRequest struct {
	// URL is that of an HTTP or git file, with its credentials; package taskurl
	// says which are which.
	URL string
	// Names are tried in turn below a URL that is not itself a Taskfile, and in
	// a directory of a git repository.
	Names []string
	// ETag is that of the copy the asker has, or for git its commit; the answer
	// may then be NotModified. "" asks for the content.
	ETag string
	// Insecure allows http:, never a certificate that is not valid.
	Insecure bool
	// CACert, Cert and CertKey are paths of PEM files, absolute: the authority
	// to believe in place of the system's, and a client certificate. "" is none.
	CACert, Cert, CertKey string
	// Timeout is for this file, from when its turn has come. Zero is no limit.
	Timeout time.Duration
	// MaxBytes is the limit of the content, unpacked; zero means, and more than
	// that is taken for, MaxTaskfile.
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
	// URL is where the content came from at last, after redirects and with the
	// name that was found. It may hold credentials.
	URL string
	// Name is which of the request's Names was found; "" is the URL itself.
	Name string
	// ETag is to be sent with the next request; "" is none.
	ETag string
	// NotModified tells that what the request's ETag stands for is still right.
	NotModified bool
	// Commit is that of the git repository, in full; "" for HTTP.
	Commit string
}

// Kind is why a request failed.
type Kind uint8

// The kinds of Error. Unknown is one that the other program has and this one
// has not.
const (
	Unknown      Kind = iota
	Unreachable       // no connection, or it broke off before the end
	TimedOut          // the request's Timeout was over
	NotFound          // there is no such file: 404, 410, or no such path in the commit
	Unauthorized      // 401
	BadStatus         // another Status than 200
	Insecure          // http: without Insecure, at the URL or where it redirects to
	TooLarge          // more than MaxBytes
	BadType           // what is there is no Taskfile by its content type
	Redirect          // to URL, whose host is not among RedirectHosts; or too often, then URL is ""
	Certificate       // no certificate that is believed, or files of the request that hold none
	Git               // git failed, is not there, or the path is one that is refused
	Invalid           // the request itself cannot be: its URL, ref or header
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

// Error is why a request got no answer. It is one of this program's or of a
// server's making, so its texts are to be made safe before they are shown; no
// header value and no password is among them.
type Error struct {
	Kind Kind
	// Text says what happened, in words, without the URL. It may be "".
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

func (q *TaskfileRequest) encode(b []byte) []byte {
	b = wire.AppendText(b, 1, q.URL)
	for _, n := range q.Names {
		b = wire.AppendElement(b, 2, n)
	}
	b = wire.AppendText(b, 3, q.ETag)
	b = wire.AppendBool(b, 4, q.Insecure)
	b = wire.AppendText(b, 5, q.CACert)
	b = wire.AppendText(b, 6, q.Cert)
	b = wire.AppendText(b, 7, q.CertKey)
	b = wire.AppendInt(b, 8, int64(q.Timeout))
	b = wire.AppendInt(b, 9, q.MaxBytes)
	for _, h := range q.RedirectHosts {
		b = wire.AppendElement(b, 10, h)
	}
	for _, h := range q.Headers {
		b = wire.AppendMessage(b, 11, h.encode)
	}
	return b
}

func (q *TaskfileRequest) decode(b []byte) error {
	d := wire.NewDecoder(b)
	for d.Next() {
		switch d.Field() {
		case 1:
			q.URL = d.String()
		case 2:
			q.Names = append(q.Names, d.String())
		case 3:
			q.ETag = d.String()
		case 4:
			q.Insecure = d.Bool()
		case 5:
			q.CACert = d.String()
		case 6:
			q.Cert = d.String()
		case 7:
			q.CertKey = d.String()
		case 8:
			q.Timeout = time.Duration(d.Int())
		case 9:
			q.MaxBytes = d.Int()
		case 10:
			q.RedirectHosts = append(q.RedirectHosts, d.String())
		case 11:
			var h Header
			if err := h.decode(d.Bytes()); err != nil {
				return err
			}
			q.Headers = append(q.Headers, h)
		}
	}
	return d.Err()
}

func (h *Header) encode(b []byte) []byte {
	return wire.AppendText(wire.AppendText(b, 1, h.Name), 2, h.Value)
}

func (h *Header) decode(b []byte) error {
	d := wire.NewDecoder(b)
	for d.Next() {
		switch d.Field() {
		case 1:
			h.Name = d.String()
		case 2:
			h.Value = d.String()
		}
	}
	return d.Err()
}

func (t *Taskfile) encode(b []byte) []byte {
	b = wire.AppendText(b, 1, t.Body)
	b = wire.AppendText(b, 2, t.URL)
	b = wire.AppendText(b, 3, t.Name)
	b = wire.AppendText(b, 4, t.ETag)
	b = wire.AppendBool(b, 5, t.NotModified)
	return wire.AppendText(b, 6, t.Commit)
}

func (t *Taskfile) decode(b []byte) error {
	d := wire.NewDecoder(b)
	for d.Next() {
		switch d.Field() {
		case 1:
			t.Body = d.Bytes()
		case 2:
			t.URL = d.String()
		case 3:
			t.Name = d.String()
		case 4:
			t.ETag = d.String()
		case 5:
			t.NotModified = d.Bool()
		case 6:
			t.Commit = d.String()
		}
	}
	return d.Err()
}

func (e *Error) encode(b []byte) []byte {
	b = wire.AppendUint(b, 1, uint64(e.Kind))
	b = wire.AppendText(b, 2, e.Text)
	b = wire.AppendInt(b, 3, int64(e.Status))
	return wire.AppendText(b, 4, e.URL)
}

func (e *Error) decode(b []byte) error {
	d := wire.NewDecoder(b)
	for d.Next() {
		switch d.Field() {
		case 1:
			if k := d.Uint(); k < uint64(kinds) {
				e.Kind = Kind(k)
			}
		case 2:
			e.Text = d.String()
		case 3:
			e.Status = int(d.Int())
		case 4:
			e.URL = d.String()
		}
	}
	return d.Err()
}

package fetch

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/weftrun/weft/engine/channel"
	"github.com/weftrun/weft/internal/taskurl"
)

// contentTypes are the types of a URL that is itself a Taskfile. If the name is one of a
// Taskfile, the type does not matter.
var contentTypes = [...]string{
	"text/plain", "text/yaml", "text/x-yaml", "application/yaml", "application/x-yaml", "application/octet-stream",
}

// maxRedirects is the maximum number of redirects of a request.
const maxRedirects = 10

// maxETag is the length of the longest ETag that is kept, in bytes.
const maxETag = 1024

// overHTTP fetches the file at u, or the first of q.Names below it.
func (r *Room) overHTTP(ctx context.Context, q *channel.TaskfileRequest, u *taskurl.URL) (*channel.Taskfile, error) {
	headers, err := expandHeaders(ctx, q.Headers)
	if err != nil {
		return nil, err
	}
	origin, err := url.Parse(u.String())
	if err != nil {
		return nil, &channel.Error{Kind: channel.Invalid, Text: "the URL cannot be read"}
	}
	client, err := r.client(q, origin, headers)
	if err != nil {
		return nil, err
	}
	t, problem := get(ctx, client, q, origin, "")
	if !mayBeDirectory(problem) {
		return t, problem
	}
	for _, name := range q.Names {
		at, err := url.Parse(u.Join(name).String())
		if err != nil {
			return nil, &channel.Error{Kind: channel.Invalid, Text: fmt.Sprintf("no URL with the name %q", name)}
		}
		if t, err := get(ctx, client, q, at, name); !mayBeDirectory(err) {
			return t, err
		}
	}
	return nil, problem
}

// mayBeDirectory reports whether there may be a Taskfile below a URL for which the server has
// returned err.
func mayBeDirectory(err error) bool {
	e, ok := errors.AsType[*channel.Error](err)
	if !ok {
		return false
	}
	switch e.Kind {
	case channel.NotFound, channel.BadType:
		return true
	case channel.BadStatus:
		// 407: a proxy wants a password; 429: too many requests.
		return e.Status/100 == 4 && e.Status != http.StatusProxyAuthRequired && e.Status != http.StatusTooManyRequests
	}
	return false
}

// get makes one request. name is the one of q.Names at the end of the URL.
func get(ctx context.Context, client *http.Client, q *channel.TaskfileRequest, at *url.URL, name string) (*channel.Taskfile, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at.String(), nil)
	if err != nil {
		return nil, &channel.Error{Kind: channel.Invalid, Text: "the URL cannot be read"}
	}
	req.Header.Set("User-Agent", "weft")
	if validETag(q.ETag) {
		req.Header.Set("If-None-Match", q.ETag)
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, problem(err)
	}
	defer resp.Body.Close()
	t := &channel.Taskfile{URL: resp.Request.URL.String(), Name: name}
	if etag := resp.Header.Get("ETag"); validETag(etag) {
		t.ETag = etag
	}
	switch {
	case resp.StatusCode == http.StatusNotModified && req.Header.Get("If-None-Match") != "":
		t.NotModified, t.ETag = true, cmp.Or(t.ETag, q.ETag)
		return t, nil
	case resp.StatusCode != http.StatusOK:
		return nil, badStatus(resp.StatusCode)
	case name == "" && !isTaskfile(resp.Header.Get("Content-Type")):
		return nil, &channel.Error{Kind: channel.BadType, Text: fmt.Sprintf("its content type is %q", cut(resp.Header.Get("Content-Type"), 100))}
	case resp.Header.Get("Content-Encoding") != "":
		return nil, &channel.Error{Kind: channel.BadType, Text: fmt.Sprintf("it is encoded as %q", cut(resp.Header.Get("Content-Encoding"), 100))}
	case resp.ContentLength > q.MaxBytes:
		return nil, tooLarge(q.MaxBytes)
	}
	// The limit applies to the content after decompression.
	t.Body, err = io.ReadAll(io.LimitReader(resp.Body, q.MaxBytes+1))
	switch {
	case int64(len(t.Body)) > q.MaxBytes:
		return nil, tooLarge(q.MaxBytes)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return nil, &channel.Error{Kind: channel.Unreachable, Text: "the response was cut off"}
	case err != nil:
		return nil, problem(err)
	case ctx.Err() != nil:
		// A server that notices the closed connection may end its answer properly.
		return nil, problem(context.Cause(ctx))
	}
	return t, nil
}

// validETag reports whether a text is valid as an ETag.
func validETag(s string) bool {
	return s != "" && len(s) <= maxETag && strings.IndexFunc(s, func(r rune) bool { return r < ' ' || r > '~' }) < 0
}

func isTaskfile(contentType string) bool {
	return slices.ContainsFunc(contentTypes[:], func(t string) bool { return strings.Contains(strings.ToLower(contentType), t) })
}

func badStatus(status int) *channel.Error {
	e := &channel.Error{Kind: channel.BadStatus, Text: strings.TrimSpace(fmt.Sprintf("%d %s", status, http.StatusText(status))), Status: status}
	switch status {
	case http.StatusNotFound, http.StatusGone:
		e.Kind = channel.NotFound
	case http.StatusUnauthorized:
		e.Kind = channel.Unauthorized
	}
	return e
}

// cut returns the first n bytes of a text at most.
func cut(text string, n int) string {
	if len(text) > n {
		text = strings.ToValidUTF8(text[:n], "") + "…"
	}
	return text
}

// redirects returns the policy for a request to origin: at most maxRedirects, only to hosts
// that are allowed, and to http: only if that is allowed.
func redirects(q *channel.TaskfileRequest, origin *url.URL) func(*http.Request, []*http.Request) error {
	return func(next *http.Request, via []*http.Request) error {
		to := next.URL
		switch {
		case len(via) > maxRedirects:
			return &channel.Error{Kind: channel.Redirect, Text: fmt.Sprintf("more than %d redirects", maxRedirects)}
		case to.Scheme == "http" && !q.Insecure:
			return &channel.Error{Kind: channel.Insecure, Text: "it redirects to a connection that is not encrypted", URL: to.String()}
		case to.Scheme != "http" && to.Scheme != "https" || to.Host == "":
			return &channel.Error{Kind: channel.Redirect, Text: "it redirects to an unsupported URL"}
		case !sameHost(to, origin) && !slices.Contains(q.RedirectHosts, to.Host):
			return &channel.Error{Kind: channel.Redirect, Text: fmt.Sprintf("it redirects to another host, %s", cut(to.Host, 300)), URL: to.String()}
		}
		return nil
	}
}

func sameHost(a, b *url.URL) bool { return strings.EqualFold(a.Host, b.Host) }

package fetch

import (
	"context"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/weftrun/weft/engine/channel"
	"github.com/weftrun/weft/internal/taskurl"
)

// remote is a repository as it is passed to git.
type remote struct {
	url    string // without a password, which all users of the machine could read
	header string // with the password, for an environment; "" is none
	host   string // the header's
}

// remoteOf returns the repository of a URL, with the password in a header.
func remoteOf(repository string) remote {
	u, err := url.Parse(repository)
	if err != nil || u.User == nil || u.Scheme != "https" && u.Scheme != "http" {
		return remote{url: repository}
	}
	password, set := u.User.Password()
	if !set {
		return remote{url: repository} // a name that credential helpers go by
	}
	header := "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(u.User.Username()+":"+password))
	u.User = nil
	return remote{url: u.String(), header: header, host: u.Scheme + "://" + u.Host + "/"}
}

// environ returns the variables of git's configuration that carry the header,
// behind those that environ has.
func (r remote) environ(environ []string) []string {
	if r.header == "" {
		return nil
	}
	n := 0
	for _, kv := range environ {
		if v, ok := strings.CutPrefix(kv, "GIT_CONFIG_COUNT="); ok {
			n, _ = strconv.Atoi(v)
		}
	}
	i := strconv.Itoa(n)
	return []string{
		"GIT_CONFIG_COUNT=" + strconv.Itoa(n+1),
		"GIT_CONFIG_KEY_" + i + "=http." + r.host + ".extraHeader",
		"GIT_CONFIG_VALUE_" + i + "=" + r.header,
	}
}

// remoteEnviron returns the variables for a request's options about connections.
func remoteEnviron(q *channel.TaskfileRequest) []string {
	protocols := "https:ssh"
	if q.Insecure {
		protocols += ":http"
	}
	environ := []string{"GIT_ALLOW_PROTOCOL=" + protocols}
	for _, v := range [...]struct{ name, value string }{{"GIT_SSL_CAINFO", q.CACert}, {"GIT_SSL_CERT", q.Cert}, {"GIT_SSL_KEY", q.CertKey}} {
		if v.value != "" {
			environ = append(environ, v.name+"="+v.value)
		}
	}
	return environ
}

// discovery is the end of the first URL that git requests of a repository.
const discovery = "/info/refs?service=git-upload-pack"

// moved reports whether git has failed because of a redirect, which it must not follow.
func moved(err error) bool {
	var e *channel.Error
	if !errors.As(err, &e) {
		return false
	}
	_, status, _ := strings.Cut(e.Text, "The requested URL returned error: ")
	return slices.Contains([]string{"301", "302", "303", "307", "308"}, status)
}

// follow returns where the repository of u has moved to. The rules for redirects of files
// apply.
func (r *Room) follow(ctx context.Context, q *channel.TaskfileRequest, u *taskurl.URL) (string, error) {
	origin, err := url.Parse(strings.TrimSuffix(u.Repository, "/") + discovery)
	if err != nil {
		return "", &channel.Error{Kind: channel.Invalid, Text: "the URL cannot be read"}
	}
	client, err := r.client(q, origin, nil)
	if err != nil {
		return "", err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, origin.String(), nil)
	if err != nil {
		return "", &channel.Error{Kind: channel.Invalid, Text: "the URL cannot be read"}
	}
	req.Header.Set("User-Agent", "git/weft") // as servers tell a git from a browser
	resp, err := client.Do(req)
	if err != nil {
		return "", problem(err)
	}
	io.CopyN(io.Discard, resp.Body, 4096)
	resp.Body.Close()
	to := resp.Request.URL
	if sameHost(to, origin) && to.Scheme == origin.Scheme {
		to.User = origin.User
	}
	repository, found := strings.CutSuffix(to.String(), discovery)
	if !found {
		return "", &channel.Error{Kind: channel.Git, Text: "it redirects to something that is not a git repository"}
	}
	return repository, nil
}

// Package taskurl handles the locations of remote Taskfiles: it distinguishes URLs from paths, and
// parses, joins, names and shows URLs. It fetches nothing and trusts nothing.
//
//	https://HOST/DIR/Taskfile.yml                  one file, or a directory, by HTTP
//	https://HOST/REPO.git//DIR/Taskfile.yml?ref=X  one in a git repository
//	https://HOST/ORG/_git/REPO//…  ssh://…  git@HOST:REPO.git//…
package taskurl

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"path"
	"strings"
	"unicode"
)

// Kind is the way in which a file is fetched.
type Kind uint8

// The kinds of URL. None is a path on this machine, or anything unknown.
const (
	None Kind = iota
	HTTP
	Git
)

// URL is a remote place. It does not change.
type URL struct {
	Kind Kind
	// Repository is the URL for git, with credentials, and Path the file or directory in it, "" for
	// the root. Ref is the branch, tag or commit, "" for the default branch. They are empty for
	// HTTP.
	Repository, Path, Ref string

	u *url.URL // complete
}

// IsRemote reports whether a path of an include, or an entry point, names a place
// that is not on this machine. Such a text may still be invalid: see Parse.
func IsRemote(text string) bool {
	kind, _, _ := split(text)
	return kind != None
}

// split returns the kind of text. scp means that it has the form USER@HOST:PATH.
func split(text string) (kind Kind, u *url.URL, scp bool) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme == "" || !strings.Contains(text, "://") {
		if u = parseSCP(text); u == nil {
			return brokenKind(text, err), nil, false
		}
		scp = true
	}
	repository, _, _ := strings.Cut(u.Path, "//")
	isGit := strings.HasSuffix(repository, ".git") || strings.Contains(repository, "/_git/")
	switch {
	case scp && (isGit || u.User.Username() == "git"):
		return Git, u, true
	case scp:
		return None, nil, false
	case u.Scheme == "http" || u.Scheme == "https":
		if isGit {
			return Git, u, false
		}
		return HTTP, u, false
	case u.Scheme == "ssh" || u.Scheme == "git":
		return Git, u, false
	}
	return None, nil, false
}

// brokenKind returns the kind of a text that is not a URL because of err, by its beginning.
func brokenKind(text string, err error) Kind {
	scheme, _, found := strings.Cut(text, "://")
	if err == nil || !found {
		return None
	}
	switch strings.ToLower(scheme) {
	case "http", "https":
		return HTTP
	case "ssh", "git":
		return Git
	}
	return None
}

// parseSCP reads USER@HOST:PATH?QUERY, where USER@ may be missing; it returns
// nil if text is something else. A host of one letter is a drive.
func parseSCP(text string) *url.URL {
	place, query, _ := strings.Cut(text, "?")
	account, file, found := strings.Cut(place, ":")
	if !found || file == "" || file[0] == ':' || strings.HasPrefix(file, "//") { // git takes NAME:: for a program
		return nil
	}
	u := &url.URL{Scheme: "ssh", Host: account, Path: file, RawQuery: query}
	if user, host, found := strings.Cut(account, "@"); found {
		if !made(user, "-._~") {
			return nil
		}
		u.User, u.Host = url.User(user), host
	}
	if len(u.Host) < 2 || !made(u.Host, "-._") {
		return nil
	}
	return u
}

// made reports whether text consists of letters, digits and characters of others.
func made(text, others string) bool {
	for _, r := range text {
		if r >= unicode.MaxASCII || !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune(others, r) {
			return false
		}
	}
	return text != ""
}

// Parse reads the URL of a remote place. The error does not repeat the URL.
func Parse(text string) (*URL, error) {
	kind, u, scp := split(text)
	switch {
	case kind == None:
		return nil, errors.New("it is not the URL of a remote file")
	case u == nil:
		return nil, errors.New("the URL cannot be read")
	case u.Hostname() == "":
		return nil, errors.New("the URL has no host")
	case u.Host[0] == '-' || strings.HasPrefix(u.User.Username(), "-"):
		return nil, errors.New("a host or user cannot begin with a dash")
	}
	u.Fragment, u.RawFragment = "", ""
	r := &URL{Kind: kind, u: u}
	if kind == HTTP {
		return r, nil
	}
	repository, file, _ := strings.Cut(u.Path, "//")
	file, _, _ = strings.Cut(file, "//")
	r.Path = strings.Trim(file, "/")
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return nil, errors.New("the query of the URL cannot be read")
	}
	r.Ref = query.Get("ref")
	whole := *u
	whole.Path, whole.RawPath, whole.RawQuery, whole.ForceQuery = repository, "", "", false
	r.Repository = whole.String()
	if scp {
		// Unlike in a URL, the path need not begin at the server's root.
		r.Repository = u.Host + ":" + repository
		if u.User != nil {
			r.Repository = u.User.Username() + "@" + r.Repository
		}
	}
	for _, err := range [...]error{checkRef(r.Ref), checkPath(r.Path)} {
		if err != nil {
			return nil, err
		}
	}
	if strings.HasPrefix(repository, "-") || !printable(repository) {
		return nil, errors.New("not the path of a repository")
	}
	return r, nil
}

// checkRef refuses a text that git would not take for the name of a branch, a tag or a commit.
func checkRef(ref string) error {
	switch {
	case strings.HasPrefix(ref, "-"):
		return fmt.Errorf("a ref cannot begin with a dash: %q", ref)
	case strings.ContainsAny(ref, " ~^:?*[\\+\x7f") || strings.Contains(ref, "..") || strings.Contains(ref, "@{"), !printable(ref):
		return fmt.Errorf("not the name of a branch, tag or commit: %q", ref)
	}
	return nil
}

// checkPath refuses a path that leaves the repository.
func checkPath(file string) error {
	for part := range strings.SplitSeq(file, "/") {
		if part == ".." {
			return errors.New("the path leads out of the repository")
		}
	}
	if strings.IndexByte(file, 0) >= 0 {
		return errors.New("the path contains a zero byte")
	}
	return nil
}

func printable(text string) bool {
	return strings.IndexFunc(text, unicode.IsControl) < 0
}

// Scheme returns "https", "http", "ssh" or "git".
func (r *URL) Scheme() string { return r.u.Scheme }

// Host returns the host, with the port if the URL names one.
func (r *URL) Host() string { return r.u.Host }

// String returns the URL in full, with its credentials.
func (r *URL) String() string {
	if r.Kind == HTTP {
		return r.u.String()
	}
	s := r.Repository
	switch {
	case r.Path == "":
	case r.short(): // its parts are taken unchanged
		s += "//" + r.Path
	default:
		s += "//" + (&url.URL{Path: "/" + r.Path}).EscapedPath()[1:]
	}
	if r.Ref != "" {
		s += "?ref=" + strings.ReplaceAll(url.QueryEscape(r.Ref), "%2F", "/")
	}
	return s
}

// short reports whether the repository has the form USER@HOST:PATH.
func (r *URL) short() bool { return !strings.Contains(r.Repository, "://") }

// Redacted returns the URL for display: with xxxxx in place of a password. It may contain control
// characters.
func (r *URL) Redacted() string { return r.u.Redacted() }

// Secrets returns the texts that Redacted hides, as they may appear in the output of programs that
// get the URL.
func (r *URL) Secrets() []string {
	password, set := r.u.User.Password()
	if !set || password == "" {
		return nil
	}
	return []string{r.u.User.String(), password, url.QueryEscape(password), url.PathEscape(password)}
}

// IsCommit reports whether the URL names a commit by its full hash, so that its content never
// changes.
func (r *URL) IsCommit() bool {
	if len(r.Ref) != 40 && len(r.Ref) != 64 {
		return false
	}
	_, err := hex.DecodeString(r.Ref)
	return err == nil
}

// Resolve returns the URL of an include of the file at r. In git a relative one
// starts from the file's directory, in the same repository and at the same ref.
func (r *URL) Resolve(include string) (*URL, error) {
	if IsRemote(include) {
		return Parse(include)
	}
	if r.Kind == Git {
		near := *r
		near.Path = path.Join(path.Dir("/" + r.Path)[1:], include)
		if near.Path == ".." || strings.HasPrefix(near.Path, "../") {
			return nil, errors.New("the path leads out of the repository")
		}
		return Parse(near.String())
	}
	ref, err := url.Parse(include)
	if err != nil {
		return nil, errors.New("the path cannot be read")
	}
	return Parse(r.u.ResolveReference(ref).String())
}

// Join returns the URL of a file named name in the directory at r.
func (r *URL) Join(name string) *URL {
	in := *r
	if r.Kind == Git {
		in.Path = path.Join(r.Path, name)
		u := *r.u
		u.RawPath = ""
		repository, _, _ := strings.Cut(u.Path, "//")
		u.Path = repository + "//" + in.Path
		in.u = &u
		return &in
	}
	u := *r.u
	if u.Path == "" {
		u.Path = "/"
	}
	in.u = u.JoinPath(name)
	return &in
}

// CacheName returns the name of a copy's files without extension, the same as the reference's:
// kind, host, last directory, file and hash.
func (r *URL) CacheName() string {
	kind, dir, file := "http", path.Dir(r.u.Path), ""
	if r.u.Path != "" && !strings.HasSuffix(r.u.Path, "/") {
		file = path.Base(r.u.Path)
	} else {
		dir = path.Clean(r.u.Path)
	}
	if r.Kind == Git {
		kind, dir, file = "git", path.Dir(r.Path), path.Base(r.Path)
	}
	if last := path.Base(dir); len(last) > 1 {
		file = last + "." + file
	}
	sum := sha256.Sum256([]byte(r.Redacted()))
	return kind + "." + plain(r.u.Host) + "." + plain(file) + "." + hex.EncodeToString(sum[:])
}

// maxPlain is the longest part of a copy's name, in bytes: a file's name has
// room for two of them and the hash.
const maxPlain = 80

// plain makes a text fit for a part of a file's name, wherever that is. Usual names of files and
// hosts are unchanged.
func plain(text string) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || strings.ContainsRune(`/\<>"|?*`, r) || r == unicode.ReplacementChar {
			return '_'
		}
		return r
	}, text)
	if len(text) > maxPlain {
		text = strings.ToValidUTF8(text[:maxPlain], "")
	}
	return text
}

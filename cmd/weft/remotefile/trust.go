package remotefile

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"strings"

	"github.com/weftrun/weft/internal/statefile"
)

// The user's consent is recorded in a file of lines in the user's state directory, which only the
// user can write:
//
//	sha256 DIGEST URL    the content with that digest, of that URL
//	redirect HOST URL    that the server of that URL leads to that host
//
// A URL has one digest: that of the content that was agreed to last. Passwords in URLs are
// hidden before.

const (
	trustFile  = "trust"
	trustLock  = "trust.lock"
	trustLimit = 16 << 20 // bytes
)

// trust records consent. It is for one goroutine, and reads its file once.
type trust struct {
	home string // the user's state directory; "" records nothing
	warn func(err error, consequence string)

	read  bool
	lines []consent
}

// consent is a line of the file.
type consent struct {
	kind, value, location string
}

const (
	toContent  = "sha256"
	toRedirect = "redirect"
)

func (t *trust) place() statefile.Place {
	return statefile.Place{Base: t.home, Path: "weft", Private: true}
}

// known returns the lines of the file.
func (t *trust) known() []consent {
	if !t.read && t.home != "" {
		t.read = true
		d, err := t.place().Open()
		if err == nil {
			t.lines, err = readTrust(d)
			d.Close()
		}
		t.problem(err)
	}
	return t.lines
}

func readTrust(d *statefile.Dir) ([]consent, error) {
	b, err := d.ReadFile(trustFile, trustLimit)
	if err != nil {
		return nil, err
	}
	var lines []consent
	for line := range strings.Lines(string(b)) {
		kind, rest, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		value, location, ok := strings.Cut(rest, " ")
		if ok && value != "" && (kind == toContent || kind == toRedirect) {
			lines = append(lines, consent{kind, value, location})
		}
	}
	return lines, nil
}

// digest returns the digest of the content that was agreed to last, or "".
func (t *trust) digest(location string) string {
	for _, digest := range t.values(toContent, location) {
		return digest
	}
	return ""
}

// redirects returns the hosts that a URL may redirect to.
func (t *trust) redirects(location string) []string { return t.values(toRedirect, location) }

func (t *trust) values(kind, location string) (all []string) {
	for _, c := range t.known() {
		if c.kind == kind && c.location == location {
			all = append(all, c.value)
		}
	}
	return all
}

// add records new consent, together with that of other runs.
func (t *trust) add(ctx context.Context, agreed []consent) {
	if len(agreed) == 0 {
		return
	}
	t.lines = merge(t.known(), agreed)
	if t.home != "" {
		t.problem(t.write(ctx, agreed))
	}
}

func (t *trust) write(ctx context.Context, agreed []consent) error {
	d, err := t.place().Make()
	if err != nil {
		return err
	}
	defer d.Close()
	lock, err := d.Lock(ctx, trustLock, "", nil)
	if err != nil {
		return err
	}
	defer lock.Release()
	there, err := readTrust(d)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	var b strings.Builder
	for _, c := range merge(there, agreed) {
		b.WriteString(c.kind + " " + c.value + " " + c.location + "\n")
	}
	return d.WriteFile(trustFile, []byte(b.String()))
}

// merge adds lines to old, replacing those about the same content.
func merge(old, agreed []consent) []consent {
	all := slices.Clone(old)
	for _, c := range agreed {
		all = slices.DeleteFunc(all, func(o consent) bool {
			return o == c || c.kind == toContent && o.kind == toContent && o.location == c.location
		})
		all = append(all, c)
	}
	return all
}

// problem warns once that consent cannot be recorded. It ignores that there is no file yet.
func (t *trust) problem(err error) {
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.warn(err, "consent to remote Taskfiles cannot be recorded, so you are asked each time")
	}
}

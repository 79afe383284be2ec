package remotefile

import (
	"errors"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/weftrun/weft/engine/channel"
	"github.com/weftrun/weft/internal/statefile"
)

// How copies are kept. The directory and the names in it are those of the reference, so that
// both can share them. A copy is three files and, if weft made it, a fourth:
//
//	KEY.yaml       the content
//	KEY.checksum   its SHA-256: a copy that was cut off is none
//	KEY.timestamp  when it was last known to equal the server's file (RFC 3339)
//	KEY.etag       two lines: the server's ETag, and the name of the file that
//	               was found below the URL
//
// KEY is KIND.HOST.DIRECTORY.FILE.SHA256(URL).

// cache keeps copies. It is safe for concurrent use.
type cache struct {
	place *statefile.Place // nil: none are kept
	warn  func(err error, consequence string)
}

// copied is a copy of a remote file.
type copied struct {
	source, sum, etag, name string
	at                      time.Time // the zero time if it is unknown
}

// isYoung reports whether the copy is younger than limit. One from the future is not.
func (c *copied) isYoung(now time.Time, limit time.Duration) bool {
	return !c.at.IsZero() && !c.at.After(now) && now.Sub(c.at) < limit
}

// suffixes are the suffixes of the files of a copy.
var suffixes = [...]string{".yaml", ".checksum", ".timestamp", ".etag"}

// noteLimit is the largest size of the small files, in bytes.
const noteLimit = 4 << 10

// read returns the copy of f, or nil.
func (c *cache) read(f *file) *copied {
	if c.place == nil {
		return nil
	}
	d, err := c.place.Open()
	if err != nil {
		c.problem(err)
		return nil
	}
	defer d.Close()
	key := f.URL.CacheName()
	text := func(suffix string, limit int64) string {
		b, err := d.ReadFile(key+suffix, limit)
		if err != nil {
			c.problem(err)
		}
		return string(b)
	}
	sum := strings.TrimSpace(text(".checksum", noteLimit))
	if sum == "" {
		return nil
	}
	out := &copied{source: text(".yaml", channel.MaxTaskfile), sum: sum}
	if Checksum(out.source) != sum {
		return nil
	}
	out.at, _ = time.Parse(time.RFC3339, strings.TrimSpace(text(".timestamp", noteLimit)))
	out.etag, out.name, _ = strings.Cut(strings.TrimSuffix(text(".etag", noteLimit), "\n"), "\n")
	return out
}

// write stores a copy of f, which was fetched just now.
func (c *cache) write(f *file, now time.Time) {
	if c.place == nil {
		return
	}
	d, err := c.place.Make()
	if err != nil {
		c.problem(err)
		return
	}
	defer d.Close()
	key := f.URL.CacheName()
	put := func(suffix, text string) {
		if err == nil {
			err = d.WriteFile(key+suffix, []byte(text))
		}
	}
	if f.copied == nil || f.copied.sum != f.sum {
		put(".yaml", f.source)
		put(".checksum", f.sum) // after the content: a copy is valid when both agree
	}
	if note := f.etag + "\n" + f.name + "\n"; len(note) <= noteLimit && (note != "\n\n" || f.copied != nil) {
		put(".etag", note)
	}
	put(".timestamp", now.UTC().Format(time.RFC3339))
	if err != nil {
		c.problem(err)
	}
}

// problem warns once that copies cannot be used. It ignores that there are none.
func (c *cache) problem(err error) {
	if !errors.Is(err, fs.ErrNotExist) {
		c.warn(err, "it contains no copies of remote Taskfiles")
	}
}

// clear removes all copies, and no other files.
func (c *cache) clear() error {
	if c.place == nil {
		return nil
	}
	d, err := c.place.Open()
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer d.Close()
	names, err := d.Names()
	if err != nil {
		return err
	}
	for _, name := range names {
		isCopy := strings.HasPrefix(name, "http.") || strings.HasPrefix(name, "git.")
		if !isCopy || !slices.ContainsFunc(suffixes[:], func(s string) bool { return strings.Contains(name, s) }) {
			continue
		}
		if e := d.Remove(name); e != nil && !errors.Is(e, fs.ErrNotExist) {
			err = e
		}
	}
	return err
}

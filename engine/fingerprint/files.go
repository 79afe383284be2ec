package fingerprint

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/weftrun/weft/engine/glob"
)

// File is a source as the fingerprint covers it.
type File struct {
	Path       string      // from the root, with slashes; it begins with "../" outside of it
	Digest     glob.Digest // of the content, for a link of its target's; zero if it is dangling
	Size       int64       // bytes, of what Digest is of
	Executable bool
	Target     string // target of a link; "" for a file
}

// errReadable is the error of a file that could not be read before, but can be now.
var errReadable = errors.New("it has changed in the meantime")

// EachFile calls f with the files that Inputs.Sources match, sorted by path, after reading those
// whose content is not known. It is an error if one cannot be read; f has been called with those
// before it. The sources of V3 inputs are not known.
func (c *Check) EachFile(ctx context.Context, f func(File)) error {
	if c.missed != nil {
		return c.missed
	}
	if err := c.readSources(ctx); err != nil {
		return err
	}
	found := c.sources.found
	for i, source := range c.sources.files {
		if len(found) > 0 && int(found[0]) == i {
			found = found[1:]
			continue
		}
		prefix, name := source.Place(c.in.Root)
		to := File{Path: prefix + name, Target: source.Target()}
		switch d := c.sources.contents[i].Digest; {
		case source.Dangling():
		case d == glob.Digest{}:
			return fmt.Errorf("%q cannot be read: %w", to.Path, cmp.Or(source.Unreadable(), errReadable))
		case !source.Stat().Regular():
			return fmt.Errorf("%q is not a regular file", to.Path)
		default:
			to.Digest, to.Size, to.Executable = d, source.Stat().Size, source.Stat().Executable()
		}
		f(to)
	}
	return nil
}

// Sources returns the maximum number of files that [Check.EachFile] visits.
func (c *Check) Sources() int { return len(c.sources.files) }

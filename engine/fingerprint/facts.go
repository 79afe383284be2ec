package fingerprint

import "context"

// Fingerprint returns the fingerprint of the files and texts of the check, whatever its verdict;
// the zero Digest if some are unknown.
func (c *Check) Fingerprint() Digest {
	switch {
	case c.Digest != (Digest{}):
		return c.Digest
	case c.in.Method == Checksum && !c.in.V3 && !c.sources.complete():
		return Digest{}
	}
	return combined(c.texts, c.sources.digest(c.in.Root))
}

// Size returns how many sources there are, and their size in bytes.
func (c *Check) Size() (files int, bytes int64) {
	for i := range c.sources.files {
		bytes += c.sources.files[i].Stat().Size
	}
	return len(c.sources.files), bytes
}

// Generated returns the first of the generated files that the check has searched for, at most so
// many: paths relative to the root.
func (c *Check) Generated(most int) (names []string) {
	for i := range c.generated[:min(most, len(c.generated))] {
		prefix, name := c.generated[i].Place(c.in.Root)
		names = append(names, prefix+name)
	}
	return names
}

// GeneratesExist reports whether each pattern of Generates matches a file.
func (c *Check) GeneratesExist(ctx context.Context) (bool, error) {
	reason := c.reason
	c.reason = Reason{}
	err := c.findGenerated(ctx)
	made := c.reason.Kind == ""
	c.reason = reason
	return made && err == nil, err
}

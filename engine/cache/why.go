package cache

import (
	"context"
	"strings"
	"time"
)

// Why returns every difference between now and the last success, in the order
// of the fingerprint; none when it is fresh.
func (c *Check) Why(ctx context.Context) []Reason {
	switch {
	case c.Fresh:
		return nil
	case c.entry == nil:
		return []Reason{{Kind: "first"}}
	}
	reasons := append(c.fieldReasons(), c.fileReasons(ctx)...)
	if len(reasons) == 0 && c.reason.Kind != "" {
		r := c.reason
		if r.Kind == "field" {
			r = Reason{Kind: "unknown", Name: "patterns, method or what it needs"}
		}
		reasons = append(reasons, r)
	}
	if c.in.Method == None {
		reasons = append(reasons, Reason{Kind: "never", Name: "method: none"})
	}
	return reasons
}

func (c *Check) fieldReasons() []Reason {
	var reasons []Reason
	now := stored(c.in)
	old := map[string]Field{}
	for _, f := range c.entry.fields {
		old[f.Name] = f
	}
	for _, f := range now {
		o, known := old[f.Name]
		delete(old, f.Name)
		switch {
		case !known:
			reasons = append(reasons, fieldReason(f.Name, "", show(f), "new"))
		case o.Value != f.Value:
			reasons = append(reasons, fieldReason(f.Name, show(o), show(f), "changed"))
		}
	}
	for _, f := range c.entry.fields {
		if _, gone := old[f.Name]; gone {
			reasons = append(reasons, fieldReason(f.Name, show(f), "", "gone"))
		}
	}
	return reasons
}

// show is a field's value for people: not at all when it is secret.
func show(f Field) string {
	if f.Secret {
		return ""
	}
	return f.Value
}

func fieldReason(name, old, now, change string) Reason {
	kind, rest, _ := strings.Cut(name, " ")
	r := Reason{Kind: kind, Name: rest, Old: old, New: now}
	if old == "" && now == "" {
		r.New = change
	}
	return r
}

func (c *Check) fileReasons(ctx context.Context) []Reason {
	var reasons []Reason
	old := map[string]*file{}
	for i := range c.entry.files {
		old[c.entry.files[i].path] = &c.entry.files[i]
	}
	for i := range c.files {
		f := &c.files[i]
		o := old[f.path]
		delete(old, f.path)
		switch {
		case o == nil:
			reasons = append(reasons, Reason{Kind: "file", Name: f.path, New: "new"})
		case o.mode != f.mode:
			reasons = append(reasons, Reason{Kind: "file", Name: f.path, New: "mode"})
		case f.sameStat(o) || c.in.Method == Timestamp:
		default:
			if f.digest == (Digest{}) && f.hash(ctx, c.in.Dir) != nil {
				reasons = append(reasons, Reason{Kind: "file", Name: f.path, New: "cannot be read"})
			} else if f.digest != o.digest {
				reasons = append(reasons, Reason{Kind: "file", Name: f.path, Old: o.digest.String()[:12], New: f.digest.String()[:12]})
			}
		}
	}
	for i := range c.entry.files {
		if p := c.entry.files[i].path; old[p] != nil {
			reasons = append(reasons, Reason{Kind: "file", Name: p, New: "gone"})
		}
	}
	return reasons
}

// Timestamp is the variable TIMESTAMP: the time of the newest source.
func (s *Store) Timestamp(ctx context.Context, t *Tree, dir string, ps []Pattern, gitignore bool) (time.Time, error) {
	files, _, err := t.files(ctx, dir, ps, gitignore)
	if err != nil {
		return time.Time{}, err
	}
	var newest int64
	for i := range files {
		newest = max(newest, files[i].mtime)
	}
	return time.Unix(0, newest), nil
}

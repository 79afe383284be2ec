package cache

import (
	"fmt"
	"slices"
	"sort"
	"strings"
)

// tree collects the messages of one key.
type tree struct{ messages [][]byte }

// add adds a message, and returns its digest.
func (t *tree) add(message []byte) Digest {
	t.messages = append(t.messages, message)
	return DigestOf(message)
}

// directory adds the Directories of the files, which are sorted by path and all begin with
// prefix, "" or with a slash at its end, and returns the digest of the topmost. A path with a
// slash at its end is that of a directory which may be empty.
func (t *tree) directory(prefix string, files []File) (Digest, error) {
	if strings.Count(prefix, "/") > maxDepth {
		return Digest{}, fmt.Errorf("%q is nested more than %d levels deep", prefix, maxDepth)
	}
	own := 0
	for i := range files {
		if strings.IndexByte(files[i].Path[len(prefix):], '/') < 0 {
			own++
		}
	}
	d := Directory{Files: make([]FileNode, 0, own)}
	for len(files) > 0 {
		rest := files[0].Path[len(prefix):]
		name, _, below := strings.Cut(rest, "/")
		switch {
		case rest == "": // the directory itself
			files = files[1:]
			continue
		case !below && files[0].Target != "":
			d.Symlinks = append(d.Symlinks, SymlinkNode{name, files[0].Target})
			files = files[1:]
			continue
		case !below:
			d.Files = append(d.Files, FileNode{name, files[0].Digest, files[0].Executable})
			files = files[1:]
			continue
		}
		// entries with the same first component are adjacent
		inner := prefix + name + "/"
		n := 1
		for n < len(files) && strings.HasPrefix(files[n].Path, inner) {
			n++
		}
		digest, err := t.directory(inner, files[:n])
		if err != nil {
			return Digest{}, err
		}
		d.Directories = append(d.Directories, DirectoryNode{name, digest})
		files = files[n:]
	}
	// In the order of paths "a-b/x" comes before "a/x".
	sort.Slice(d.Directories, func(i, j int) bool { return d.Directories[i].Name < d.Directories[j].Name })
	if name := d.twice(); name != "" {
		return Digest{}, fmt.Errorf("%q is listed twice, as a file, a link or a directory", prefix+name)
	}
	const node = 96 // approximate size of a file's entry without its name
	return t.add(d.Append(make([]byte, 0, node*(own+len(d.Directories))))), nil
}

// twice returns a name that occurs repeatedly in d, or "".
func (d *Directory) twice() string {
	names := make([]string, 0, len(d.Files)+len(d.Directories)+len(d.Symlinks))
	for i := range d.Files {
		names = append(names, d.Files[i].Name)
	}
	for i := range d.Directories {
		names = append(names, d.Directories[i].Name)
	}
	for i := range d.Symlinks {
		names = append(names, d.Symlinks[i].Name)
	}
	slices.Sort(names)
	for i := 1; i < len(names); i++ {
		if names[i] == names[i-1] {
			return names[i]
		}
	}
	return ""
}

package cache

import (
	"cmp"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"sort"
	"strings"

	"github.com/weftrun/weft/internal/statefile"
)

// Unusable is the error of a result with a content that is not allowed.
type Unusable struct {
	Path string // of the output; "" if it is about the result itself
	Why  string // `it is outside of the root`
}

func (e *Unusable) Error() string {
	if e.Path == "" {
		return e.Why
	}
	return fmt.Sprintf("output %.300q: %s", e.Path, e.Why)
}

// output is one output of a result. Exactly one of file and link is not nil, unless it is an
// empty directory.
type output struct {
	path  string
	file  *OutputFile
	link  *OutputSymlink
	place int32  // index of the directory in restore.places
	item  string // name in the stage, if its directory exists
}

// outputs returns the outputs of r in the order of [comparePaths], or an [*Unusable]: r may come
// from anyone. declared reports whether a path may be written; nil allows all.
func (r *ActionResult) outputs(declared func(string) bool) ([]output, error) {
	if r.ExitCode != 0 {
		return nil, &Unusable{Why: fmt.Sprintf("it is the result of a failure (exit code %d)", r.ExitCode)}
	}
	outs := make([]output, 0, len(r.Files)+len(r.Symlinks)+len(r.Directories))
	for i := range r.Files {
		outs = append(outs, output{path: r.Files[i].Path, file: &r.Files[i]})
	}
	for i := range r.Symlinks {
		outs = append(outs, output{path: r.Symlinks[i].Path, link: &r.Symlinks[i]})
	}
	for i := range r.Directories {
		outs = append(outs, output{path: r.Directories[i].Path})
		if r.Directories[i].Tree != emptyTree() {
			return nil, &Unusable{r.Directories[i].Path, "it is a directory that is not empty"}
		}
	}
	sort.Slice(outs, func(i, j int) bool { return comparePaths(outs[i].path, outs[j].path) < 0 })
	for i, o := range outs {
		why := checkPath(o.path)
		switch {
		case why != "":
		case declared != nil && !declared(o.path):
			why = "the task does not declare it"
		case o.file != nil && o.file.Digest.IsZero():
			why = "its digest is missing"
		case o.file != nil && o.file.Digest.Size == 0 && o.file.Digest != DigestOf(nil):
			why = "its digest is that of other content"
		case o.link != nil:
			why = checkTarget(o.link)
		}
		if why == "" && i > 0 {
			switch before := outs[i-1].path; {
			case before == o.path:
				why = "it is listed twice"
			case strings.HasPrefix(o.path, before+"/"):
				why = fmt.Sprintf("it is in %q, which is not a directory", before)
			}
		}
		if why != "" {
			return nil, &Unusable{o.path, why}
		}
	}
	return outs, nil
}

// emptyTree is the digest of the Tree of an empty directory.
func emptyTree() Digest { return DigestOf((&Tree{}).Append(nil)) }

// comparePaths orders paths so that a directory comes before its contents, and these before
// anything else.
func comparePaths(a, b string) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			switch {
			case a[i] == '/':
				return -1
			case b[i] == '/':
				return 1
			}
			return cmp.Compare(a[i], b[i])
		}
	}
	return cmp.Compare(len(a), len(b))
}

// checkPath returns why nothing may be written to p, a path from the root; "" if it may.
func checkPath(p string) string {
	if strings.Count(p, "/") > maxDepth {
		return fmt.Sprintf("it is nested more than %d levels deep", maxDepth)
	}
	if !fs.ValidPath(p) || p == "." || strings.IndexByte(p, 0) >= 0 || !filepath.IsLocal(filepath.FromSlash(p)) {
		return "it is not a path below the root"
	}
	for name := range strings.SplitSeq(p, "/") {
		name = strings.TrimRight(name, ". ") // Windows does not see them
		for _, no := range [...]string{".git", "git~1", ".hg", statefile.DirName} {
			if strings.EqualFold(name, no) {
				return "nothing in " + no + " is an output"
			}
		}
		if strings.HasSuffix(name, statefile.BesideSuffix) {
			return "its name is that of a temporary file"
		}
	}
	return ""
}

// checkTarget returns why the link may not be made; "" if it may. ".." is allowed at the beginning
// only: elsewhere it may lead up from the target of another link.
func checkTarget(l *OutputSymlink) string {
	if l.Target == "" || strings.IndexByte(l.Target, 0) >= 0 {
		return "it is a link without a target"
	}
	if path.IsAbs(l.Target) || filepath.IsAbs(filepath.FromSlash(l.Target)) || filepath.VolumeName(l.Target) != "" {
		return fmt.Sprintf("it is a link to %.300q, which is not relative", l.Target)
	}
	rest, ups := l.Target, 0
	for rest == ".." || strings.HasPrefix(rest, "../") {
		rest = strings.TrimPrefix(rest[2:], "/")
		ups++
	}
	if ups > strings.Count(l.Path, "/") || slices.Contains(strings.Split(rest, "/"), "..") {
		return fmt.Sprintf("it is a link to %.300q, which may be outside of the root", l.Target)
	}
	return ""
}

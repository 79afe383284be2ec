package schema

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/mod/semver"

	"github.com/weftrun/weft/schema/diag"
)

// FormatVersion is the version of the format whose behaviour is kept; files
// that ask for a later one are refused.
const FormatVersion = "3.54.0"

// LoadOptions say where the root file is and what include paths may refer to.
type LoadOptions struct {
	Dir        string    // root and search directory; "" means the working directory
	Entrypoint string    // file, directory to look in, or "-" for Stdin; "" searches upwards
	Stdin      io.Reader // read for the entry point "-"
	Environ    []string  // for templates of include paths
	// Expand expands a template of an include path; it is only called for
	// texts with "{{". nil leaves them as they are.
	Expand func(text string, data map[string]any) (string, error)
}

// Load finds, reads, decodes and merges the root file and everything it
// includes. The Workflow is nil when the List holds an error; warnings come
// with it.
func Load(ctx context.Context, o LoadOptions) (*Workflow, diag.List) {
	var list diag.List
	cwd, err := os.Getwd()
	if err != nil {
		list.Add(&diag.Diagnostic{Kind: diag.NotFound, What: "the working directory cannot be found", Why: err.Error(), Fix: "change to a directory that exists"})
		return nil, list
	}
	path, dir, err := findRoot(o, cwd)
	if err != nil {
		list.Add(toDiagnostic(err))
		return nil, list
	}
	l := &loader{o: o, cwd: cwd, list: &list, docs: map[string]*Document{}}
	doc := l.document(path, dir, diag.Pos{}, nil)
	if doc == nil || list.Err() != nil {
		return nil, list
	}
	w := &doc.Workflow
	w.Dir = dir
	if w.Interval == 0 {
		w.Interval = defaultInterval
	}
	w.index()
	return w, list
}

func toDiagnostic(err error) *diag.Diagnostic {
	var d *diag.Diagnostic
	if errors.As(err, &d) {
		return d
	}
	return &diag.Diagnostic{What: err.Error()}
}

// loader reads the files of one Load.
type loader struct {
	o    LoadOptions
	cwd  string
	list *diag.List
	docs map[string]*Document // decoded, not merged
}

// show is a path as the user likes to see it: relative below the working
// directory.
func (l *loader) show(path string) string {
	if rel, err := filepath.Rel(l.cwd, path); err == nil && rel != ".." && !strings.HasPrefix(rel, "../") {
		return rel
	}
	return path
}

// document returns the file at path with its includes merged in. stack are the
// files that include it.
func (l *loader) document(path, dir string, pos diag.Pos, stack []string) *Document {
	for _, above := range stack {
		if above == path {
			l.list.Add(&diag.Diagnostic{Pos: pos, Kind: diag.IncludeCycle,
				What: fmt.Sprintf("include cycle detected between %s <--> %s", stack[len(stack)-1], path), Fix: "remove one of the two includes"})
			return nil
		}
	}
	doc := l.decoded(path, dir, pos, len(stack) == 0)
	if doc == nil || len(doc.Includes) == 0 {
		return doc
	}
	merged := doc.clone()
	stack = append(stack, path)
	for i := range doc.Includes {
		inc := &doc.Includes[i]
		p := l.resolve(doc, inc, dir)
		if p == nil {
			continue
		}
		sub := l.document(p.path, p.dir, inc.pos, stack)
		if sub == nil {
			continue
		}
		if problem := sameVersion(doc, sub, inc); problem != nil {
			l.list.Add(problem)
			continue
		}
		merged.merge(sub, inc, p, l.list)
	}
	return merged
}

// decoded reads and decodes one file, once.
func (l *loader) decoded(path, dir string, pos diag.Pos, root bool) *Document {
	if doc := l.docs[path]; doc != nil {
		return doc
	}
	src, err := read(path, l.o.Stdin)
	file := &diag.File{Path: path, Name: l.show(path), Source: src}
	if err != nil {
		d := &diag.Diagnostic{Pos: pos, What: fmt.Sprintf("cannot read %s", file.Name), Why: reason(err)}
		if errors.Is(err, fs.ErrPermission) {
			d.Fix = "make it readable: chmod u+r " + file.Name
		}
		l.list.Add(d)
		return nil
	}
	d := &decoder{file: file, list: l.list}
	before := len(l.list.All())
	node := d.parse(src)
	if node == nil && len(l.list.All()) > before {
		return nil
	}
	doc := d.document(node)
	if problem := checkVersion(doc, len(l.list.All()) > before); problem != nil {
		l.list.Add(problem)
	}
	if !root {
		doc.included(l.list)
	}
	l.docs[path] = doc
	return doc
}

func reason(err error) string {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err.Error()
	}
	return err.Error()
}

// checkVersion refuses files without a version and those of other formats.
func checkVersion(doc *Document, broken bool) *diag.Diagnostic {
	problem := func(what, fix string) *diag.Diagnostic {
		return &diag.Diagnostic{Pos: doc.Version.Pos, Kind: diag.Version, What: what, Fix: fix}
	}
	path := doc.File.Path
	v := doc.Version.S
	if v == "" {
		if broken {
			return nil
		}
		p := problem(fmt.Sprintf("Missing schema version in Taskfile %q", path), "start it with `version: '3'`")
		p.Pos = diag.Pos{File: doc.File, Line: 1, Column: 1}
		return p
	}
	canonical := "v" + strings.TrimPrefix(v, "v")
	switch {
	case !semver.IsValid(canonical):
		return &diag.Diagnostic{Pos: doc.Version.Pos, Kind: diag.Decode, What: fmt.Sprintf("%q is not a version", v), Fix: "write `version: '3'`"}
	case semver.Compare(canonical, "v3.0.0") < 0:
		return problem(fmt.Sprintf("Invalid schema version in Taskfile %q:\nSchema version (%s) no longer supported. Please use v3 or above", path, fullVersion(v)), "")
	case semver.Compare(canonical, "v"+FormatVersion) > 0:
		return problem(fmt.Sprintf("Invalid schema version in Taskfile %q:\nSchema version (%s) is greater than the current version of Task (%s)", path, fullVersion(v), FormatVersion), "")
	}
	return nil
}

// fullVersion writes v with all three parts: 2 is 2.0.0.
func fullVersion(v string) string {
	return strings.TrimPrefix(semver.Canonical("v"+strings.TrimPrefix(v, "v")), "v")
}

func sameVersion(doc, sub *Document, inc *include) *diag.Diagnostic {
	if fullVersion(doc.Version.S) == fullVersion(sub.Version.S) {
		return nil
	}
	return &diag.Diagnostic{Pos: inc.pos, What: fmt.Sprintf("Taskfiles versions should match. First is %q but second is %q", fullVersion(doc.Version.S), fullVersion(sub.Version.S)),
		Fix: "write the same version in both files"}
}

// place is where an included file is and where its tasks run.
type place struct{ path, dir string }

// resolve finds the file of an include, or returns nil: reported unless it is
// optional and not there.
func (l *loader) resolve(doc *Document, inc *include, dir string) *place {
	base := filepath.Dir(doc.File.Path)
	if doc.File.Path == stdinPath {
		base = dir
	}
	taskfile, err := l.expandPath(doc, inc.taskfile.S)
	var wd string
	if err == nil {
		wd, err = l.expandPath(doc, inc.dir.S)
	}
	if err != nil {
		l.list.Add(&diag.Diagnostic{Pos: inc.pos, What: fmt.Sprintf("include %q: %v", inc.name, err)})
		return nil
	}
	if isRemote(taskfile) {
		l.list.Add(toDiagnostic(notYetRemote(taskfile, inc.pos)))
		return nil
	}
	p := &place{dir: base}
	if wd != "" {
		p.dir = absolute(base, wd)
	}
	target := absolute(base, taskfile)
	if taskfile == "" {
		target = p.dir
	}
	if p.path, err = findFile(target); err != nil {
		if inc.optional && errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		d := toDiagnostic(notFound(target, err))
		d.What = fmt.Sprintf("No Taskfile found at %q. Run `task --init` to create a new Taskfile.", target)
		d.Pos = inc.pos
		l.list.Add(d)
		return nil
	}
	if inc.checksum.S != "" && !l.verify(p.path, inc) {
		return nil
	}
	return p
}

// verify compares an included file with its pinned checksum.
func (l *loader) verify(path string, inc *include) bool {
	src, err := os.ReadFile(path)
	if err != nil {
		return true // reported where the file is decoded
	}
	sum := sha256.Sum256(src)
	got := hex.EncodeToString(sum[:])
	if got == inc.checksum.S {
		return true
	}
	l.list.Add(&diag.Diagnostic{Pos: inc.checksum.Pos, Kind: diag.ChecksumMismatch,
		What: fmt.Sprintf("The checksum of the Taskfile at %q does not match!\ngot: %q\nwant: %q", path, got, inc.checksum.S)})
	return false
}

// expandPath expands the template of an include path, then ~ and $VAR.
func (l *loader) expandPath(doc *Document, text string) (string, error) {
	if strings.Contains(text, "{{") && l.o.Expand != nil {
		data := map[string]any{}
		for _, kv := range l.o.Environ {
			k, v, _ := strings.Cut(kv, "=")
			data[k] = v
		}
		for _, v := range doc.Vars {
			if v.Kind == Static {
				data[v.Name] = v.Value
			}
		}
		var err error
		if text, err = l.o.Expand(text, data); err != nil {
			return "", err
		}
	}
	if !strings.ContainsAny(text, "$~") {
		return text, nil
	}
	if text == "~" || strings.HasPrefix(text, "~/") {
		if home, err := os.UserHomeDir(); err == nil {
			text = home + text[1:]
		}
	}
	return os.Expand(text, l.getenv), nil
}

func (l *loader) getenv(name string) string {
	for i := len(l.o.Environ) - 1; i >= 0; i-- {
		if k, v, _ := strings.Cut(l.o.Environ[i], "="); k == name {
			return v
		}
	}
	return ""
}

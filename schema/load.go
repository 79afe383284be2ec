package schema

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"github.com/weftrun/weft/internal/limit"
	"github.com/weftrun/weft/internal/taskurl"
	"github.com/weftrun/weft/schema/diag"
)

// LoadOptions configure Load: where the root file is and what include paths may refer to.
type LoadOptions struct {
	Dir        string    // root and search directory; "" means the working directory
	WorkingDir string    // the result of [WorkingDir]; "" means that Load calls it
	Entrypoint string    // file, directory to look in, or "-" for Stdin; "" searches upwards
	Stdin      io.Reader // read for the entry point "-"
	Files      Files     // nil: those of this machine
	Environ    []string  // for templates, ~ and $VAR of include paths
	// Expand expands a template of an include path; it is only called for
	// texts with "{{". nil leaves them as they are.
	Expand func(ctx context.Context, text string, data map[string]any) (string, error)
	// Open returns the result for each of some remote files, in their order; root
	// is the root directory. It is called once for all files that are known to be
	// needed by then; nil opens none.
	Open func(ctx context.Context, root string, files []RemoteFile) []RemoteContent
}

// Load finds, reads, decodes and merges the root file and everything it includes. The
// Workflow is nil when the List holds an error; warnings come with it. The Workflow belongs
// to the caller, but must not be changed once it is shared.
func Load(ctx context.Context, o LoadOptions) (*Workflow, diag.List) {
	l := &loader{ctx: ctx, o: o, docs: map[string]*document{}}
	l.readRoot()
	if l.root != nil {
		l.openRemote()
		l.mergeAll()
	}
	if l.root != nil {
		l.checkProfiles(&l.root.Workflow)
	}
	if l.root == nil || l.list.Err() != nil {
		return nil, l.list
	}
	w := l.root.workflow(l.dir)
	w.Cache.expand(l.getenv)
	if l.connect(w); l.list.Err() != nil {
		return nil, l.list
	}
	w.Partial = l.partial
	var shadowed []*diag.Diagnostic
	w.Sources = []*diag.File{w.File}
	for _, doc := range l.order {
		if doc != l.root {
			w.Sources = append(w.Sources, doc.File)
		}
		shadowed = append(shadowed, doc.shadowed...)
		w.Secrets, w.Users = w.Secrets || doc.Secrets, w.Users || doc.Users
	}
	w.shadowed = shadowed
	return w, l.list
}

// readRoot reads the root file and its includes, as far as possible, into l.root, and finds the
// root directory.
func (l *loader) readRoot() {
	var err error
	if l.cwd = l.o.WorkingDir; l.cwd == "" {
		l.cwd, err = WorkingDir()
	}
	if err != nil {
		l.list.Add(&diag.Diagnostic{Kind: diag.NotFound, What: "the working directory cannot be found", Why: reason(err), Fix: "change to a directory that exists"})
		return
	}
	if taskurl.IsRemote(l.o.Entrypoint) {
		url, err := taskurl.Parse(l.o.Entrypoint)
		if err != nil {
			l.list.Add(&diag.Diagnostic{Kind: diag.FetchFailed, What: "the remote Taskfile cannot be fetched", Why: err.Error()})
			return
		}
		l.dir = absolute(l.cwd, l.o.Dir)
		l.opened++
		file := RemoteFile{URL: url, dir: l.dir, workDir: l.dir}
		l.root = l.readRemote(&file, l.open([]RemoteFile{file})[0])
		return
	}
	path, dir, problem := findRoot(l.o, l.cwd)
	if problem != nil {
		l.list.Add(problem)
		return
	}
	base := filepath.Dir(path)
	if path == stdinPath {
		base = dir
	}
	l.dir = dir
	l.root = l.read(path, base, diag.Pos{})
}

// workflow is the merged root file as the rest of the program sees it.
func (doc *document) workflow(dir string) *Workflow {
	w := &doc.Workflow
	w.Dir, w.ByAlias = dir, map[string][]*Task{}
	for i, t := range w.Tasks {
		t.Index = int32(i)
		for _, a := range t.Aliases {
			if ts := w.ByAlias[a]; len(ts) == 0 || ts[len(ts)-1] != t {
				w.ByAlias[a] = append(ts, t)
			}
		}
		if star := func(name string) bool { return strings.Contains(name, "*") }; star(t.Name) || slices.ContainsFunc(t.Aliases, star) {
			w.Wildcards = append(w.Wildcards, t)
		}
	}
	return w
}

// loader reads the files of one Load.
type loader struct {
	ctx   context.Context
	o     LoadOptions
	cwd   string
	list  diag.List
	root  *document
	dir   string               // the root directory
	docs  map[string]*document // by path; nil while it is being read or when it is broken
	order []*document          // every file after the files it includes
	stack []string             // files being read, outermost first

	remote  []remoteInclude // includes of remote files that are still to be opened
	opened  int             // remote files so far
	partial bool            // some remote file was left out on purpose
}

// read reads the file at path and then those it includes, each once. Relative paths in it start
// from dir. pos is the include that needs it.
func (l *loader) read(path, dir string, pos diag.Pos) *document {
	if i := slices.Index(l.stack, path); i >= 0 {
		l.list.Add(includeCycle(pos, append(l.stack[i:len(l.stack):len(l.stack)], path)))
		return nil
	}
	if doc, known := l.docs[path]; known {
		return doc
	}
	if len(l.stack) > limit.Includes {
		l.list.Add(&diag.Diagnostic{Pos: pos, What: limit.Count("the chain of includes up to here", limit.Includes, "files").Error(), Fix: "include these files from one file"})
		return nil
	}
	l.docs[path] = nil
	src, err := l.o.readSource(path)
	file := &diag.File{Path: path, Name: path, Source: src}
	if rel, err := filepath.Rel(l.cwd, path); err == nil && filepath.IsLocal(rel) {
		file.Name = rel
	}
	if err != nil {
		l.list.Add(unreadable(file, pos, err))
		return nil
	}
	doc := l.decode(file)
	doc.dir = dir
	if pos.IsValid() {
		l.rootOnly(doc)
	}
	l.stack = append(l.stack, path)
	for _, e := range doc.includes {
		if l.ctx.Err() != nil {
			l.list.Add(&diag.Diagnostic{Pos: e.pos, What: "reading was stopped", Why: context.Cause(l.ctx).Error()})
			return nil
		}
		l.resolve(doc, e)
	}
	l.stack = l.stack[:len(l.stack)-1]
	l.docs[path] = doc
	l.order = append(l.order, doc)
	return doc
}

// includeCycle reports files that include each other in a circle; the first and the last of
// them are the same. The message names the first two, as the reference does.
func includeCycle(pos diag.Pos, circle []string) *diag.Diagnostic {
	return &diag.Diagnostic{Pos: pos, Kind: diag.IncludeCycle,
		What: fmt.Sprintf("include cycle detected between %s <--> %s", circle[0], circle[1]), Fix: "remove one of the includes"}
}

// rootOnly refuses or ignores keys that an included file may not have.
func (l *loader) rootOnly(doc *document) {
	if doc.Cache != nil {
		l.list.Add(&diag.Diagnostic{Pos: doc.Cache.Pos, Severity: diag.Warning, Kind: diag.Suspicious, What: "cache: is ignored here",
			Why: "it applies to all files, so an included file cannot set it", Fix: "write it in the root file, or write cache: true in the tasks"})
		doc.Cache = nil
	}
	if doc.Remote != nil {
		l.list.Add(&diag.Diagnostic{Pos: doc.Remote.Pos, Severity: diag.Warning, Kind: diag.Suspicious, What: "remote: is ignored here",
			Why: "an included file does not say it for others", Fix: "write it in the root file, or remote: true in its tasks"})
		doc.Remote = nil
	}
	if len(doc.Dotenv) > 0 {
		l.list.Add(&diag.Diagnostic{Pos: doc.dotenvPos,
			What: "Included Taskfiles can't have dotenv declarations. Please, move the dotenv declaration to the main Taskfile",
			Fix:  "or give each task its own dotenv"})
	}
}

// decode decodes one file and checks its version.
func (l *loader) decode(file *diag.File) *document {
	doc, list := decodeFile(file)
	version := doc.checkVersion(list.Err() != nil)
	l.list.Append(list)
	if version != nil {
		l.list.Add(version)
	}
	return doc
}

func unreadable(file *diag.File, pos diag.Pos, err error) *diag.Diagnostic {
	d := &diag.Diagnostic{Pos: diag.Pos{File: file}, What: fmt.Sprintf("cannot read %s", file.Path), Why: reason(err)}
	switch {
	case errors.Is(err, errDevice):
		d.Fix = "a Taskfile must be a file, or - for standard input"
	case err == errLarge:
		d.Fix = "move data to separate files, and include files with tasks"
	case errors.Is(err, fs.ErrPermission):
		d.Fix = "make it readable: chmod u+r " + file.Name
	}
	if p, ok := errors.AsType[*fs.PathError](err); ok && p.Op == "read" {
		d.What, d.Why, d.Fix = fmt.Sprintf("read %s: %s", file.Path, reason(err)), "", "a Taskfile must be a file; rename or remove the directory"
	}
	if pos.IsValid() {
		d.Pos = pos
	}
	return d
}

func reason(err error) string {
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		return p.Err.Error()
	}
	return err.Error()
}

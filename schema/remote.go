package schema

import (
	"fmt"
	"slices"

	"github.com/weftrun/weft/internal/taskurl"
	"github.com/weftrun/weft/schema/diag"
)

// How remote files are read. A file on this machine is read when it is named, depth first. A remote
// one is only recorded: when all other files have been read, the recorded files are opened
// together, so that they are fetched concurrently and the user is asked once. The includes of those
// files form the next round. A file that the user has not yet approved is never parsed, so the
// files that it names are not requested either.

// RemoteFile is a Taskfile on another machine, named by the command line or by includes.
type RemoteFile struct {
	URL       *taskurl.URL
	Checksums []string // SHA-256 in hexadecimal, as the includes that name it pin it; empty if none does
	Optional  bool     // every include that names it is optional
	Pos       diag.Pos // of the first include that names it; not valid for the root file

	// Of the include that names it first: where directories in the file start
	// from, and where its tasks run.
	dir, workDir string
}

// RemoteContent is the result of opening a RemoteFile. The zero value is an empty file.
type RemoteContent struct {
	Source string
	// Found is the location of the file if it differs from the requested one: in a directory of a
	// repository.
	Found *taskurl.URL
	// Problem is the reason why there is no content; nil if there is content.
	Problem *diag.Diagnostic
	// Absent means that the file does not exist, which an optional include allows.
	Absent bool
}

// maxRemote bounds how many remote files one workflow may name.
const maxRemote = 200

// remoteInclude is an include of a remote file that has not been opened yet.
type remoteInclude struct {
	doc *document
	e   *includeEntry
	url *taskurl.URL
}

// remoteURL returns the place that an include of doc names, if it is remote. Includes of a remote
// file always are: it has no access to the files of this machine.
func (doc *document) remoteURL(taskfile string) (*taskurl.URL, error) {
	switch {
	case doc.url != nil:
		return doc.url.Resolve(taskfile)
	case taskurl.IsRemote(taskfile):
		return taskurl.Parse(taskfile)
	}
	return nil, nil
}

// openRemote opens the recorded remote files, and those that these include.
func (l *loader) openRemote() {
	for len(l.remote) > 0 && l.ctx.Err() == nil {
		round := l.remote
		l.remote = nil
		files := l.unopened(round)
		if l.opened += len(files); l.opened > maxRemote {
			l.list.Add(&diag.Diagnostic{Pos: round[0].e.pos, Kind: diag.FetchFailed,
				What: fmt.Sprintf("more than %d remote Taskfiles are included", maxRemote),
				Fix:  "include fewer, or put copies next to your Taskfile"})
			return
		}
		for i, content := range l.open(files) {
			l.docs[files[i].URL.Redacted()] = l.readRemote(&files[i], content)
		}
		for _, in := range round {
			if sub := l.docs[in.url.Redacted()]; sub != nil {
				l.attach(in.doc, in.e, sub)
			}
		}
	}
	if l.opened > 0 {
		l.arrange()
	}
}

// unopened returns the files of a round that have not been opened before, each
// once, in the order in which they are named.
func (l *loader) unopened(round []remoteInclude) []RemoteFile {
	var files []RemoteFile
	at := map[string]int{}
	for _, in := range round {
		location := in.url.Redacted()
		if _, known := l.docs[location]; known {
			continue
		}
		i, named := at[location]
		if !named {
			i = len(files)
			at[location] = i
			dir := in.doc.dir
			if in.doc.url != nil {
				dir = in.doc.workDir // where its own tasks run, as in the reference
			}
			files = append(files, RemoteFile{URL: in.url, Optional: true, Pos: in.e.pos, dir: dir, workDir: in.e.tasks})
		}
		f := &files[i]
		f.Optional = f.Optional && in.e.optional
		if sum := in.e.checksum.S; sum != "" && !slices.Contains(f.Checksums, sum) {
			f.Checksums = append(f.Checksums, sum)
		}
	}
	return files
}

func (l *loader) open(files []RemoteFile) []RemoteContent {
	if len(files) == 0 {
		return nil
	}
	if l.o.Open != nil {
		return l.o.Open(l.ctx, l.dir, files)
	}
	none := make([]RemoteContent, len(files))
	for i, f := range files {
		none[i].Problem = &diag.Diagnostic{Kind: diag.FetchFailed, What: fmt.Sprintf("remote Taskfiles are not supported here: %q", f.URL.Redacted()),
			Fix: "put a copy next to your Taskfile and include that"}
	}
	return none
}

// readRemote reads one opened file, and records its includes. It returns nil if there is none; a
// problem has been reported.
func (l *loader) readRemote(f *RemoteFile, content RemoteContent) *document {
	if p := content.Problem; p != nil {
		if content.Absent && f.Optional {
			return nil
		}
		l.partial = l.partial || p.Severity != diag.Error
		p.Pos = f.Pos
		l.list.Add(p)
		return nil
	}
	location := f.URL.Redacted()
	doc := l.decode(&diag.File{Path: location, Name: location, Source: content.Source, Remote: true})
	doc.dir, doc.workDir, doc.url = f.dir, f.workDir, f.URL
	if content.Found != nil {
		doc.url = content.Found
	}
	if f.Pos.IsValid() {
		l.rootOnly(doc)
	}
	sum := checksum(content.Source)
	if slices.ContainsFunc(f.Checksums, func(pinned string) bool { return pinned != sum }) {
		return doc // it will not be used, so its includes are not requested
	}
	for _, e := range doc.includes {
		l.resolve(doc, e)
	}
	return doc
}

// arrange puts the files into their final order, every file after those it
// includes, and reports those that include themselves: with remote files
// neither is known while they are read.
func (l *loader) arrange() {
	l.order = l.order[:0]
	state := map[*document]int{} // 1: being visited, 2: done
	var stack []string
	var visit func(doc *document)
	visit = func(doc *document) {
		state[doc] = 1
		stack = append(stack, doc.File.Path)
		for _, e := range doc.includes {
			switch {
			case e.doc == nil || state[e.doc] == 2:
			case state[e.doc] == 1:
				i := slices.Index(stack, e.doc.File.Path)
				l.list.Add(includeCycle(e.pos, append(stack[i:len(stack):len(stack)], e.doc.File.Path)))
			default:
				visit(e.doc)
			}
		}
		state[doc] = 2
		stack = stack[:len(stack)-1]
		l.order = append(l.order, doc)
	}
	visit(l.root)
}

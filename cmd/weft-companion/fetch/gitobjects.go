package fetch

import (
	"bufio"
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/weftrun/weft/engine/channel"
	"github.com/weftrun/weft/internal/taskurl"
)

// objects reads the objects of a bare repository with one `git cat-file --batch`. It looks up paths
// in the trees itself: so links are not followed, and no name in a path is passed to git or to the
// file system.
type objects struct {
	ctx      context.Context
	process  *process
	requests *os.File
	answers  *bufio.Reader
}

func (r *Room) openObjects(ctx context.Context, dir string) (*objects, error) {
	questions, ask, err := os.Pipe()
	if err != nil {
		return nil, cannotStart(err)
	}
	defer questions.Close()
	p, err := r.startGit(ctx, []string{"--git-dir=" + dir, "cat-file", "--batch"}, nil, questions)
	if err != nil {
		ask.Close()
		return nil, err
	}
	return &objects{ctx: ctx, process: p, requests: ask, answers: bufio.NewReader(p.out)}, nil
}

func (o *objects) close() {
	o.requests.Close()
	o.process.group.Kill(errDropped) // it may be writing an object that is too large
	o.process.wait()
}

// maxTree is the largest commit or tree that is read, in bytes.
const maxTree = 16 << 20

// errDamaged is the error of an object that is missing or cannot be read.
var errDamaged = &channel.Error{Kind: channel.Git, Text: "the commit is not complete"}

// read returns the object called name. It is an error if the object is of another kind or has more
// than max bytes.
func (o *objects) read(name, kind string, max int64) (id string, content []byte, err error) {
	if _, err := io.WriteString(o.requests, name+"\n"); err != nil {
		return "", nil, o.broken()
	}
	head, err := o.answers.ReadString('\n')
	if err != nil {
		return "", nil, o.broken()
	}
	fields := strings.Fields(head) // ID KIND SIZE, or NAME "missing"
	if len(fields) != 3 || fields[1] != kind {
		return "", nil, errDamaged
	}
	size, err := strconv.ParseInt(fields[2], 10, 64)
	if err != nil || size < 0 {
		return "", nil, o.broken()
	}
	if size > max {
		return "", nil, tooLarge(max)
	}
	content = make([]byte, size+1) // with a newline at the end
	if _, err := io.ReadFull(o.answers, content); err != nil {
		return "", nil, o.broken()
	}
	return fields[0], content[:size], nil
}

// broken returns the error of an answer that is missing or malformed.
func (o *objects) broken() error {
	if o.ctx.Err() != nil {
		return context.Cause(o.ctx)
	}
	return errDamaged
}

// entry is one line of a tree.
type entry struct {
	mode, name, id string
}

const (
	modeDir       = "40000"
	modeLink      = "120000"
	modeSubmodule = "160000"
)

// entries parses a tree. Each entry is MODE, a space, NAME, a zero byte, and the hash in binary, which
// has idLen characters in hexadecimal.
func entries(tree []byte, idLen int) ([]entry, error) {
	var out []entry
	for len(tree) > 0 {
		head, rest, found := bytes.Cut(tree, []byte{0})
		mode, name, split := strings.Cut(string(head), " ")
		if !found || !split || len(rest) < idLen/2 {
			return nil, &channel.Error{Kind: channel.Git, Text: "a directory of the repository cannot be read"}
		}
		out = append(out, entry{mode: strings.TrimLeft(mode, "0"), name: name, id: hex.EncodeToString(rest[:idLen/2])})
		tree = rest[idLen/2:]
	}
	return out, nil
}

// taskfile returns the file at u, or the first of q.Names in the directory there.
func (o *objects) taskfile(q *channel.TaskfileRequest, u *taskurl.URL) (*channel.Taskfile, error) {
	commit, _, err := o.read(fetched+"^{commit}", "commit", maxTree)
	if err != nil {
		return nil, err
	}
	root, tree, err := o.read(commit+"^{tree}", "tree", maxTree)
	if err != nil {
		return nil, err
	}
	at := entry{mode: modeDir, id: root}
	for name := range strings.SplitSeq(u.Path, "/") {
		if name == "" || name == "." {
			continue
		}
		if at, tree, err = o.step(at, tree, name); err != nil {
			return nil, err
		}
	}
	t := &channel.Taskfile{URL: u.String(), ETag: commit, Commit: commit}
	if at.mode == modeDir {
		if at, t.Name, err = o.firstOf(q.Names, tree, len(at.id)); err != nil {
			return nil, err
		}
		t.URL = u.Join(t.Name).String()
	}
	if t.NotModified = q.ETag == commit; t.NotModified {
		return t, nil
	}
	_, t.Body, err = o.read(at.id, "blob", q.MaxBytes)
	return t, err
}

// step returns the entry called name in the directory from, whose content is tree. If it is a
// directory, too, it also returns its content.
func (o *objects) step(from entry, tree []byte, name string) (entry, []byte, error) {
	if from.mode != modeDir {
		return entry{}, nil, noSuchPath()
	}
	all, err := entries(tree, len(from.id))
	if err != nil {
		return entry{}, nil, err
	}
	e, found := find(all, name)
	if !found {
		return entry{}, nil, noSuchPath()
	}
	if err := e.refuse(); err != nil || e.mode != modeDir {
		return e, nil, err
	}
	_, tree, err = o.read(e.id, "tree", maxTree)
	return e, tree, err
}

// firstOf returns the entry of the first of names that exists in a directory, and that name.
func (o *objects) firstOf(names []string, tree []byte, idLen int) (entry, string, error) {
	all, err := entries(tree, idLen)
	if err != nil {
		return entry{}, "", err
	}
	for _, name := range names {
		e, found := find(all, name)
		switch {
		case !found:
		case e.mode == modeDir:
			return entry{}, "", &channel.Error{Kind: channel.Git, Text: fmt.Sprintf("%q is a directory", name)}
		default:
			return e, name, e.refuse()
		}
	}
	return entry{}, "", noSuchPath()
}

func find(all []entry, name string) (entry, bool) {
	i := slices.IndexFunc(all, func(e entry) bool { return e.name == name })
	if i < 0 {
		return entry{}, false
	}
	return all[i], true
}

func noSuchPath() error {
	return &channel.Error{Kind: channel.NotFound, Text: "the repository has no such path at this ref"}
}

// refuse returns the error of an entry that is neither read nor followed, or nil.
func (e entry) refuse() error {
	switch e.mode {
	case modeLink:
		return &channel.Error{Kind: channel.Git, Text: fmt.Sprintf("%q is a symbolic link in the repository, and those are not followed", e.name)}
	case modeSubmodule:
		return &channel.Error{Kind: channel.Git, Text: fmt.Sprintf("%q is a submodule, and those are not fetched", e.name)}
	}
	return nil
}

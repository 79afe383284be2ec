package schema

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"mvdan.cc/sh/v3/expand"

	"github.com/weftrun/weft/internal/limit"
	"github.com/weftrun/weft/schema/diag"
)

// resolve finds and reads the file of an include. e.doc stays nil when that
// failed, which has been reported unless the include is optional.
func (l *loader) resolve(doc *document, e *includeEntry) {
	if e.taskfile.S == "" && e.dir.S == "" {
		return // which decoding has reported
	}
	wrong := func(kind diag.Kind, err error) {
		l.list.Add(&diag.Diagnostic{Pos: e.pos, Kind: kind, What: err.Error(), Why: fmt.Sprintf("in the path of include %q", e.name)})
	}
	taskfile, err := l.expandTemplate(doc, e.taskfile.S)
	dir := ""
	if err == nil {
		dir, err = l.expandTemplate(doc, e.dir.S)
	}
	if err == nil {
		dir, err = l.expandPath(dir)
	}
	if err != nil {
		wrong(diag.Other, err)
		return
	}
	e.tasks = absolute(doc.dir, dir) // without dir: the directory of the including file
	url, err := doc.remoteURL(taskfile)
	if err != nil {
		wrong(diag.FetchFailed, err)
		return
	}
	if url != nil {
		l.remote = append(l.remote, remoteInclude{doc, e, url})
		return
	}
	if taskfile, err = l.expandPath(taskfile); err != nil {
		wrong(diag.Other, err)
		return
	}
	target := absolute(doc.dir, taskfile)
	path, err := l.o.findFile(target)
	if err != nil {
		if e.optional && errors.Is(err, fs.ErrNotExist) {
			return
		}
		d := notFound(target, "", err)
		d.Pos, d.Fix = e.pos, "create it, or write optional: true if it may be missing"
		l.list.Add(d)
		return
	}
	if sub := l.read(path, filepath.Dir(path), e.pos); sub != nil {
		l.attach(doc, e, sub)
	}
}

// attach gives an include its file, if the file matches its checksum.
func (l *loader) attach(doc *document, e *includeEntry, sub *document) {
	for _, problem := range []*diag.Diagnostic{e.verify(sub.File), sameVersion(doc, sub, e)} {
		if problem != nil {
			l.list.Add(problem)
			return
		}
	}
	e.doc = sub
	sub.includers++
}

// verify compares an included file with its pinned checksum.
func (e *includeEntry) verify(file *diag.File) *diag.Diagnostic {
	if e.checksum.S == "" {
		return nil
	}
	got := checksum(file.Source)
	if got == e.checksum.S {
		return nil
	}
	return &diag.Diagnostic{Pos: e.checksum.Pos, Kind: diag.ChecksumMismatch,
		What: fmt.Sprintf("The checksum of the Taskfile at %q does not match!\ngot: %q\nwant: %q", file.Path, got, e.checksum.S),
		Fix:  "check what has changed, then update the checksum"}
}

// checksum is the SHA-256 of a file, in hexadecimal.
func checksum(source string) string {
	sum := sha256.Sum256([]byte(source))
	return hex.EncodeToString(sum[:])
}

// expandTemplate expands the template of an include path.
func (l *loader) expandTemplate(doc *document, text string) (string, error) {
	if !strings.Contains(text, "{{") || l.o.Expand == nil {
		return text, nil
	}
	data := make(map[string]any, len(l.o.Environ)+len(doc.Vars))
	for _, kv := range l.o.Environ {
		k, v, _ := strings.Cut(kv, "=")
		data[k] = v
	}
	for _, v := range doc.Vars {
		if v.Kind == Static {
			data[v.Name] = v.Value
		} else {
			delete(data, v.Name)
		}
	}
	return l.o.Expand(l.ctx, text, data)
}

// expandPath expands ~ and $VAR of a path on this machine.
func (l *loader) expandPath(text string) (string, error) {
	if text == "~" || strings.HasPrefix(text, "~/") {
		if home := l.getenv("HOME"); home != "" {
			text = home + text[1:]
		} else if home, err := os.UserHomeDir(); err == nil {
			text = home + text[1:]
		}
	}
	if !strings.ContainsAny(text, "$`") {
		return text, nil
	}
	word, err := limit.Document(text, l.getenv)
	if err != nil {
		return "", err
	}
	return expand.Document(&expand.Config{Env: expand.FuncEnviron(l.getenv)}, word)
}

func (l *loader) getenv(name string) string {
	v, _ := l.lookupEnv(name)
	return v
}

package changes

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"github.com/weftrun/weft/internal/fifo"
	"github.com/weftrun/weft/schema"
)

// maxFile is the maximum size of a file in bytes: the limit for Taskfiles is lower.
const maxFile = 64 << 20

// before reads files as they were at the base. Unchanged files are read from the working tree.
// It implements schema.Files.
type before struct {
	c   *Changes
	ctx context.Context // of the whole run
	// dirs are the directories of files that have changed: they may have been removed.
	dirs map[string]bool

	mu  sync.Mutex // guards the fields below
	cat *program   // git cat-file; nil before it is needed
	ask *os.File   // its standard input
	out *bufio.Reader
}

// Before returns the files as they were. Those that git ignores, and those outside of the
// repository, are as they are. Reading ends with ctx, or when c is closed.
func (c *Changes) Before(ctx context.Context) schema.Files {
	if c.before != nil {
		return c.before
	}
	c.before = &before{c: c, ctx: ctx, dirs: map[string]bool{}}
	for p, e := range c.entries {
		if e.old == noFile {
			continue
		}
		for dir := filepath.Dir(p); !c.before.dirs[dir] && dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
			c.before.dirs[dir] = true
		}
	}
	return c.before
}

// unknownError is the error for a file whose earlier content is unknown.
type unknownError struct{ path string }

func (e *unknownError) Error() string {
	return fmt.Sprintf("the earlier content of %s is not known", e.path)
}

// look returns the entry of path, if that has changed.
func (b *before) look(path string) (e entry, changed bool, err error) {
	for _, dir := range b.c.Dirs {
		if below(dir, path) {
			return e, false, &unknownError{path}
		}
	}
	e, changed = b.c.entries[path]
	if changed && e.old == linkMode {
		return e, true, &unknownError{path}
	}
	return e, changed, nil
}

// IsDir implements schema.Files.
func (b *before) IsDir(path string) (bool, error) {
	e, changed, err := b.look(path)
	switch {
	case err != nil:
		return false, err
	case changed && e.old != noFile:
		return false, nil
	}
	if b.dirs[path] {
		return true, nil
	}
	info, err := os.Stat(path)
	if changed && err == nil && !info.IsDir() {
		return false, fs.ErrNotExist
	}
	return err == nil && info.IsDir(), err
}

// Read implements schema.Files.
func (b *before) Read(path string) (string, error) {
	e, changed, err := b.look(path)
	switch {
	case err != nil:
		return "", err
	case !changed:
		src, err := fifo.ReadRegular(path, maxFile, errLargeFile)
		return string(src), err
	case e.old == noFile:
		return "", fs.ErrNotExist
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.blob(e.blob)
}

var errLargeFile = errors.New("it is larger than 64 MiB") // maxFile

// blob returns the content of an object.
func (b *before) blob(id string) (string, error) {
	if b.cat == nil {
		in, ask, err := os.Pipe()
		if err != nil {
			return "", err
		}
		cat, err := b.c.git.start(b.ctx, b.c.top, in, "cat-file", "--batch")
		if err != nil {
			ask.Close()
			return "", err
		}
		b.cat, b.ask, b.out = cat, ask, bufio.NewReader(cat.out)
	}
	if _, err := io.WriteString(b.ask, id+"\n"); err != nil {
		return "", err
	}
	head, err := b.out.ReadString('\n')
	if err != nil {
		return "", cut(err)
	}
	fields := strings.Fields(head)
	if len(fields) != 3 || fields[1] != "blob" {
		return "", fmt.Errorf("git does not have its content: %s", strings.TrimSpace(head))
	}
	size, err := strconv.ParseInt(fields[2], 10, 64)
	if err != nil || size < 0 {
		return "", errForm
	}
	content := io.LimitReader(b.out, size+1) // and a newline
	var text strings.Builder
	if size <= maxFile {
		text.Grow(int(size) + 1)
		_, err = io.Copy(&text, content)
	} else if _, err = io.Copy(io.Discard, content); err == nil {
		err = errLargeFile
	}
	if err == nil && int64(text.Len()) != size+1 {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return "", cut(err)
	}
	return strings.TrimSuffix(text.String(), "\n"), nil
}

// cut returns the error for incomplete output of git.
func cut(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("git ended before it had written the file")
	}
	return err
}

func (b *before) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.cat != nil {
		b.ask.Close()
		b.cat.finish() // its output has ended
		b.cat = nil
	}
}

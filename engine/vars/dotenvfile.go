package vars

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/joho/godotenv"

	"github.com/weftrun/weft/internal/fifo"
	"github.com/weftrun/weft/schema"
	"github.com/weftrun/weft/schema/diag"
)

// maxDotenv is the largest dotenv file that is read, in bytes.
const maxDotenv = 16 << 20

// DotenvLineError is the error of a line in a dotenv file. It does not quote the file, which
// may contain secrets.
type DotenvLineError struct {
	Path string // as it is shown
	Line int    // from 1; 0 if it is unknown
	What string // what is wrong
}

func (e *DotenvLineError) Error() string {
	if e.Line == 0 {
		return e.Path + ": " + e.What
	}
	return fmt.Sprintf("%s:%d: %s", e.Path, e.Line, e.What)
}

// ReadDotenv reads the dotenv file at path. Errors call it name. A file that does not exist
// has no variables.
func ReadDotenv(ctx context.Context, path, name string) (map[string]string, error) {
	large := &DotenvLineError{Path: name, What: fmt.Sprintf("larger than %d MiB: it cannot be a file of NAME=value lines", maxDotenv>>20)}
	src, err := fifo.ReadAll(ctx, path, maxDotenv, large)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return parseDotenv(src, name)
}

// parseDotenv reads NAME=value lines. The parser may panic on other text, which becomes an
// error.
func parseDotenv(src []byte, name string) (values map[string]string, err error) {
	defer func() {
		if recover() != nil {
			values, err = nil, &DotenvLineError{Path: name, What: "a line must read NAME=value"}
		}
	}()
	src = bytes.TrimPrefix(src, []byte("\ufeff"))
	if line := growsAt(string(src)); line > 0 {
		return nil, &DotenvLineError{Path: name, Line: line, What: fmt.Sprintf("the values up to here come to more than %d MiB", maxDotenv>>20)}
	}
	values, err = godotenv.UnmarshalBytes(src)
	if err != nil {
		return nil, dotenvProblem(string(src), name, err)
	}
	delete(values, "") // the parser's result for a last line that is a word without a newline
	return values, nil
}

// growsAt returns the line of src at which the values, with the variables in them replaced,
// become larger than maxDotenv together, or 0. Each value may be twice as large as the one
// before.
func growsAt(src string) int {
	if !strings.Contains(src, "$") {
		return 0
	}
	sizes := map[string]int{}
	total := 0
	for i, line := range strings.Split(src, "\n") {
		name, value, _ := strings.Cut(line, "=")
		name = strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(name), "export "))
		size := len(value)
		for _, part := range strings.Split(value, "$")[1:] {
			part = strings.TrimPrefix(part, "{")
			end := 0
			for end < len(part) && (isLetter(part[end]) || '0' <= part[end] && part[end] <= '9') {
				end++
			}
			size += sizes[part[:end]]
		}
		sizes[name] = size
		if total += size; total > maxDotenv {
			return i + 1
		}
	}
	return 0
}

// dotenvProblem converts an error of the parser, which quotes the file, to a
// DotenvLineError.
func dotenvProblem(src, name string, err error) error {
	src = strings.ReplaceAll(src, "\r\n", "\n")
	e := &DotenvLineError{Path: name, What: "a line must read NAME=value"}
	text := err.Error()
	if value, ok := strings.CutPrefix(text, "unterminated quoted value "); ok {
		e.What = "the quote that begins here is never closed"
		for i, line := range strings.Split(src, "\n") {
			if strings.HasSuffix(line, value) && !strings.HasSuffix(line, `\`+value) {
				e.Line = i + 1 // the last one: what follows it holds no such quote
			}
		}
		return e
	}
	if !strings.HasPrefix(text, `unexpected character "\n"`) && strings.HasPrefix(text, "unexpected character") {
		e.What += `; letters, digits, "_" and "." make up the name`
	}
	if _, quoted, ok := strings.Cut(text, " near "); ok {
		if rest, err := strconv.Unquote(quoted); err == nil && strings.HasSuffix(src, rest) {
			e.Line = 1 + strings.Count(src[:len(src)-len(rest)], "\n")
		}
		return e
	}
	e.Line = 1 + strings.Count(strings.TrimRight(src, " \t\n"), "\n")
	return e
}

// CheckDotenv reports the dotenv files of a workflow that cannot be read. It ignores files
// that do not exist, and those whose paths need variables.
func CheckDotenv(w *schema.Workflow) diag.List {
	var list diag.List
	seen := map[string]bool{}
	check := func(dir string, files []schema.Text) {
		for _, f := range files {
			path := f.S
			if path == "" || isTemplate(path) {
				continue
			}
			if !filepath.IsAbs(path) {
				path = filepath.Join(dir, path)
			}
			if seen[path] {
				continue
			}
			seen[path] = true
			if _, err := ReadDotenv(context.Background(), path, f.S); err != nil {
				list.Add(&diag.Diagnostic{Pos: f.Pos, Kind: diag.Other, What: err.Error()})
			}
		}
	}
	check(w.Dir, w.Dotenv)
	for _, t := range w.Tasks {
		dir := t.Dir.S
		if len(t.Dotenv) == 0 || isTemplate(dir) || strings.ContainsAny(dir, "$`~\\") {
			continue
		}
		if !filepath.IsAbs(dir) {
			dir = filepath.Join(w.Dir, dir)
		}
		check(dir, t.Dotenv)
	}
	return list
}

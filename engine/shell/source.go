package shell

import (
	"io"
	"os"
	"path/filepath"
	"strings"

	"mvdan.cc/sh/v3/interp"

	"github.com/weftrun/weft/internal/limit"
)

// checkEval returns an error if the script for eval or source is too large or nested too
// deeply to be parsed.
func checkEval(hc *interp.HandlerContext, args []string) error {
	if args[0] == "eval" {
		return limit.Shell(strings.Join(args[1:], " "))
	}
	if len(args) < 2 {
		return nil
	}
	path := absolute(hc.Dir, args[1])
	if st, err := os.Stat(path); err != nil || !st.Mode().IsRegular() {
		return nil
	}
	src, err := readScript(path)
	if err == nil {
		err = limit.Shell(string(src))
	}
	return err
}

// absolute returns path, relative to dir, as an absolute path.
func absolute(dir, path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(dir, path)
}

// readScript returns the content of a file, unless it is too large for a script.
func readScript(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(limit.Reader(f, limit.Script, limit.Bytes(path, limit.Script)))
}

// endlessFile is a file without an end, or a very large one. Reading it fails when the script
// is stopped.
type endlessFile struct {
	f *os.File
	r *execution
}

func (e endlessFile) Read(b []byte) (int, error) {
	if err := e.r.Err(); err != nil {
		return 0, err
	}
	return e.f.Read(b)
}

func (e endlessFile) Write(b []byte) (int, error) { return e.f.Write(b) }

func (e endlessFile) Close() error { return e.f.Close() }

// piped returns a pipe with the content of f, which ends when the script is stopped. The
// caller must close it.
func (r *execution) piped(f *os.File) (*os.File, error) {
	out, in, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	go func() {
		io.Copy(in, endlessFile{f, r})
		in.Close()
	}()
	return out, nil
}

package changes

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/weftrun/weft/engine/proc"
	"github.com/weftrun/weft/internal/tail"
)

// maxOutput is the maximum output of a command of git, in bytes: the names of some ten million
// files.
const maxOutput = 1 << 30

// git runs commands of git. It is safe for concurrent use.
type git struct {
	path    string
	environ []string
	table   *proc.Table
}

// errNoGit is the error that there is no git.
var errNoGit = errors.New("git is not in PATH, and is needed to find changes: install it, or name the tasks")

func newGit(environ []string) (*git, error) {
	path := find(environ)
	if path == "" {
		return nil, errNoGit
	}
	// Nothing is written to the repository, not even to its index.
	env := append(environ[:len(environ):len(environ)], "GIT_OPTIONAL_LOCKS=0")
	if variable(environ, "GIT_DIR") != "" {
		var err error
		if env, err = inHook(env); err != nil {
			return nil, err
		}
	}
	return &git{path: path, environ: env, table: proc.NewTable(proc.Options{Environ: environ})}, nil
}

// inHook returns an environment in which git means the same repository in all directories. Git
// passes it to its hooks as paths relative to the directory where weft was started, which is then
// the top of the working tree.
func inHook(environ []string) ([]string, error) {
	wd, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	for _, name := range [...]string{"GIT_DIR", "GIT_COMMON_DIR", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_WORK_TREE"} {
		path := variable(environ, name)
		if path == "" && name == "GIT_WORK_TREE" {
			path = wd
		}
		if path != "" && !filepath.IsAbs(path) {
			path = filepath.Join(wd, path)
		}
		if path != "" {
			environ = append(environ, name+"="+path)
		}
	}
	return environ, nil
}

// close ends running commands.
func (g *git) close() { g.table.Close(false) }

// find returns the path of git, which is searched for only in absolute directories, or "".
func find(environ []string) string {
	name := "git"
	if runtime.GOOS == "windows" {
		name += ".exe"
	}
	for _, dir := range filepath.SplitList(variable(environ, "PATH")) {
		if !filepath.IsAbs(dir) {
			continue
		}
		path := filepath.Join(dir, name)
		if st, err := os.Stat(path); err == nil && st.Mode().IsRegular() && (st.Mode()&0o111 != 0 || runtime.GOOS == "windows") {
			return path
		}
	}
	return ""
}

// variable returns the value of an environment variable, or "".
func variable(environ []string, name string) string {
	for i := len(environ) - 1; i >= 0; i-- {
		if k, v, ok := strings.Cut(environ[i], "="); ok && k == name {
			return v
		}
	}
	return ""
}

// failed is the error of a command of git that has failed.
type failed struct {
	code int
	said string // written to its standard error
}

func (e *failed) Error() string {
	if e.said == "" {
		return fmt.Sprintf("git ended with exit status %d", e.code)
	}
	return "git says: " + strings.ReplaceAll(e.said, "\n", " ")
}

// program is a command of git that runs.
type program struct {
	group *proc.Group
	p     *proc.Process
	out   *os.File // its output
	errs  tail.Buffer
	heard chan struct{} // closed when errs is complete
	stop  func() bool
}

// start starts a command in a directory. in is its standard input; nil is none, and it is closed
// here. finish must be called.
func (g *git) start(ctx context.Context, dir string, in *os.File, args ...string) (*program, error) {
	out, stdout, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	errs, stderr, err := os.Pipe()
	if err != nil {
		stdout.Close()
		out.Close()
		return nil, err
	}
	c := &program{group: g.table.NewGroup(proc.GroupOptions{Name: "git"}), out: out, errs: tail.Buffer{Max: 4 << 10}, heard: make(chan struct{})}
	c.p, err = c.group.Start(&proc.Spec{Path: g.path, Argv: append([]string{"git"}, args...), Dir: dir, Env: g.environ, Stdin: in, Stdout: stdout, Stderr: stderr})
	stdout.Close()
	stderr.Close()
	if in != nil {
		in.Close()
	}
	if err != nil {
		out.Close()
		errs.Close()
		c.group.Close()
		return nil, err
	}
	c.stop = context.AfterFunc(ctx, func() { c.group.Kill(context.Cause(ctx)) })
	go func() {
		io.Copy(&c.errs, errs)
		errs.Close()
		close(c.heard)
	}()
	return c, nil
}

// finish waits for the end of the command. It returns a *failed for another exit status than 0.
func (c *program) finish() error {
	c.out.Close()
	status, err := c.p.Wait()
	c.stop()
	c.group.Close()
	<-c.heard
	switch {
	case err != nil:
		return err
	case status.Code != 0:
		return &failed{status.Code, strings.TrimSpace(string(c.errs.Bytes()))}
	}
	return nil
}

// run returns the output of a command with a text as its input.
func (g *git) run(ctx context.Context, dir, input string, args ...string) (string, error) {
	var in *os.File
	if input != "" {
		r, w, err := os.Pipe()
		if err != nil {
			return "", err
		}
		in = r
		go func() {
			io.WriteString(w, input) // a command that does not read to the end reports why
			w.Close()
		}()
	}
	c, err := g.start(ctx, dir, in, args...)
	if err != nil {
		return "", err
	}
	var b bytes.Buffer
	n, read := io.Copy(&b, io.LimitReader(c.out, maxOutput+1))
	if n > maxOutput {
		c.group.Kill(errLarge)
	}
	err = c.finish()
	switch {
	case ctx.Err() != nil:
		return "", context.Cause(ctx)
	case n > maxOutput:
		return "", errLarge
	case err == nil:
		err = read
	}
	return b.String(), err
}

var errLarge = errors.New("git has written more than 1024 MiB: there are too many files") // maxOutput
